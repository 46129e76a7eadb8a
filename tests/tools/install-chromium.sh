#!/usr/bin/env bash
# Chromium and its WebDriver at target/tools/bin/{chromium,chromedriver}: the system's own, installed where that needs
# no question. Both must be of one version.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

PACKAGES="chromium chromium-driver"

# Prints the major version of the program at $1, nothing when it does not run.
major() { "$1" --version 2>/dev/null | sed -n 's/^[^0-9]*\([0-9]*\)\..*/\1/p' | head -n 1; }

fits() {
  local browser driver
  browser="$(command -v chromium)" && driver="$(command -v chromedriver)" || return 1
  [ -n "$(major "$browser")" ] && [ "$(major "$browser")" = "$(major "$driver")" ] || return 1
  # A snap or a wrapper elsewhere may move; the links are made anew each time.
  ln -sf "$browser" "$BIN/chromium"
  ln -sf "$driver" "$BIN/chromedriver"
}

fits && exit 0
# shellcheck disable=SC2086 # a list of words
apt_install $PACKAGES || fail "no chromium with a chromedriver of its version: install the packages $PACKAGES"
fits || fail "chromium and chromedriver do not fit together: install one version of $PACKAGES"
say "Chromium $("$BIN/chromium" --version | sed -n 's/^[^0-9]*\([0-9.]*\).*/\1/p')"
