# shellcheck shell=bash
# Sourced by the install scripts: where tools live, and how a failure is said.
set -euo pipefail

ROOT="$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)"
TOOLS="$ROOT/target/tools"
BIN="$TOOLS/bin"
# shellcheck disable=SC2034 # for those who source this
HERE="$ROOT/tests/tools"
mkdir -p "$BIN"

# One sentence on stderr that says what is missing and what to install, then exit 1.
fail() {
  printf 'tools: %s\n' "$1" >&2
  exit 1
}

say() { printf 'tools: %s\n' "$1"; }

# True when version $1 is at least $2 (dotted numbers).
at_least() { [ "$(printf '%s\n%s\n' "$2" "$1" | sort -V | head -n 1)" = "$2" ]; }

# Installs Debian packages, but only where that needs no question: as root, with apt.
# Debian's mirrors answer slowly at times, so a stale package list is refreshed once.
apt_install() {
  [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null || return 1
  local log="$TOOLS/apt.log"
  DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "$@" >"$log" 2>&1 && return 0
  apt-get update -q >>"$log" 2>&1 || return 1
  DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "$@" >>"$log" 2>&1
}

# How our programs are built for tests, images and releases: with the export of traces.
# shellcheck disable=SC2034 # used by those who source this
FEATURES=(--features "mcp-edge-proxy/otlp,plane-mcp-adapter/otlp")
