#!/usr/bin/env bash
# oauth2-proxy at target/tools/bin/oauth2-proxy, built from its Go module as tests/tools/oauth2-proxy/go.mod and go.sum pin it
# (not by `go install module@version`, which asks for more than that version).
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
. "$HERE/go.sh"

MODULE=github.com/oauth2-proxy/oauth2-proxy/v7
SOURCE="$TOOLS/oauth2-proxy"
[ -x "$BIN/oauth2-proxy" ] && cmp -s "$HERE/oauth2-proxy/go.sum" "$SOURCE/built.sum" && exit 0

log="$TOOLS/oauth2-proxy.log"
find_go 1.26 "$log"
say "building oauth2-proxy (once, a few minutes)"
mkdir -p "$SOURCE"
cp "$HERE/oauth2-proxy/go.mod" "$HERE/oauth2-proxy/go.sum" "$SOURCE/"
# -mod=mod: go.mod names only oauth2-proxy itself; go.sum pins everything below it.
(cd "$SOURCE" && CGO_ENABLED=0 GOFLAGS=-mod=mod "$GO" build -trimpath -o "$BIN/oauth2-proxy" "$MODULE") >>"$log" 2>&1 ||
  fail "oauth2-proxy does not build (see $log)"
cp "$HERE/oauth2-proxy/go.sum" "$SOURCE/built.sum"
say "oauth2-proxy $(awk '$1 == "require" { print $3 }' "$SOURCE/go.mod")"
