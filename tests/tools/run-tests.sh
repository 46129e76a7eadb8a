#!/usr/bin/env bash
# `make test`: installs the tools, builds once, runs every test, and ends with the count over all
# test binaries. The tests find their tools in the environment set here.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
. "$HERE/report.sh"
cd "$ROOT"

start=$SECONDS
finish() {
  printf '{"passed":%s,"failed":%s,"ignored":%s,"seconds":%s}\n' "$1" "$2" "$3" "$((SECONDS - start))" >"$REPORTS/tests.json"
}
finish 0 0 0

bash "$HERE/install.sh" valkey python mcp-remote chromium conformance prometheus
export VALKEY_SERVER="$BIN/valkey-server"
export MCP_PYTHON="$TOOLS/python/bin/python"
export MCP_REMOTE="$TOOLS/node/node_modules/mcp-remote/dist/proxy.js"
export NODE="$BIN/node"
export CHROMIUM="$BIN/chromium"
export CHROMEDRIVER="$BIN/chromedriver"
export PROMTOOL="$BIN/promtool"
. "$HERE/conformance.sh"

# With the very flags of the run below, so that nothing is built twice; the binaries that the
# end-to-end tests start are among the targets.
if ! cargo build --workspace --all-targets --locked "${FEATURES[@]}"; then
  echo "the build failed: no test ran" >&2
  exit 1
fi

log="$REPORTS/tests.log"
status=0
CARGO_TERM_COLOR=never cargo test --workspace --locked "${FEATURES[@]}" --no-fail-fast 2>&1 | tee "$log" || status=$?

read -r passed failed ignored < <(awk '
  /^test result: / { for (i = 2; i <= NF; i++) { if ($i == "passed;") p += $(i - 1)
                                                 if ($i == "failed;") f += $(i - 1)
                                                 if ($i == "ignored;") g += $(i - 1) } }
  END { print p + 0, f + 0, g + 0 }' "$log")
finish "$passed" "$failed" "$ignored"

echo
if [ "$failed" -gt 0 ]; then
  echo "failed tests:"
  grep -E '^test .* FAILED$' "$log" | sed 's/^test \(.*\) \.\.\. FAILED$/  \1/' | sort -u
fi
if [ "$status" = 0 ] && [ "$passed" = 0 ]; then
  echo "no test ran" >&2
  status=1
fi
if [ "$status" != 0 ] && [ "$failed" = 0 ]; then
  # A test binary that crashed or did not compile counts as a failure, whatever the others say.
  echo "cargo test ended with status $status before every test could report" >&2
  failed=1
  finish "$passed" "$failed" "$ignored"
fi
echo "took $((SECONDS - start)) s, report in target/reports/tests.json"
if [ "$ignored" -gt 0 ]; then
  echo "$passed passed, $failed failed, $ignored skipped"
else
  echo "$passed passed, $failed failed"
fi
exit "$status"
