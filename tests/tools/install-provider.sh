#!/usr/bin/env bash
# The OpenID provider of the end-to-end tests (tests/e2e/provider.mjs) with oidc-provider, at target/tools/provider.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
. "$HERE/node.sh"

MODULES="$TOOLS/provider"
if ! installed provider "$MODULES" oidc-provider/package.json; then
  install_locked provider "$MODULES"
  say "oidc-provider $(sed -n 's/.*"version": "\([^"]*\)".*/\1/p' "$MODULES/node_modules/oidc-provider/package.json" | head -n 1)"
fi
# It finds its modules beside itself.
cp "$ROOT/tests/e2e/provider.mjs" "$MODULES/provider.mjs"
