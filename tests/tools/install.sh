#!/usr/bin/env bash
# Installs the tools the tests need, pinned, under target/tools. Quick when they are there.
# Usage: install.sh [valkey] [python] [mcp-remote] [fastmcp] [chromium] [conformance] [cargo-deny] [linters] [helm]
#   [chart-tests] [crds] [kubernetes] [docs-tests] [collector]
# Default: what `make test` needs.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

[ $# -gt 0 ] || set -- valkey python mcp-remote chromium conformance prometheus
for tool in "$@"; do
  script="$HERE/install-$tool.sh"
  [ -f "$script" ] || fail "there is no tool called '$tool'"
  bash "$script"
done
