#!/usr/bin/env bash
# mcp-remote at target/tools/node/node_modules/mcp-remote, and a Node that can run it at target/tools/bin/node.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
. "$HERE/node.sh"

MODULES="$TOOLS/node"
installed mcp-remote "$MODULES" mcp-remote/dist/proxy.js && exit 0
install_locked mcp-remote "$MODULES"
say "mcp-remote $(sed -n 's/.*"version": "\([^"]*\)".*/\1/p' "$MODULES/node_modules/mcp-remote/package.json" | head -n 1)"
