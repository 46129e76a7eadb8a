#!/usr/bin/env bash
# etcd, kube-apiserver and kubectl at target/tools/bin, one program built as tests/tools/kubernetes pins it.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
. "$HERE/go.sh"

FROM="$HERE/kubernetes"
SOURCE="$TOOLS/kubernetes"
VERSION="$(awk '$1 == "k8s.io/kubernetes" { print $2 }' "$FROM/go.mod")"
[ -x "$BIN/kube-apiserver" ] && cmp -s "$FROM/go.sum" "$SOURCE/built.sum" && cmp -s "$FROM/main.go" "$SOURCE/main.go" && exit 0

log="$TOOLS/kubernetes.log"
find_go 1.26 "$log"
say "building Kubernetes' API server $VERSION, kubectl and etcd (once, some minutes)"
start=$SECONDS
mkdir -p "$SOURCE"
cp "$FROM/go.mod" "$FROM/go.sum" "$FROM/main.go" "$SOURCE/"
IFS=. read -r major minor _ <<<"${VERSION#v}"
named=k8s.io/component-base/version
flags="-s -w -X $named.gitVersion=$VERSION -X $named.gitMajor=$major -X $named.gitMinor=$minor"
# -mod=mod: go.mod names only what main.go uses; go.sum pins everything below it.
(cd "$SOURCE" && CGO_ENABLED=0 "$GO" build -mod=mod -buildvcs=false -trimpath -ldflags "$flags" -o "$SOURCE/kubernetes" .) >>"$log" 2>&1 ||
  fail "Kubernetes does not build (see $log)"
for name in etcd kube-apiserver kubectl; do ln -sf "$SOURCE/kubernetes" "$BIN/$name"; done
cp "$FROM/go.sum" "$SOURCE/built.sum"
say "Kubernetes $VERSION, built in $((SECONDS - start)) s"
