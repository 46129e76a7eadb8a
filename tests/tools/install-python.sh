#!/usr/bin/env bash
# A virtual environment with the official MCP SDK at target/tools/python.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

VENV="$TOOLS/python"
STAMP="$VENV/.requirements"
if [ -x "$VENV/bin/python" ] && cmp -s "$HERE/requirements.txt" "$STAMP"; then exit 0; fi

command -v python3 >/dev/null || apt_install python3 python3-venv ||
  fail "no python3: install python3 and python3-venv (3.11 or later)"
python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
  fail "python3 is older than 3.11, which what it pulls needs: install a newer one"
rm -rf "$VENV"
log="$TOOLS/python.log"
if ! python3 -m venv "$VENV" >"$log" 2>&1; then
  rm -rf "$VENV"
  apt_install python3-venv && python3 -m venv "$VENV" >>"$log" 2>&1 ||
    fail "python3 cannot make a virtual environment: install python3-venv"
fi
"$VENV/bin/pip" install -q --disable-pip-version-check --require-hashes -r "$HERE/requirements.txt" >>"$log" 2>&1 ||
  fail "pip could not install tests/tools/requirements.txt (see $log)"
cp "$HERE/requirements.txt" "$STAMP"
say "Python client: mcp $("$VENV/bin/python" -c 'import importlib.metadata as m; print(m.version("mcp"))')"
