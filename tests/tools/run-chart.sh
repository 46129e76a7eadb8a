#!/usr/bin/env bash
# `make chart`: lints the chart with each of its example values, then tests what it renders: against the schemas of three
# versions of Kubernetes, with the `check` of the real programs, at a real API server, and with Traefik's own binary.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
. "$HERE/report.sh"
cd "$ROOT"

KUBE=1.30.0 # the oldest the chart supports
start=$SECONDS
printf '{"passed":0,"failed":1,"ignored":0,"seconds":0}\n' >"$REPORTS/chart.json"
bash "$HERE/install.sh" helm chart-tests valkey traefik crds kubernetes
for values in helm/mcp-edge/ci/*-values.yaml; do
  said="$("$BIN/helm" lint --strict helm/mcp-edge --kube-version "$KUBE" --values "$values" 2>&1)" || fail "$values: $said"
done
say "helm lint: $(find helm/mcp-edge/ci -name '*-values.yaml' | wc -l) examples"

# PROGRAMS: a folder with the programs, where they are built already.
if [ -z "${PROGRAMS:-}" ]; then
  # With the flags of `make test`, so that neither builds again what the other has built.
  cargo build --workspace --all-targets --locked "${FEATURES[@]}" || fail "the build failed: no test ran"
  PROGRAMS="$(cd "${CARGO_TARGET_DIR:-target}" && pwd)/debug"
fi
export PROGRAMS HELM="$BIN/helm" VALKEY_SERVER="$BIN/valkey-server" KUBECTL="$BIN/kubectl" CRDS="$TOOLS/crds" TRAEFIK="$BIN/traefik"
log="$REPORTS/chart.log"
status=0
PYTHONDONTWRITEBYTECODE=1 "$TOOLS/chart/bin/python" -m pytest -q -p no:cacheprovider --tb=short "$@" tests/chart 2>&1 | tee "$log" || status=$?
passed="$(grep -oE '[0-9]+ passed' "$log" | tail -n 1 | cut -d ' ' -f 1 || true)"
failed="$(grep -oE '[0-9]+ (failed|error)' "$log" | awk '{ n += $1 } END { print n + 0 }' || true)"
printf '{"passed":%s,"failed":%s,"ignored":0,"seconds":%s}\n' "${passed:-0}" "${failed:-0}" "$((SECONDS - start))" >"$REPORTS/chart.json"
exit "$status"
