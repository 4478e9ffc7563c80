# Everything a newcomer needs: `make demo` and `make test`. Each prepares .venv itself; nothing else is required than
# Python 3.11 or newer and make. PYTHON=/path/to/python chooses the interpreter that .venv is made with.

SHELL := /bin/sh
.DEFAULT_GOAL := help

VENV := .venv
BIN := $(VENV)/bin
NEXT := .venv-next
CONFIG ?= configs/demo.toml
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet

# The first of these that is 3.11 or newer; looked for only when .venv has to be made.
CANDIDATES := python3 python3.13 python3.12 python3.11 python
NEW_ENOUGH := -c 'import sys; sys.exit(sys.version_info < (3, 11))'
PYTHON ?= $(shell for python in $(CANDIDATES); do \
	if $$python $(NEW_ENOUGH) >/dev/null 2>&1; then echo $$python; break; fi; done)

.PHONY: help demo run test check bench faults duckdb clean base dev

help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: base ## a simulated trading day in under a minute: trade it, verify its journal, replay it, tell what happened
	@$(BIN)/tradingd demo

run: base ## the daemon in the foreground until Ctrl-C (CONFIG=configs/demo.toml)
	@$(BIN)/tradingd start -c $(CONFIG)

test: check ## set-up, make check, and every test, on all processors
	@$(BIN)/pytest --numprocesses=auto --dist=loadfile

check: dev ## lint, format, types and import contracts
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

bench: dev ## the benchmarks, with the machine they ran on
	@$(BIN)/python -m benchmarks

faults: dev ## every fault campaign in full, for hours: docs/reliability.md
	@$(BIN)/python tests/faults/campaign.py --all

duckdb: ## the journal's tests on DuckDB 2, in an environment of its own
	@test -x $(NEXT)/bin/python || $(PYTHON) -m venv $(NEXT)
	@$(NEXT)/bin/python -m pip --disable-pip-version-check --quiet install 'duckdb>=2,<3' --editable '.[dev]'
	@$(NEXT)/bin/python -m pytest -q tests/journal tests/faults/test_journal_kill.py tests/faults/test_damage.py tests/replay/test_golden.py

clean: ## remove .venv and everything built; journals stay
	rm -rf $(VENV) $(NEXT) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	find tradingd cli tests benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +

base: $(VENV)/.base
dev: $(VENV)/.dev

# A stamp is older than what it was made from only when the requirements changed.
$(VENV)/.base: pyproject.toml constraints.txt | $(BIN)/python
	@echo "installing tradingd into $(VENV)"
	@$(PIP) install --constraint constraints.txt --editable .
	@touch $@

$(VENV)/.dev: pyproject.toml constraints.txt | $(BIN)/python
	@echo "installing tradingd and its development tools into $(VENV)"
	@$(PIP) install --constraint constraints.txt --editable '.[dbn,dev]'
	@touch $(VENV)/.base $@

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "no Python 3.11 or newer found; name one: make PYTHON=/path/to/python3.11" >&2; exit 1; }
	@$(PYTHON) $(NEW_ENOUGH) || { echo "$(PYTHON) is not Python 3.11 or newer; name one: make PYTHON=/path/to/python3.11" >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); \
		echo "$(PYTHON) can not make a virtual environment; on Debian and Ubuntu: apt install python3-venv" >&2; exit 1; }
