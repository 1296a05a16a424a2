# Everything is set up in .venv, from nothing, by whichever target needs it first; nothing else on the machine is touched.

VENV := .venv
BIN  := $(VENV)/bin
# The first interpreter on the path that is new enough; `make demo PYTHON=/opt/python3.12/bin/python3` chooses another.
PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11; do \
	"$$p" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 && { command -v "$$p"; break; }; done)
INSTALL = $(BIN)/python -m pip install --disable-pip-version-check -c constraints.txt -e
ARGS ?=
# Checks that need no more than one core run side by side. Targets that are named together, `make clean test`, do not.
ifeq ($(words $(MAKECMDGOALS)),1)
MAKEFLAGS += --jobs=2
endif
# Tests run in one process more than there are cores, four at most; a file stays in one, whose fixtures it shares.
SPREAD = -n auto --maxprocesses 4 --dist loadfile

# Stamps: what was installed, as of these two files. Installing for development or benchmarks covers the worker as well.
WORKER := $(VENV)/.installed-worker
DEV    := $(VENV)/.installed-dev
BENCH  := $(VENV)/.installed-bench

.DEFAULT_GOAL := help
.PHONY: help demo serve test coverage lint format openapi chaos bench clean
.PHONY: lint-style lint-types lint-imports lint-openapi lint-docs machine-code

help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(WORKER) ## start the service, train on real data, print the convergence table, stop
	@$(BIN)/deeplimit demo $(ARGS)

serve: $(WORKER) ## run the service on http://127.0.0.1:8000 (ARGS="--port 9000 --workers 2")
	@$(BIN)/deeplimit serve $(ARGS)

test: machine-code lint ## every check: lint, types, imports, OpenAPI, docs, tests (ARGS="-k moons")
	$(BIN)/python -m pytest $(SPREAD) $(ARGS)

coverage: machine-code ## the tests once more, with what they leave out (ARGS="tests/jobs")
	$(BIN)/python -m pytest $(SPREAD) --cov --cov-report=term:skip-covered $(ARGS)

lint: lint-style lint-types lint-imports lint-openapi lint-docs ## what needs no running service: ruff, mypy, import-linter, openapi.json up to date, docs

lint-style: $(DEV)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

lint-types: $(DEV)
	$(BIN)/mypy

lint-imports: $(DEV)
	$(BIN)/lint-imports

lint-openapi: $(DEV)
	$(BIN)/python -m service.api.write_openapi --check

lint-docs: $(DEV)
	$(BIN)/sphinx-build --fail-on-warning --keep-going --quiet -c docs . build/docs

# Tests would otherwise wait for it, each process by itself.
machine-code: $(DEV)
	@$(BIN)/python -m tests.support.project.compiled

format: $(DEV) ## rewrite the sources as ruff would have them
	$(BIN)/ruff check --fix-only .
	$(BIN)/ruff format .

openapi: $(DEV) ## write openapi/openapi.json from the code
	$(BIN)/python -m service.api.write_openapi

chaos: $(DEV) ## kill, stop and starve the real service, and audit what is left (ARGS="--seeds 3 --seconds 60")
	@OMP_NUM_THREADS=1 $(BIN)/python -m tests.chaos $(ARGS)

bench: $(BENCH) ## speed against what users would pick instead, printed and written (ARGS="--quick training")
	@OMP_NUM_THREADS=1 $(BIN)/python -m benchmarks.speed $(ARGS)

clean: ## remove .venv, caches and build output; the data directory stays
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .coverage htmlcov
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed; install it, or name it: make PYTHON=/path/to/python3" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(WORKER): pyproject.toml constraints.txt | $(BIN)/python
	$(INSTALL) ".[worker]"
	@touch $@

$(DEV): pyproject.toml constraints.txt | $(BIN)/python
	$(INSTALL) ".[worker,dev]"
	@touch $(WORKER) $@

$(BENCH): pyproject.toml constraints.txt | $(BIN)/python
	$(INSTALL) ".[bench]"
	@touch $(WORKER) $@
