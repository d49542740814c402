# The index of commands: `make` prints this list. Every target works on a fresh checkout.
SHELL := /bin/bash
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
export UV_PYTHON_DOWNLOADS := never
# Where it is set, every test run compiles all of the sources again.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: bench-load browser cluster core demo down e2e format heal help lint load lock mutation nightly proof test unit

bench-load: $(READY)  ## our streaming client beside its peers, into docs/benchmarks.md (25 min, on a quiet machine)
	$(BIN)/python bench/run.py

browser: $(READY)  ## every page in a real Chromium: widths, light and dark, no request, axe-core (2 min)
	@command -v chromium > /dev/null || { [ "$$(id -u)" = 0 ] && apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium fonts-dejavu-core; } || { echo "the pages are tried in a browser: install chromium"; exit 5; }
	@command -v npm > /dev/null || { [ "$$(id -u)" = 0 ] && apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends npm; } || { echo "axe-core comes by npm: install npm"; exit 5; }
	npm ci --silent --no-audit --no-fund --prefix tests/browser
	$(BIN)/pytest -m browser

cluster: $(READY)  ## make the kind cluster (18 min the first time, 90 s from the cache, at once when it stands)
	$(BIN)/sealegs cluster up

core: cluster  ## the part of e2e and proof that CI runs: each family of faults, a few claims, runs that must not pass (25 min)
	$(BIN)/pytest -m core --capture=no

demo: cluster  ## drain a GPU node under real chat traffic and print the verdict (5 min on a standing cluster)
	$(BIN)/sealegs run scenarios/gpu-node-drain.toml

down: $(READY)  ## delete the cluster; the cache of built things stays
	$(BIN)/sealegs cluster down

e2e: cluster  ## every claim about the stack, on the real cluster (an hour and a quarter)
	$(BIN)/pytest -m e2e --capture=no

format: $(READY)  ## let ruff rewrite what it can
	$(BIN)/ruff format
	$(BIN)/ruff check --fix

heal: $(READY)  ## undo what a killed run left behind
	$(BIN)/sealegs heal

help:  ## this list
	@echo "make TARGET, where TARGET is one of:"
	@sed -n 's/^\([a-z0-9-]*\):.*  ## \(.*\)/\1|\2/p' Makefile | while IFS='|' read -r name what; do printf '  %-10s  %s\n' "$$name" "$$what"; done

lint: $(READY)  ## ruff and mypy
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy

load: $(READY)  ## real processes on loopback, and verdicts over simulated runs (4 min)
	$(BIN)/pytest -m "load or simulation" --numprocesses 2 --dist loadfile

lock: $(READY)  ## pin requirements.lock anew from pyproject.toml
	$(BIN)/python -m pip install --quiet uv
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-annotate --no-header --group dev pyproject.toml -o requirements.lock

mutation: $(READY)  ## change the judge in hundreds of small ways, and see its tests notice each (3 min)
	$(BIN)/python -m tests.mutation.measure

nightly: cluster  ## every scenario, the negative controls and every mutant, and the night's page (three hours and a half)
	$(BIN)/sealegs nightly run

proof: cluster  ## the suite itself, on the real cluster: each fault lands and goes, each planted defect is found (hours)
	$(BIN)/pytest -m proof --capture=no

test: lint unit browser load core  ## what CI runs (an hour cold, 33 min from the cache)

unit: $(READY)  ## unit and golden tests (a minute)
	$(BIN)/pytest -m "not e2e and not proof and not load and not simulation and not browser" --numprocesses 2 --dist worksteal

$(READY): requirements.lock pyproject.toml
	@echo "sealegs: making $(VENV) with the pinned packages (about a minute)"
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "sealegs needs Python 3.11 or newer; name one with PYTHON=…"; exit 5; }
	@$(PYTHON) -m venv $(VENV) || { echo "Python's venv module is missing; on Debian: apt-get install python3-venv"; exit 5; }
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@
