#!/usr/bin/env bash
# A virtual environment with FastMCP, one of the clients of the end-to-end tests, at target/tools/fastmcp: it and the other Python
# tools would each ask for versions that the other does not take.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

VENV="$TOOLS/fastmcp"
STAMP="$VENV/.requirements"
if [ -x "$VENV/bin/python" ] && cmp -s "$HERE/requirements-fastmcp.txt" "$STAMP"; then exit 0; fi

command -v python3 >/dev/null || apt_install python3 python3-venv ||
  fail "no python3: install python3 and python3-venv (3.11 or later)"
rm -rf "$VENV"
log="$TOOLS/fastmcp.log"
if ! python3 -m venv "$VENV" >"$log" 2>&1; then
  rm -rf "$VENV"
  apt_install python3-venv && python3 -m venv "$VENV" >>"$log" 2>&1 ||
    fail "python3 cannot make a virtual environment: install python3-venv"
fi
"$VENV/bin/pip" install -q --disable-pip-version-check --require-hashes -r "$HERE/requirements-fastmcp.txt" >>"$log" 2>&1 ||
  fail "pip could not install tests/tools/requirements-fastmcp.txt (see $log)"
cp "$HERE/requirements-fastmcp.txt" "$STAMP"
say "Python client: fastmcp $("$VENV/bin/python" -c 'import importlib.metadata as m; print(m.version("fastmcp"))')"
