#!/usr/bin/env bash
# The custom resource definitions of what the chart can make, at target/tools/crds: from the Go modules that tests/tools/crds
# pins, which carry them as files. Nothing is built.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
. "$HERE/go.sh"

SOURCE="$TOOLS/crds"
cmp -s "$HERE/crds/go.sum" "$SOURCE/go.sum" && exit 0

log="$TOOLS/crds.log"
find_go 1.25 "$log"
rm -rf "$SOURCE"
mkdir -p "$SOURCE"
cp "$HERE/crds/go.mod" "$SOURCE/"
cp "$HERE/crds/go.sum" "$SOURCE/checked.sum"

take() { # take MODULE PATTERN: the files of the module that match
  local folder version
  version="$(awk -v module="$1" '$1 == module { print $2 }' "$SOURCE/go.mod")"
  # One version, named: the modules that they need are not asked for. go.sum is looked at all the same.
  folder="$(cd "$SOURCE" && cp checked.sum go.sum && GOFLAGS=-mod=mod "$GO" mod download -json "$1@$version" 2>>"$log" |
    sed -n 's/.*"Dir": "\(.*\)".*/\1/p')" || true
  [ -n "$folder" ] || fail "$1 $version could not be loaded (see $log)"
  rm -f "$SOURCE/go.sum"
  (cd "$folder" && find . -path "./$2" -exec cp {} "$SOURCE/" \;)
}
take github.com/traefik/traefik/v3 'docs/content/reference/dynamic-configuration/traefik.io_*.yaml'
take sigs.k8s.io/gateway-api 'config/crd/standard/gateway.networking.k8s.io_*.yaml'
take github.com/prometheus-operator/prometheus-operator 'example/prometheus-operator-crd/*_*[srm]onitors.yaml'
take github.com/prometheus-operator/prometheus-operator 'example/prometheus-operator-crd/*_prometheusrules.yaml'
take github.com/cert-manager/cert-manager 'deploy/crds/cert-manager.io_certificates.yaml'
chmod u+w "$SOURCE"/*.yaml
rm -f "$SOURCE/go.mod"
mv "$SOURCE/checked.sum" "$SOURCE/go.sum"
say "custom resource definitions: $(find "$SOURCE" -name '*.yaml' | wc -l)"
