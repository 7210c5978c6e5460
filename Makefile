# Every command works from a fresh clone: it creates what it needs first, and is quick the next time.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
LOCK := $(BIN)/pip-compile --quiet --generate-hashes --strip-extras --allow-unsafe \
	--no-emit-index-url --no-emit-find-links --no-emit-trusted-host --build-deps-for editable
MINUTES ?= 10
NATIVE := $(wildcard relay/native/*.[ch])
# Stamps live in the virtual environment, so that removing it forgets them too.
RUNTIME := $(VENV)/.runtime-installed
DEV := $(VENV)/.dev-installed

.PHONY: help run test test-quick check sanitize fuzz hostile soak chaos format lock bench screenshots clean

help: ## list these commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' Makefile

run: $(RUNTIME) ## start the relay and its web client; options: make run ARGS="--port 9000"
	@exec $(BIN)/rtp-relay serve $(ARGS)

test: $(DEV) ## run every test, those with real browsers too; options: make test ARGS="-k mute"
	@scripts/install-browsers
	@exec scripts/in-loopback-network $(BIN)/python -m pytest $(ARGS)

test-quick: $(DEV) ## run the tests that need no browser, without campaigns
	@exec scripts/in-loopback-network $(BIN)/python -m pytest --ignore=tests/browser \
		--ignore=tests/campaigns $(ARGS)

check: $(DEV) ## check format, lint, types and import rules
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

sanitize: $(DEV) ## run the C code's tests under sanitizers, and a fuzzer for 20 seconds
	@exec scripts/sanitize $(BIN)/python

fuzz: $(DEV) ## fuzz whatever meets the network; options: make fuzz MINUTES=10 ARGS="rtp stun"
	@exec scripts/in-loopback-network $(BIN)/python -m tests.fuzz --minutes $(MINUTES) $(ARGS)

hostile: $(DEV) ## attack a server while people talk; options: make hostile ARGS="--seconds 60"
	@exec scripts/in-loopback-network $(BIN)/python -m tests.campaigns.hostile $(ARGS)

soak: $(DEV) ## let people come and go for half an hour, or other: make soak ARGS=5
	@exec scripts/in-loopback-network $(BIN)/python -m tests.campaigns.soak $(ARGS)

chaos: $(DEV) ## real browsers on bad networks, and kills of the relay under load; prints three tables
	@scripts/install-browsers
	@scripts/in-loopback-network $(BIN)/python -m tests.campaigns.networks $(ARGS)
	@scripts/in-loopback-network $(BIN)/python -m tests.campaigns.networks --help-against-loss $(ARGS)
	@exec scripts/in-loopback-network $(BIN)/python -m tests.campaigns.restart

format: $(DEV) ## rewrite the source in the project's format
	$(BIN)/ruff check --select I --fix .
	$(BIN)/ruff format .

lock: $(DEV) ## lock the newest allowed version of every dependency
	$(LOCK) --upgrade --output-file requirements/runtime.txt pyproject.toml
	$(LOCK) --upgrade --extra dev --constraint requirements/runtime.txt \
		--output-file requirements/dev.txt pyproject.toml

bench: $(DEV) ## measure what forwarding costs; options: make bench ARGS="--json FILE --plot FILE"
	@exec $(BIN)/python -m benchmarks $(ARGS)

screenshots: $(DEV) ## make the pictures of docs/screenshots anew, from a real server; look at them afterwards
	@scripts/install-browsers
	@exec scripts/screenshots $(BIN)/python

clean: ## remove the virtual environment, caches and what tests left
	rm -rf $(VENV) *.egg-info relay/*.so build dist test-artifacts .coverage* .hypothesis
	rm -rf .mypy_cache .pytest_cache .ruff_cache .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(BIN)/python:
	@scripts/create-venv $(VENV)

$(RUNTIME): requirements/runtime.txt pyproject.toml $(NATIVE) | $(BIN)/python
	@echo "Installing the locked dependencies (requirements/runtime.txt)"
	@$(PIP) install --require-hashes --requirement requirements/runtime.txt
	@echo "Installing rtp-relay, with its native media plane where a compiler is there"
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@$(BIN)/python -c "import relay._native" 2>/dev/null || echo "The native media plane" \
		"could not be built (it needs gcc and Python's headers): media goes through plain Python"
	@touch $@

$(DEV): requirements/dev.txt $(RUNTIME)
	@echo "Installing the locked dependencies of tests and checks (requirements/dev.txt)"
	@$(PIP) install --require-hashes --requirement requirements/dev.txt
	@touch $@
