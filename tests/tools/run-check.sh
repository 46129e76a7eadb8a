#!/usr/bin/env bash
# `make check`: every step runs, so that one report names everything that is wrong.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
. "$HERE/report.sh"
cd "$ROOT"

clippy() { cargo clippy --workspace --all-targets --locked "${FEATURES[@]}" -- -D warnings -D clippy::too_many_lines; }

# What differs in programs built without the export of traces: the lints, and what such a program says to its endpoint.
plain() {
  cargo clippy --locked -p service -p mcp-edge-proxy -p plane-mcp-adapter -- -D warnings -D clippy::too_many_lines &&
    cargo test --locked -q -p service --lib traces::
}

rustdoc() { RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --locked; }

dependencies() {
  bash "$HERE/install-cargo-deny.sh" && \
    "$BIN/cargo-deny" --offline --locked --log-level error check bans licenses sources
}

# The advisory database comes from the network. Where it cannot be had, nothing is known about
# advisories, and that is said; a database that is there and names a flaw fails the check.
advisories() {
  local log="$REPORTS/advisories.log"
  if timeout 120 "$BIN/cargo-deny" fetch db >"$log" 2>&1; then
    "$BIN/cargo-deny" --offline --locked --log-level error check advisories
  else
    echo "    advisories were NOT checked: the advisory database could not be fetched ($(grep -m 1 '^fatal: ' "$log" || tail -n 1 "$log"))"
    return 75
  fi
}

# What the pages say is there, and what their commands do.
documentation() {
  bash "$HERE/install-docs-tests.sh" && python3 tests/docs/check.py && \
    PYTHONDONTWRITEBYTECODE=1 "$TOOLS/docs/bin/python" -m pytest -q -p no:cacheprovider --tb=short tests/docs
}

start=$SECONDS
step format cargo fmt --all --check
step layout bash tests/layout/check.sh
step docs documentation
step clippy clippy
step plain plain
step rustdoc rustdoc
step dependencies dependencies
step advisories advisories
printf '{"passed":%s,"seconds":%s,"steps":[%s]}\n' \
  "$([ -z "$FAILED_STEPS" ] && echo true || echo false)" "$((SECONDS - start))" "$STEPS_JSON" >"$REPORTS/check.json"
if [ -n "$FAILED_STEPS" ]; then
  echo "make check failed:$FAILED_STEPS" >&2
  exit 1
fi
echo "make check passed ($((SECONDS - start)) s)"
