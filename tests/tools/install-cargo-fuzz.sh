#!/usr/bin/env bash
# cargo-fuzz at target/tools/bin/cargo-fuzz, the pinned version, and the nightly compiler it needs.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

# renovate: datasource=crate depName=cargo-fuzz
VERSION=0.13.2
FUZZ="$BIN/cargo-fuzz"
fits() { [ "$("$1" --version 2>/dev/null)" = "cargo-fuzz $VERSION" ]; }

# Sanitizers and coverage are nightly's only. A whole toolchain is not ours to put on somebody's machine.
cargo +nightly --version >/dev/null 2>&1 ||
  fail "no nightly Rust: run 'rustup toolchain install nightly --profile minimal'"
command -v c++ >/dev/null || apt_install g++ || fail "no C++ compiler, which libFuzzer is built with: install g++"

fits "$FUZZ" && exit 0
if path="$(command -v cargo-fuzz)" && fits "$path"; then
  ln -sf "$path" "$FUZZ"
  exit 0
fi
say "building cargo-fuzz $VERSION, once (a minute)"
# A target directory of its own: ours may be locked by a running build.
CARGO_TARGET_DIR="$TOOLS/cargo-fuzz-build" cargo install --locked --force "cargo-fuzz@$VERSION" --root "$TOOLS" >"$TOOLS/cargo-fuzz.log" 2>&1 ||
  fail "cargo-fuzz $VERSION could not be built (see $TOOLS/cargo-fuzz.log)"
rm -rf "$TOOLS/cargo-fuzz-build"
