# SPDX-License-Identifier: Apache-2.0
# Every target sets up what it needs: Python 3.10 or newer and make are enough to start.

PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
PYTEST_ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help demo test lint bench docs fuzz clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(VENV)/installed ## From a refused distribution to an accepted one, on a sample ISO
	@$(BIN)/python scripts/demo.py

test: $(VENV)/installed ## Run the tests
	@$(BIN)/python -m pytest $(PYTEST_ARGS)

lint: $(VENV)/installed ## Check style and types
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

bench: $(VENV)/installed ## Measure against cp, pycdlib and xorriso in the same run
	@$(BIN)/python -m bench.images

fuzz: $(VENV)/installed ## Thousands of generated installers and damaged images
	@$(BIN)/python -m tests.fuzz.fuzz_installers --count 10000
	@$(BIN)/python -m tests.fuzz.fuzz_images --count 20000

docs: $(VENV)/docs ## Build the documentation into docs/_build/html
	@$(BIN)/sphinx-build -q -W -b html docs docs/_build/html
	@echo "docs/_build/html/index.html"

clean: ## Remove what the other targets made
	rm -rf $(VENV) .demo build dist docs/_build .pytest_cache .mypy_cache .ruff_cache .hypothesis

# The stamps: pip runs again only when the dependencies change.
$(VENV)/installed: pyproject.toml
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Setting up $(VENV) (once) ..."
	@$(BIN)/python -m pip install -qq --disable-pip-version-check -e '.[dev]'
	@touch $@

$(VENV)/docs: $(VENV)/installed
	@$(BIN)/python -m pip install -qq --disable-pip-version-check -e '.[docs]'
	@touch $@
