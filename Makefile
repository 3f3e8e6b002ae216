# SPDX-License-Identifier: Apache-2.0
# Every target sets up what it needs: Python 3.10 or newer and make are enough to start.

PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
# Two workers or more; a fixture that many tests share is made once by each.
PYTEST_ARGS ?= -q -n auto --dist worksteal

.DEFAULT_GOAL := help
# For make profile: the os-release of a guest.
OS_RELEASE ?=
# For make playbook: what `ansible-galaxy collection install nutanix.ncp -p DIR` was given.
COLLECTIONS ?=
# The oldest dependencies are offered for the oldest Python.
PYTHON_MIN ?= $(firstword $(wildcard $(or $(PYENV_ROOT),$(HOME)/.pyenv)/versions/3.10.*/bin/python) python3.10)
# Which mutants, such as 'ngtpatch.installer.predicate*', or how many: '--sample 400'. All take hours.
MUTANTS ?=
# Which promises, such as 'ledger' 'a VM': a part of their titles.
WORDS ?=
# What test-min runs: all, or a part of it.
MIN_TESTS ?= tests

# Of make reliability: which sections (all of them), and how much of each.
SECTIONS ?=
SCALE ?= 1.0
# Any word: add to what earlier runs found, instead of replacing it.
MORE ?=

.PHONY: help demo demo-packer profile test test-min test-new test-kernel fuzz flips faults stores pushes reliability playbook pages promises mutation lint bench docs man locks audit dist zipapp zipapp-check wheelhouse clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(VENV)/installed ## From a refused distribution to an accepted one, on a sample ISO
	@$(BIN)/python scripts/demo.py

demo-packer: $(VENV)/dev ## NGT in two Packer builds that run here
	@if ! command -v packer >/dev/null && command -v apt-get >/dev/null && [ "$$(id -u)" = 0 ]; then \
	  apt-get update -qq && apt-get install -y -qq --no-install-recommends \
	    packer openssh-server openssh-client libarchive-tools dmidecode >/dev/null; fi
	@$(BIN)/python scripts/demo_packer.py

profile: $(VENV)/installed ## A distribution into the tree, from OS_RELEASE=FILE
	@$(BIN)/python -m scripts.add_profile "$(OS_RELEASE)"

test: $(VENV)/dev ## Run the tests
	@# Hundreds of tests start the program anew: compiled once, also where Python is told not to.
	@$(BIN)/python -m compileall -q -x sample/sources ngtpatch
	@# Told PYTEST_ARGS of one's own, it is a part of them perhaps, and has not every code.
	@$(BIN)/python -m pytest $(PYTEST_ARGS) $(if $(filter file,$(origin PYTEST_ARGS)),--every-code)

test-min: $(VENV)-min/installed ## Run the tests on the oldest dependencies that are allowed
	@# Releases of 2023 use what newer ones deprecate: no failure of ours.
	@$(VENV)-min/bin/python -m pytest $(PYTEST_ARGS) -W ignore::DeprecationWarning $(MIN_TESTS)

test-new: $(VENV)-new/installed ## Run the tests on the newest dependencies, beyond locks/
	@$(VENV)-new/bin/python -m pytest $(PYTEST_ARGS)

test-kernel: $(VENV)/dev ## Mount edited images by a real Linux (needs user-mode-linux)
	@NGTPATCH_TEST_KERNEL=1 $(BIN)/python -m pytest -q tests/kernel

mutation: $(VENV)/dev ## Mutants of what decides, and how many the tests catch
	@$(BIN)/python -m pip install -qq --disable-pip-version-check -e '.[mutation]'
	@$(BIN)/python -m scripts.mutation $(MUTANTS)

lint: $(VENV)/dev ## Check style and types
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

bench: $(VENV)/dev ## Measure against cp, pycdlib and xorriso in the same run
	@$(BIN)/python -m bench.images
	@$(BIN)/python -m bench.fleet
	@$(BIN)/python -m bench.shards
	@$(BIN)/python -m bench.elsewhere
	@$(BIN)/python -m bench.patching
	@$(BIN)/python -m bench.opening
	@$(BIN)/python -m bench.verifying
	@$(BIN)/python -m bench.payload
	@$(BIN)/python -m bench.reporting
	@$(BIN)/python -m bench.startup

fuzz: $(VENV)/dev ## Thousands of generated installers and damaged images
	@$(BIN)/python -m tests.fuzz.fuzz_installers --count 10000
	@$(BIN)/python -m tests.fuzz.fuzz_unseen --count 50000
	@$(BIN)/python -m tests.fuzz.fuzz_shapes --count 50000
	@$(BIN)/python -m tests.fuzz.fuzz_execution --count 20000
	@$(BIN)/python -m tests.fuzz.fuzz_execution --count 20000 --python 2.7
	@NGTPATCH_ATTACKS=all $(BIN)/python -m pytest -q tests/patching/test_attacks.py
	@$(BIN)/python -m tests.fuzz.fuzz_images --count 20000

flips: $(VENV)/dev ## Flip 5,000 bytes of written images; verify has to see each
	@$(BIN)/python -m tests.fuzz.flips --count 5000

faults: $(VENV)/dev ## Kill 300 runs over a fleet, and let every writing call of one fail (needs strace)
	@$(BIN)/python -m tests.fleet.kills --count 300
	@$(BIN)/python -m tests.fleet.faults

stores: $(VENV)/dev $(VENV)-swift/installed ## The tests of object stores against OpenStack Swift, some minutes
	@$(BIN)/python -m tests.fleet.swift_store --bin $(VENV)-swift/bin

