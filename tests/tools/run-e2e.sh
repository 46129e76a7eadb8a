#!/usr/bin/env bash
# `make e2e`: installs the real programs under target/tools, builds, and runs the end-to-end tests against them.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
. "$HERE/report.sh"
cd "$ROOT"

start=$SECONDS
finish() {
  printf '{"passed":%s,"failed":%s,"ignored":%s,"seconds":%s}\n' "$1" "$2" "$3" "$((SECONDS - start))" >"$REPORTS/e2e.json"
}
finish 0 0 0

bash "$HERE/install.sh" valkey python mcp-remote fastmcp conformance traefik oauth2-proxy provider helm collector
export VALKEY_SERVER="$BIN/valkey-server"
export MCP_PYTHON="$TOOLS/python/bin/python"
export MCP_REMOTE="$TOOLS/node/node_modules/mcp-remote/dist/proxy.js"
export NODE="$BIN/node"
export HELM="$BIN/helm"
. "$HERE/conformance.sh"

# With the flags of `make test`, so that neither builds again what the other has built.
cargo build --workspace --all-targets --locked "${FEATURES[@]}" || { echo "the build failed: no test ran" >&2; exit 1; }
log="$REPORTS/e2e.log"
status=0
# Each test starts a chain of eight programs: more than a few at once only wait for each other.
CARGO_TERM_COLOR=never cargo test --workspace --locked "${FEATURES[@]}" --test e2e -- --test-threads "${E2E_THREADS:-3}" 2>&1 | tee "$log" || status=$?
read -r passed failed ignored < <(awk '
  /^test result: / { for (i = 2; i <= NF; i++) { if ($i == "passed;") p += $(i - 1)
                                                 if ($i == "failed;") f += $(i - 1)
                                                 if ($i == "ignored;") g += $(i - 1) } }
  END { print p + 0, f + 0, g + 0 }' "$log")
[ "$status" = 0 ] && [ "$passed" = 0 ] && { echo "no test ran" >&2; status=1; }
[ "$status" != 0 ] && [ "$failed" = 0 ] && failed=1
finish "$passed" "$failed" "$ignored"
echo "took $((SECONDS - start)) s, report in target/reports/e2e.json"
echo "$passed passed, $failed failed"
exit "$status"
