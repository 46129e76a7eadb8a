#!/usr/bin/env bash
# Builds static binaries for this machine's processor, the same bytes wherever the sources lie:
#   deploy/build.sh mcp-edge-proxy plane-mcp-adapter
# They land in <target directory>/<processor>-unknown-linux-musl/release. The images' Dockerfiles run this. Needed are
# cargo-auditable, the Rust target, and musl-gcc for the C in aws-lc (Debian: musl-tools).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

[ $# -gt 0 ] || { echo "build.sh: name the packages to build" >&2; exit 64; }
TARGET="$(uname -m)-unknown-linux-musl"
HOME_OF_CARGO="${CARGO_HOME:-$HOME/.cargo}"
# What depends on the time takes the last commit's, and without a repository a fixed one.
SOURCE_DATE_EPOCH="${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || echo 0)}"
export SOURCE_DATE_EPOCH

# Panics, debug data and the C's assertions name files: by names that are the same on every machine. The later rule wins.
export CARGO_ENCODED_RUSTFLAGS="--remap-path-prefix=$HOME_OF_CARGO=/cargo"$'\x1f'"--remap-path-prefix=$PWD=/src"
export CARGO_BUILD_TARGET="$TARGET"
maps="-ffile-prefix-map=$HOME_OF_CARGO=/cargo -ffile-prefix-map=$PWD=/src"
if [ -n "${CARGO_TARGET_DIR:-}" ]; then
  CARGO_ENCODED_RUSTFLAGS+=$'\x1f'"--remap-path-prefix=$CARGO_TARGET_DIR=/target"
  maps+=" -ffile-prefix-map=$CARGO_TARGET_DIR=/target"
fi
variable="CFLAGS_${TARGET//-/_}"
export "$variable=$maps"

packages=()
for package in "$@"; do packages+=(--package "$package"); done
exec cargo auditable build --release --locked "${packages[@]}" --bins
