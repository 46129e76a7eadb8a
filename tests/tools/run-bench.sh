#!/usr/bin/env bash
# `make bench`: installs the peers, makes the release build, and measures everybody in one run.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
. "$HERE/report.sh"
cd "$ROOT"

bash "$HERE/install.sh" valkey nginx traefik oauth2-proxy
export VALKEY_SERVER="$BIN/valkey-server"
cargo build --release --locked -p mcp-edge-proxy -p plane-mcp-adapter -p stack --bin mcp-edge-proxy --bin plane-mcp-adapter --bin bench
exec "${CARGO_TARGET_DIR:-target}/release/bench" "$REPORTS/bench.json"
