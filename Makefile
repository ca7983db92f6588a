# Each target does all of its own set-up: a fresh clone needs Python >= 3.11 and make, nothing else.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: demo test bench check format clean help

help:  ## Show this list
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/'

$(STAMP): setup.cfg setup.py pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit("flyllm needs Python 3.11 or newer, this is " + sys.version.split()[0] + "; try: make PYTHON=python3.12") if sys.version_info < (3, 11) else None'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade "pip>=24"
	$(BIN)/python -m pip install --quiet --editable ".[dev]"
	@touch $(STAMP)

demo: $(STAMP)  ## Ten simulated providers, a batch over all of them, one failing over, a stream, the bill
	$(BIN)/flyllm demo

test: $(STAMP)  ## The whole test suite
	$(BIN)/python -m pytest -n 6 --dist worksteal  # most of it waits: for timeouts, which no faster machine shortens

bench: $(STAMP)  ## What flyllm costs, beside the SDKs by hand and its promises: about an hour; ARGS=--quick: 15
	$(BIN)/python -m benchmarks $(ARGS)
	$(BIN)/python -m benchmarks.page

check: $(STAMP)  ## Lint, formatting, types, import contracts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(STAMP)  ## Format the code
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean:  ## Remove everything that can be made again
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
