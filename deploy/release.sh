#!/usr/bin/env bash
# What .github/workflows/release.yaml does that can be tried without it:
#   release.sh check TAG REGISTRY            fails unless TAG is v and the programs' version, and REGISTRY names a registry
#   release.sh chart VERSION IMAGES FOLDER   packages the chart into FOLDER, with the images at IMAGES/mcp-edge-proxy:VERSION, …
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

fail() {
  printf 'release: %s\n' "$1" >&2
  exit 1
}

check() { # check TAG REGISTRY
  local version
  version="$(awk -F '"' '/^\[/ { here = $0 == "[workspace.package]" } here && $1 == "version = " { print $2 }' Cargo.toml)"
  # No build metadata (+…): images have no such tags.
  [[ "$version" =~ ^[0-9]+\.[0-9]+\.[0-9]+(-[0-9A-Za-z.-]+)?$ ]] || fail "'$version' in Cargo.toml is no version to release"
  [ "$1" = "v$version" ] || fail "the tag is $1, the programs are $version (Cargo.toml): they would tell another version than their image"
  [[ "$2" =~ ^[a-z0-9.-]+(:[0-9]+)?$ ]] || fail "'$2' is no registry: set the repository's variable REGISTRY to a host"
}

chart() { # chart VERSION IMAGES FOLDER
  local version="$1" images="$2" scratch name
  scratch="$(mktemp -d)"
  # shellcheck disable=SC2064 # now, while it is known
  trap "rm -rf '$scratch'" EXIT
  cp -r helm/mcp-edge "$scratch/"
  for name in mcp-edge-proxy plane-mcp-adapter; do
    grep -q "repository: $name," "$scratch/mcp-edge/values.yaml" || fail "values.yaml does not name the image $name"
    sed -i "s|repository: $name,|repository: $images/$name,|" "$scratch/mcp-edge/values.yaml"
  done
  "${HELM:-helm}" package "$scratch/mcp-edge" --version "$version" --app-version "$version" --destination "$3"
}

case "${1:-}" in
check) check "${2:-}" "${3:-}" ;;
chart) chart "$2" "$3" "$4" ;;
*) fail "check TAG REGISTRY, or chart VERSION IMAGES FOLDER" ;;
esac
