#!/usr/bin/env bash
# cargo-deny at target/tools/bin/cargo-deny, the pinned version.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

# renovate: datasource=crate depName=cargo-deny
VERSION=0.20.2
DENY="$BIN/cargo-deny"
fits() { [ "$("$1" --version 2>/dev/null)" = "cargo-deny $VERSION" ]; }

fits "$DENY" && exit 0
if path="$(command -v cargo-deny)" && fits "$path"; then
  ln -sf "$path" "$DENY"
  exit 0
fi
say "building cargo-deny $VERSION, once (a few minutes)"
# A target directory of its own: ours may be locked by a running build.
CARGO_TARGET_DIR="$TOOLS/cargo-deny-build" cargo install --locked --force "cargo-deny@$VERSION" --root "$TOOLS" >"$TOOLS/cargo-deny.log" 2>&1 ||
  fail "cargo-deny $VERSION could not be built (see $TOOLS/cargo-deny.log)"
rm -rf "$TOOLS/cargo-deny-build"
