#!/usr/bin/env bash
# The official MCP conformance suite and the MCP Inspector under target/tools/conformance, and at target/tools/bin/node22
# the Node they ask for (22.19 or later), whose binary is a package of the same lock file.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
. "$HERE/node.sh"

MODULES="$TOOLS/conformance"
NODE22="$BIN/node22"
SUITE=@modelcontextprotocol/conformance

runs() { "$NODE22" --version 2>/dev/null | grep -q '^v22\.'; }

installed conformance "$MODULES" "$SUITE/dist/index.js" && runs && exit 0
install_locked conformance "$MODULES"
for binary in "$MODULES"/node_modules/node-linux-*/bin/node; do ln -sf "$binary" "$NODE22"; done
runs || fail "no Node 22 for this machine among the packages: the conformance suite runs on Linux on x64 and arm64"
say "MCP conformance suite $(sed -n 's/.*"version": "\([^"]*\)".*/\1/p' "$MODULES/node_modules/$SUITE/package.json" | head -n 1) on Node $("$NODE22" --version)"
