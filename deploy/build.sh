#!/usr/bin/env bash
# Builds static binaries for this machine's processor, the same bytes wherever the sources lie: both programs as they are in the
# images, or whatever the arguments, which go to cargo, name. They land in
# <target directory>/<processor>-unknown-linux-musl/release. The Dockerfiles run this. Needed are cargo-auditable, the Rust
# target, and musl-gcc for the C in some crates (Debian: musl-tools).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

[ $# -gt 0 ] || set -- -p mcp-edge-proxy -p plane-mcp-adapter --features mcp-edge-proxy/otlp,plane-mcp-adapter/otlp --bins
TARGET="$(uname -m)-unknown-linux-musl"
HOME_OF_CARGO="${CARGO_HOME:-$HOME/.cargo}"
# What depends on the time takes the last commit's, and without a repository a fixed one.
SOURCE_DATE_EPOCH="${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || echo 0)}"
export SOURCE_DATE_EPOCH

# Panics, debug data and the C's assertions name files: by names that are the same on every machine.
# The last that fits counts: the target directory is /target wherever it lies, in the sources too.
CARGO_TARGET_DIR="$(realpath --canonicalize-missing "${CARGO_TARGET_DIR:-target}")"
export CARGO_TARGET_DIR
places=("$HOME_OF_CARGO=/cargo" "$PWD=/src" "$CARGO_TARGET_DIR=/target")
CARGO_ENCODED_RUSTFLAGS=""
c_flags=""
for place in "${places[@]}"; do
  CARGO_ENCODED_RUSTFLAGS+="${CARGO_ENCODED_RUSTFLAGS:+$'\x1f'}--remap-path-prefix=$place"
  c_flags+=" -ffile-prefix-map=$place"
done
export CARGO_ENCODED_RUSTFLAGS
export "CFLAGS_${TARGET//-/_}=$c_flags"

exec cargo auditable build --release --locked --target "$TARGET" "$@"
