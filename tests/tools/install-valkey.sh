#!/usr/bin/env bash
# Puts a Valkey 8 server at target/tools/bin/valkey-server: the system's own, or Debian's package
# unpacked without installing it. Redis 7 is the last resort, and is named when it is used.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

SERVER="$BIN/valkey-server"
APT="$TOOLS/apt"

# Prints the version of the server at $1 ("8.0.1"), nothing when it does not run.
server_version() { { "$1" --version 2>/dev/null || true; } | sed -n 's/.* v=\([0-9.]*\).*/\1/p'; }

# apt-get and apt-cache with lists and cache of our own, so that no root is needed and the
# system's lists stay as they are. $SOURCES is the one sources file in use.
apt_private() {
  local command="$1"
  shift
  "$command" -q \
    -o Dir::Etc::SourceList="$SOURCES" -o Dir::Etc::SourceParts=/dev/null \
    -o Dir::State::Lists="$APT/lists" -o Dir::Cache="$APT/cache" \
    -o APT::Sandbox::User="$(id -un)" "$@"
}

# Prints "uri|signed-by" of the system's own source for Debian's suite $1. Both of apt's file
# formats are read; a third party's source never carries a suite named exactly like the release.
debian_source() {
  awk -v suite="$1" -v RS= -F '\n' '
    { uri = ""; key = ""; hit = 0
      for (i = 1; i <= NF; i++) {
        if ($i ~ /^#/) continue
        n = split($i, word, /[ \t]+/)
        if (tolower(word[1]) == "uris:") uri = word[2]
        if (tolower(word[1]) == "signed-by:") key = word[2]
        if (tolower(word[1]) == "suites:") for (j = 2; j <= n; j++) if (word[j] == suite) hit = 1
      }
      if (hit && uri != "") { print uri "|" key; exit } }' \
    /etc/apt/sources.list.d/*.sources 2>/dev/null | grep . && return 0
  awk -v suite="$1" '
    $1 == "deb" {
      key = ""; i = 2
      if ($i ~ /^\[/) { while (i <= NF) { if ($i ~ /signed-by=/) { key = $i; sub(/.*signed-by=/, "", key); sub(/\].*/, "", key) }
                                          if ($i ~ /\]$/) break; i++ } i++ }
      if ($(i + 1) == suite) { print $i "|" key; exit } }' \
    /etc/apt/sources.list /etc/apt/sources.list.d/*.list 2>/dev/null | grep .
}

# Writes the private sources file for the suites "$2", next to the mirror the system itself uses.
write_sources() {
  local uri="${1%%|*}" key="${1##*|}"
  SOURCES="$APT/debian.sources"
  printf 'Types: deb\nURIs: %s\nSuites: %s\nComponents: main\n' "$uri" "$2" >"$SOURCES"
  [ -z "$key" ] || printf 'Signed-By: %s\n' "$key" >>"$SOURCES"
}

# Downloads the packages "$@" with the libraries they link and unpacks all into target/tools/valkey.
unpack() {
  local libraries="libjemalloc2 liblzf1 libatomic1 libssl3"
  [ -z "$(apt_private apt-cache madison libssl3t64)" ] || libraries="${libraries}t64" # the name since Debian 13
  rm -rf "$TOOLS/valkey" "$APT/debs"
  mkdir -p "$TOOLS/valkey" "$APT/debs"
  # shellcheck disable=SC2086 # a list of words
  (cd "$APT/debs" && apt_private apt-get download "$@" $libraries) || return 1
  for deb in "$APT/debs"/*.deb; do dpkg -x "$deb" "$TOOLS/valkey" || return 1; done
}

# Makes target/tools/bin/valkey-server run the unpacked server $1 with its unpacked libraries.
wrap() {
  local libraries
  libraries="$TOOLS/valkey/usr/lib/$(uname -m)-linux-gnu"
  printf '#!/bin/sh\nLD_LIBRARY_PATH=%s exec %s "$@"\n' "'$libraries'" "'$TOOLS/valkey/usr/bin/$1'" >"$SERVER.new"
  chmod +x "$SERVER.new"
  local version
  version="$(server_version "$SERVER.new")"
  [ -n "$version" ] || return 1
  mv "$SERVER.new" "$SERVER"
}

# 1. What is there already.
if [ -x "$SERVER" ]; then
  version="$(server_version "$SERVER")"
  if [ -n "$version" ] && { at_least "$version" 8 || [ -f "$TOOLS/valkey/is-redis" ]; }; then
    [ -f "$TOOLS/valkey/is-redis" ] && say "Redis $version stands in for Valkey 8 (Debian's Valkey could not be had)"
    exit 0
  fi
  rm -f "$SERVER"
fi
if path="$(command -v valkey-server)" && at_least "$(server_version "$path")" 8; then
  ln -sf "$path" "$SERVER"
  say "Valkey $(server_version "$path") of the system"
  exit 0
fi

# 2. Debian's package.
hint="install Valkey 8 (valkey-server on the PATH), for instance from Debian's backports, and try again"
command -v apt-get >/dev/null && command -v dpkg >/dev/null || fail "no valkey-server of version 8 or later: $hint"
codename="$(. /etc/os-release && printf '%s' "${VERSION_CODENAME:-}")"
source="$(debian_source "$codename")" || fail "apt has no source for the suite '$codename': $hint"
mkdir -p "$APT/lists/partial" "$APT/cache/archives/partial"

# Backports carry Valkey where the release itself does not.
write_sources "$source" "$codename $codename-backports"
log="$APT/valkey.log"
: >"$log"
apt_private apt-get update >>"$log" 2>&1 || true # a release without backports still has its main suite
candidate="$(apt_private apt-cache policy valkey-server 2>/dev/null | sed -n 's/.*Candidate: //p')" || true
if [ -n "$candidate" ] && [ "$candidate" != "(none)" ] && at_least "$candidate" 8; then
  if unpack valkey-server valkey-tools >>"$log" 2>&1 && wrap valkey-server; then
    say "Valkey $(server_version "$SERVER") of Debian ($candidate)"
    exit 0
  fi
fi

# 3. Redis 7, said aloud.
for suite in "$codename" "$codename-security"; do
  source="$(debian_source "$suite")" || continue
  write_sources "$source" "$suite"
  apt_private apt-get update >>"$log" 2>&1 || continue
  if unpack redis-server redis-tools >>"$log" 2>&1 && wrap redis-server &&
    at_least "$(server_version "$SERVER")" 7; then
    touch "$TOOLS/valkey/is-redis"
    say "Redis $(server_version "$SERVER") stands in for Valkey 8 (Debian's Valkey could not be had, see $log)"
    exit 0
  fi
done
rm -f "$SERVER" "$SERVER.new"
fail "neither Valkey 8 nor Redis 7 could be had from Debian (see $log): $hint"
