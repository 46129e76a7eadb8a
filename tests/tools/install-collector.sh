#!/usr/bin/env bash
# An OpenTelemetry Collector at target/tools/bin/otelcol, of the few parts the tests need, built from its Go modules as
# tests/tools/collector/go.mod and go.sum pin them.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

SOURCE="$TOOLS/collector"
want="$(cat "$HERE"/collector/{go.sum,main.go} | sha256sum)"
[ -x "$BIN/otelcol" ] && [ "$(cat "$SOURCE/built" 2>/dev/null)" = "$want" ] && exit 0

. "$HERE/go.sh"
find_go 1.26 "$TOOLS/collector.log"
say "building an OpenTelemetry Collector (once, a minute or two)"
mkdir -p "$SOURCE"
cp "$HERE"/collector/{go.mod,go.sum,main.go} "$SOURCE/"
# -mod=mod: go.mod names only what main.go uses; go.sum pins everything below it.
(cd "$SOURCE" && CGO_ENABLED=0 GOFLAGS=-mod=mod "$GO" build -trimpath -ldflags='-s -w' -o "$BIN/otelcol" .) \
  >>"$TOOLS/collector.log" 2>&1 || fail "the collector does not build (see $TOOLS/collector.log)"
printf '%s\n' "$want" >"$SOURCE/built"
say "OpenTelemetry Collector $(awk '$1 == "go.opentelemetry.io/collector/otelcol" { print $2 }' "$HERE/collector/go.mod")"
