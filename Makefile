# The few verbs a person types. Compiled code and caches live outside the clone: see .ci/env.
export BERTH_CACHE ?= $(HOME)/.cache/berth
export CARGO_TARGET_DIR ?= $(BERTH_CACHE)/target
export PATH := $(BERTH_CACHE)/tools/bin:$(PATH)

.PHONY: run demo stop test check bench build bundle
.DEFAULT_GOAL := run

run: ## starts Berth here: console on http://127.0.0.1:8080, edge on port 8000, data in ./data
	.ci/setup demo && .ci/bundle/build && cargo run -q --locked -p server -- serve

demo: ## pushes a sample service four times, shows what Berth makes of it, and stays up
	.ci/setup demo && .ci/bundle/build && cargo build -q --locked -p server && .ci/demo/demo

stop: ## stops what `make demo` left running
	.ci/demo/stop

test: ## every test: both databases, a real engine, the real git, Chromium
	.ci/setup test && .ci/bundle/build && .ci/test

check: ## formatting, lints, licences; no test
	.ci/setup check && .ci/check

bench: ## what Berth costs here, as a table; some rows of it: ROWS="hot 3"
	cargo bench -q --locked --profile release -p server --bench bench -- $(ROWS)

build: ## the program for a server: $CARGO_TARGET_DIR/release/berth
	.ci/setup demo && .ci/bundle/build && cargo build --locked --release -p server

bundle: ## what the browser gets
	.ci/bundle/build
