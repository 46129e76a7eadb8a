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

# The fuzz targets stand outside the workspace, and nothing else here would notice that they no longer build.
fuzz() { cargo check --manifest-path fuzz/Cargo.toml --locked --target-dir "${CARGO_TARGET_DIR:-target}"; }

rustdoc() { RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --locked; }

dependencies() {
  # All crates of the lock file, also those for platforms that nobody here builds for: it reads them without the network.
  bash "$HERE/install-cargo-deny.sh" && cargo fetch --locked && \
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

# What no compiler reads: scripts, Dockerfiles, workflows, the compose file, YAML.
scripts() {
  bash "$HERE/install-linters.sh" || return 1
  git ls-files -co --exclude-standard '*.sh' .ci/run | xargs shellcheck --external-sources --source-path=SCRIPTDIR --severity=warning &&
    bash "$HERE/test-installers.sh"
}

images() {
  bash "$HERE/install-linters.sh" || return 1
  "$LINTERS/hadolint" --failure-threshold style deploy/Dockerfile* && "$LINTERS/docker-compose" -f deploy/compose.yaml config --quiet
}

# zizmor asks nobody: what it could ask for is not to be had everywhere.
workflows() {
  bash "$HERE/install-linters.sh" || return 1
  "$BIN/actionlint" && "$LINTERS/zizmor" --offline --quiet --no-progress .github
}

yaml() {
  bash "$HERE/install-linters.sh" || return 1
  git ls-files -co --exclude-standard '*.yaml' '*.yml' | xargs "$LINTERS/yamllint" --strict
}

# What the pages say is there, and what their commands do.
documentation() {
  bash "$HERE/install-docs-tests.sh" && python3 tests/docs/check.py && \
    PYTHONDONTWRITEBYTECODE=1 "$TOOLS/docs/bin/python" -m pytest -q -p no:cacheprovider --tb=short tests/docs
}

LINTERS="$TOOLS/linters/bin"
start=$SECONDS
step format cargo fmt --all --check
step layout bash tests/layout/check.sh
step docs documentation
step clippy clippy
step plain plain
step fuzz fuzz
step rustdoc rustdoc
step dependencies dependencies
step advisories advisories
step scripts scripts
step images images
step workflows workflows
step yaml yaml
printf '{"passed":%s,"seconds":%s,"steps":[%s]}\n' \
  "$([ -z "$FAILED_STEPS" ] && echo true || echo false)" "$((SECONDS - start))" "$STEPS_JSON" >"$REPORTS/check.json"
if [ -n "$FAILED_STEPS" ]; then
  echo "make check failed:$FAILED_STEPS" >&2
  exit 1
fi
echo "make check passed ($((SECONDS - start)) s)"
