# Two commands do all the set-up on a fresh machine: `make demo` (the main job) and `make test` (its tests).
.PHONY: demo test setup check bench clean help

help: ## what there is
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-6s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## install what is needed: dependencies, a sandbox driver, the bundles that run inside sandboxes
	@scripts/setup.sh

demo: setup ## run a real task in a real sandbox and end with a pull request
	@scripts/demo.sh

test: setup ## format, lint, types and every test; closes with "N passed, N failed, N skipped"
	@scripts/test.sh

check: setup ## format, lint and types only
	@scripts/check.sh

bench: setup ## the benchmarks, written to bench/results/
	@npm run --silent bench

clean: ## remove what was installed or built in this checkout (never the data directory)
	rm -rf node_modules packages/*/node_modules packages/*/dist
