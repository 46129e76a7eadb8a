#!/usr/bin/env bash
# oidc-provider for tests/e2e/provider/provider.mjs, at target/tools/provider; a Node that can run it comes with mcp-remote's.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

SOURCE="$ROOT/tests/e2e/provider"
TARGET="$TOOLS/provider"
[ -x "$BIN/node" ] || bash "$HERE/install-mcp-remote.sh"
mkdir -p "$TARGET"
# The program finds its modules beside itself.
cp "$SOURCE/provider.mjs" "$TARGET/"
if [ -d "$TARGET/node_modules/oidc-provider" ] && cmp -s "$SOURCE/package-lock.json" "$TARGET/package-lock.json"; then exit 0; fi
cp "$SOURCE/package.json" "$SOURCE/package-lock.json" "$TARGET/"
log="$TOOLS/provider.log"
if [ -f "$TOOLS/npm/bin/npm-cli.js" ]; then
  npm() { "$BIN/node" "$TOOLS/npm/bin/npm-cli.js" "$@"; }
fi
type npm >/dev/null 2>&1 || apt_install npm || fail "node is here but npm is not: install npm"
(cd "$TARGET" && npm ci --no-audit --no-fund >"$log" 2>&1) ||
  { rm -f "$TARGET/package-lock.json"; fail "npm could not install oidc-provider (see $log)"; }
say "oidc-provider $(sed -n 's/.*"version": "\([^"]*\)".*/\1/p' "$TARGET/node_modules/oidc-provider/package.json" | head -n 1)"
