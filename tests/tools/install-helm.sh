#!/usr/bin/env bash
# helm at target/tools/bin/helm, built by Go at the pinned version.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
. "$HERE/go.sh"

# renovate: datasource=github-releases depName=helm/helm
VERSION=v3.19.5
# As released: else it takes every cluster that it has not asked for Kubernetes 1.20.
KUBE=34
STAMP="$TOOLS/helm.version"
if [ -x "$BIN/helm" ] && [ "$(cat "$STAMP" 2>/dev/null)" = "$VERSION 1.$KUBE" ]; then exit 0; fi
find_go 1.24 "$TOOLS/helm.log"
say "building helm $VERSION, once (a few minutes)"
package=helm.sh/helm/v3
flags="-X $package/internal/version.version=$VERSION"
for minor in chartutil lint/rules; do flags+=" -X $package/pkg/$minor.k8sVersionMajor=1 -X $package/pkg/$minor.k8sVersionMinor=$KUBE"; done
(cd "$TOOLS" && GOBIN="$BIN" GOFLAGS=-mod=mod "$GO" install -ldflags "$flags" "$package/cmd/helm@$VERSION") >"$TOOLS/helm.log" 2>&1 ||
  fail "helm $VERSION could not be built (see $TOOLS/helm.log)"
printf '%s' "$VERSION 1.$KUBE" >"$STAMP"
