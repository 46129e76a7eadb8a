# shellcheck shell=bash
# Sourced after lib.sh: where the conformance tests find the suite, the Inspector and their Node.
export NODE22="$BIN/node22"
export MCP_CONFORMANCE="$TOOLS/conformance/node_modules/@modelcontextprotocol/conformance/dist/index.js"
export MCP_INSPECTOR="$TOOLS/conformance/node_modules/@modelcontextprotocol/inspector/clients/launcher/build/index.js"
