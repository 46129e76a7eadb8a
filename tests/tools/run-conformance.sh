#!/usr/bin/env bash
# `make conformance`: the official MCP suite alone, with its table. `make test` runs the same tests among all others.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
. "$HERE/report.sh"
cd "$ROOT"

bash "$HERE/install.sh" conformance
. "$HERE/conformance.sh"

# With the flags of `make test`, so that neither builds again what the other has built.
cargo build --workspace --all-targets --locked "${FEATURES[@]}"
rm -f "$REPORTS/conformance.json"
status=0
cargo test --workspace --locked "${FEATURES[@]}" --test conformance -- --nocapture || status=$?
if [ "$status" = 0 ]; then
  echo "make conformance passed, report in target/reports/conformance.json"
else
  echo "make conformance failed; what the suite wrote is in target/reports/conformance" >&2
fi
exit "$status"
