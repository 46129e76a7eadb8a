# Every chore of this repository. CI calls only these targets.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.PHONY: help check test conformance report-tools demo e2e fuzz bench chart tools fmt

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

check: ## Format, lints, docs, layout rules, dependencies, scripts, images, workflows; warnings are errors
	@bash tests/tools/run-check.sh

test: ## Install what is missing, then unit, integration and real-client tests
	@bash tests/tools/run-tests.sh

conformance: ## The official MCP conformance suite alone, as `make test` runs it among the others
	@bash tests/tools/run-conformance.sh

report-tools: ## What the tools cost an agent, in bytes, beside the official server
	cargo build --locked -p mcp-edge-proxy -p plane-mcp-adapter -p stack --bins
	@"$${CARGO_TARGET_DIR:-target}/debug/report-tools"

demo: ## Start the whole thing on this machine and sign a client in (ONCE=1: exit after it)
	cargo build --locked -p mcp-edge-proxy -p plane-mcp-adapter -p stack --bins
	@# Run as built: a cargo run of one package would choose other features and build again.
	"$${CARGO_TARGET_DIR:-target}/debug/demo" $(if $(filter 1,$(ONCE)),--once)

e2e: ## Install real Traefik, oauth2-proxy and an OpenID provider, and test the whole chain with real clients
	@bash tests/tools/run-e2e.sh

fuzz: ## Fuzz what strangers send, each target for FUZZ_SECONDS (60)
	@bash tests/tools/run-fuzz.sh

bench: ## Measure throughput and latency (not built yet)
	@echo "make bench: not built yet; no benchmark exists." >&2; exit 2

chart: ## Lint the Helm chart, and test what it renders with a real Kubernetes API, Helm, Traefik and our programs
	@bash tests/tools/run-chart.sh

tools: ## Install every tool under target/tools without running anything
	@bash tests/tools/install.sh valkey python mcp-remote fastmcp chromium conformance traefik oauth2-proxy provider cargo-deny linters helm chart-tests crds kubernetes docs-tests collector

fmt: ## Format the Rust sources
	cargo fmt --all
