#!/usr/bin/env bash
# Writes the hashes of every file of every package into the requirements of tests, after a version was changed there by hand, and
# what the packages pull. Needs uv (https://docs.astral.sh/uv).
#   tests/tools/lock-requirements.sh [FILE…]
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
cd "$ROOT"

command -v uv >/dev/null || fail "no uv: install it"
[ $# -gt 0 ] || set -- tests/tools/requirements*.txt tests/chart/requirements.txt tests/docs/requirements.txt
for file in "$@"; do
  fresh="$(mktemp)"
  sed '/^[^#]/,$d' "$file" >"$fresh.head"
  # Only versions are asked for anew: a hash would hold to the files that are there now.
  sed -n 's/^\([A-Za-z].*==[^\\]*\).*/\1/p' "$file" >"$fresh.in"
  # For all platforms and every Python from the oldest on; local wheels are not what others get.
  env -u PIP_FIND_LINKS uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
    --output-file "$fresh" "$fresh.in" >/dev/null || fail "$file does not resolve"
  cat "$fresh.head" "$fresh" >"$file"
  rm -f "$fresh" "$fresh.head" "$fresh.in"
  say "$file: $(grep -c '==' "$file") packages, $(grep -c -- --hash= "$file") files"
done
