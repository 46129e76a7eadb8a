#!/usr/bin/env bash
# A virtual environment with what tests/chart needs at target/tools/chart.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

WANTED="$ROOT/tests/chart/requirements.txt"
VENV="$TOOLS/chart"
STAMP="$VENV/.requirements"
if [ -x "$VENV/bin/python" ] && cmp -s "$WANTED" "$STAMP"; then exit 0; fi

command -v python3 >/dev/null || apt_install python3 python3-venv || fail "no python3: install python3 and python3-venv (3.11 or later)"
python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' || fail "python3 is older than 3.11, which the chart's tests need"
command -v openssl >/dev/null || apt_install openssl || fail "no openssl: install openssl, for the certificates of the chart's tests"
command -v curl >/dev/null || apt_install curl || fail "no curl: install curl, which \`helm test\` runs"
rm -rf "$VENV"
log="$TOOLS/chart.log"
if ! python3 -m venv "$VENV" >"$log" 2>&1; then
  rm -rf "$VENV"
  apt_install python3-venv && python3 -m venv "$VENV" >>"$log" 2>&1 ||
    fail "python3 cannot make a virtual environment: install python3-venv"
fi
"$VENV/bin/pip" install -q --disable-pip-version-check --require-hashes -r "$WANTED" >>"$log" 2>&1 ||
  fail "pip could not install tests/chart/requirements.txt (see $log)"
cp "$WANTED" "$STAMP"
say "chart tests: kubernetes-validate $("$VENV/bin/python" -c 'import importlib.metadata as m; print(m.version("kubernetes-validate"))')"
