#!/usr/bin/env bash
# helm at target/tools/bin/helm, built by Go at the pinned version.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

VERSION=v3.19.5
STAMP="$TOOLS/helm.version"
if [ -x "$BIN/helm" ] && [ "$(cat "$STAMP" 2>/dev/null)" = "$VERSION" ]; then exit 0; fi
. "$HERE/go.sh"
say "building helm $VERSION, once (a few minutes)"
(cd "$TOOLS" && GOBIN="$BIN" GOFLAGS=-mod=mod "$GO" install "helm.sh/helm/v3/cmd/helm@$VERSION") >"$TOOLS/helm.log" 2>&1 ||
  fail "helm $VERSION could not be built (see $TOOLS/helm.log)"
printf '%s' "$VERSION" >"$STAMP"
