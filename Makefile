# Everything a newcomer types: `make run` and `make test`. The rest is in `make help`.

PYTHON ?= python3
VENV ?= .venv
CONFIG ?= config/alertd.yml
N ?= 20
CASES ?= 100
SECONDS ?= 60
# One worker more than cores, for many a test waits; four at most.
JOBS ?= $(shell n=$$(( $$(nproc 2>/dev/null || echo 2) + 1 )); [ "$$n" -gt 4 ] && echo 4 || echo "$$n")
PYTEST_ARGS ?=

BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
MADE := $(VENV)/.made
RUN_READY := $(VENV)/.ready-run
DEV_READY := $(VENV)/.ready-dev

# The daemon and the tests start hundreds of processes that import the same modules: compiled once, each starts in half the time.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help setup run test lint unit torture fuzz bench renderings lock clean

help: ## Show this list
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1\t\2/p' $(firstword $(MAKEFILE_LIST)) | expand -t 18

setup: $(DEV_READY) ## Only set up: the virtual environment with everything that the tests need

run: $(RUN_READY) ## Set up if needed, then start the daemon here (CONFIG=config/alertd.yml)
	@exec $(BIN)/alertd run --config $(CONFIG)

test: lint unit ## Set up if needed, then check and test everything (PYTEST_ARGS=...)

lint: $(DEV_READY) ## The quick checks: ruff, import layers, types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports --no-cache
	$(BIN)/mypy

unit: $(DEV_READY)
	$(BIN)/python -m pytest -n $(JOBS) --dist worksteal $(PYTEST_ARGS)

torture: $(DEV_READY) ## Kill the daemon N times under load and count what arrives (N=20)
	$(BIN)/python -m tests.torture $(N)

fuzz: $(DEV_READY) ## Make up other examples than the tests do, and many more requests and bodies (CASES=100 SECONDS=60)
	FUZZ_CASES=$(CASES) $(BIN)/python -m pytest -n $(JOBS) tests/integration/test_openapi_fuzz.py
	FUZZ_CASES=$(CASES) $(BIN)/python -m pytest -n $(JOBS) -m hypothesis
	@test -d $(VENV)/fuzzing || $(PIP) install --target $(VENV)/fuzzing 'atheris>=3'
	PYTHONPATH=$(VENV)/fuzzing $(BIN)/python -m tests.fuzzing $(SECONDS)

bench: $(DEV_READY) ## Measure, print a table, write JSON (see benchmarks/README.md)
	$(BIN)/python -m benchmarks $(BENCH_ARGS)

renderings: $(DEV_READY) ## Write docs/renderings anew: what each destination type makes of the same alerts
	$(BIN)/python -m tests.renderings

LOCK := -m uv pip compile pyproject.toml - --universal --python-version 3.11 --generate-hashes --quiet --no-header --no-annotate

lock: $(DEV_READY) ## Write requirements.lock and requirements-dev.lock anew from pyproject.toml (UPGRADE=--upgrade)
	@$(BIN)/python -m uv --version >/dev/null 2>&1 || $(PIP) install uv
	echo 'setuptools>=77' | $(BIN)/python $(LOCK) $(UPGRADE) -o requirements.lock
	echo 'setuptools>=77' | $(BIN)/python $(LOCK) $(UPGRADE) --extra dev -c requirements.lock -o requirements-dev.lock

clean: ## Remove what was built here: the virtual environment, caches, results (state/ stays)
	rm -rf $(VENV) build dist alertd.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The lock files hold every dependency with its hashes, and setuptools to build alertd itself without a download.

$(MADE):
	@command -v $(PYTHON) >/dev/null || { echo "make: there is no $(PYTHON); say which Python to use: make PYTHON=/path/to/python3.11" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "make: alertd needs Python 3.11 or later, and $(PYTHON) is $$($(PYTHON) -V 2>&1); say which one to use: make PYTHON=python3.11" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo "make: $(PYTHON) cannot make virtual environments; on Debian and Ubuntu: apt install python3-venv" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	@touch $@

$(RUN_READY): requirements.lock pyproject.toml | $(MADE)
	$(PIP) install --require-hashes -r requirements.lock
	$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

$(DEV_READY): requirements-dev.lock pyproject.toml | $(MADE)
	$(PIP) install --require-hashes -r requirements-dev.lock
	$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@ $(RUN_READY)
