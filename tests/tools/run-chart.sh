#!/usr/bin/env bash
# `make chart`: lints the chart and renders it with its defaults' example values in helm/mcp-edge/ci.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
cd "$ROOT"

KUBE=1.30.0 # the oldest the chart supports
bash "$HERE/install-helm.sh"
for values in helm/mcp-edge/ci/*.yaml; do
  "$BIN/helm" lint --strict helm/mcp-edge --kube-version "$KUBE" --values "$values"
  "$BIN/helm" template edge helm/mcp-edge --namespace edge --kube-version "$KUBE" --values "$values" >"$TOOLS/chart.yaml"
  grep -q '^kind: NetworkPolicy$' "$TOOLS/chart.yaml" || fail "$values renders no NetworkPolicy"
  say "$values renders $(grep -c '^kind: ' "$TOOLS/chart.yaml") objects"
done
