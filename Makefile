# The whole of the set-up is in these targets: a fresh Debian machine needs cargo, git and root, and
# nothing else.
.DEFAULT_GOAL := help
.PHONY: help demo test test-versions build lint bench

help: ## List these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: ## Back up, list, restore and compare a small SQLite database
	@scripts/demo

test: ## Set up real servers and remotes, and run every test against them
	@scripts/test

test-versions: test ## Further versions: PostgreSQL 17, MariaDB 11.8
	@scripts/setup versions
	@scripts/test --package dbstash-cli --test e2e -- --ignored

build: ## Build the release binaries: target/release/dbstash, and dbstash-mongo beside it
	cargo build --release --package dbstash-cli --package dbstash-mongo

lint: ## Format, lints, documentation, licences, advisories and scripts
	@scripts/lint

bench: ## Measure speed, CPU and memory against the bare shell pipe
	@scripts/bench