pushes: $(VENV)/dev ## Push a fleet of 200 to a cluster that fails, and kill push at every change
	@NGTPATCH_TEST_PUSHED=200 $(BIN)/python -m pytest -q tests/prism_central/test_push.py tests/prism_central/test_hostile.py

promises: $(VENV)/dev ## Break each promise of docs/promises.md, or those with WORDS; its test has to fail
	@nice $(BIN)/python -m scripts.promises $(WORDS)

reliability: $(VENV)/dev ## Attack the promises and write docs/reliability.md (days; in pieces by SECTIONS="texts kills" SCALE=0.1 MORE=1)
	@$(BIN)/python -m tests.reliability $(addprefix --section=,$(SECTIONS)) --scale $(SCALE) $(if $(MORE),--more)

playbook: $(VENV)/dev ## The Ansible playbook by the real nutanix.ncp below COLLECTIONS=DIR
	@test -n "$(COLLECTIONS)" || { echo "make playbook COLLECTIONS=DIR, filled by: ansible-galaxy collection install nutanix.ncp -p DIR"; exit 2; }
	@NGTPATCH_TEST_COLLECTIONS="$(abspath $(COLLECTIONS))" $(BIN)/python -m pytest -q tests/prism_central/test_playbook.py

pages: $(VENV)/dev ## Run what the pages say of installing, in a checkout of its own (needs pipx, python3.12)
	@PIPX_HOME="$(abspath $(VENV))/pipx" PIPX_BIN_DIR="$(abspath $(VENV))/pipx/bin" \
	  pipx install 'uv>=0.6' >/dev/null
	@PATH="$$PATH:$(abspath $(VENV))/pipx/bin" NGTPATCH_TEST_PAGES=1 $(BIN)/python -m pytest -q tests/cli/test_pages.py -k in_a_checkout
	@$(BIN)/python -m tests.cli.pages

docs: man ## Build the documentation into docs/_build/html (its pictures need chromium), and the manual pages
	@$(BIN)/python -m scripts.screenshots docs/_screenshots
	@$(BIN)/sphinx-build -q -W -b html docs docs/_build/html
	@echo "docs/_build/html/index.html"

man: $(VENV)/dev ## Build the manual pages into docs/_build/man: man docs/_build/man/ngtpatch.1
	@$(BIN)/sphinx-build -q -W -t man -b man docs docs/_build/man

locks: $(VENV)/dev ## The newest releases that fit together into locks/, with the digests of their files
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --no-build-isolation -e '.[locks]'
	@$(BIN)/python -m scripts.locks

audit: $(VENV)/dev ## Ask whether an advisory speaks of a release in locks/
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --no-build-isolation -e '.[audit]'
	@$(BIN)/python -m scripts.audit

dist: man ## Build wheel and sdist twice into dist/, try the wheel away from the tree, and write its SBOM
	@$(BIN)/python scripts/build_twice.py
	@$(BIN)/twine check --strict dist/*.whl dist/*.tar.gz
	@$(BIN)/check-wheel-contents dist/*.whl
	@$(BIN)/python scripts/try_wheel.py dist/*.whl

zipapp: $(VENV)/dev ## Build dist/ngtpatch.pyz, one file for Python 3.10 to 3.14
	@$(BIN)/python scripts/zipapp.py

zipapp-check: zipapp ## Run it with each Python of this machine, also with one that is too old
	@$(BIN)/python -m scripts.try_zipapp

wheelhouse: $(VENV)/dev ## Wheels for a host without a network, into dist/wheelhouse
	@$(BIN)/python scripts/zipapp.py --wheelhouse dist/wheelhouse

clean: ## Remove what the other targets made
	rm -rf $(VENV) $(VENV)-min $(VENV)-new $(VENV)-swift .demo build dist docs/_build docs/_screenshots mutants mutants.log .pytest_cache .mypy_cache .ruff_cache .hypothesis

# The stamps: pip runs again only when the dependencies change.
$(VENV)/installed: pyproject.toml
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Setting up $(VENV) (once) ..."
	@$(BIN)/python -m pip install -qq --disable-pip-version-check -e .
	@touch $@

# What develops ngtpatch is what locks/dev.txt names, file by file. No setup code of a dependency
# runs, but for that of pykickstart, which is offered as sources alone (and builds with the setuptools
# of the day).
$(VENV)/dev: pyproject.toml locks/dev.txt
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Setting up $(VENV) by locks/dev.txt (once) ..."
	@$(BIN)/python -m pip install -qq --disable-pip-version-check \
	  --require-hashes --only-binary :all: --no-binary pykickstart -r locks/dev.txt
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $(VENV)/installed $@

$(VENV)-new/installed: pyproject.toml
	@test -x $(VENV)-new/bin/python || $(PYTHON) -m venv $(VENV)-new
	@$(VENV)-new/bin/python -m pip install -qq --disable-pip-version-check -U -e '.[dev]'
	@touch $@

$(VENV)-min/installed: pyproject.toml tests/constraints-min.txt
	@test -x $(VENV)-min/bin/python || $(PYTHON_MIN) -m venv $(VENV)-min
	@$(VENV)-min/bin/python -m pip install -qq --disable-pip-version-check \
	  -c tests/constraints-min.txt -e '.[dev]'
	@touch $@

# In an environment of its own: none of it is ngtpatch's.
$(VENV)-swift/installed:
	@$(PYTHON) -m venv $(VENV)-swift
	@echo "Setting up $(VENV)-swift (once) ..."
	@$(VENV)-swift/bin/python -m pip install -qq --disable-pip-version-check 'swift>=2.35' setuptools
	@touch $@
