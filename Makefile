# make atlas · make publish · make test · make lint · make bench · make mutate — each makes the environment from requirements.lock on first use.

PYTHON ?= python3
CORES ?= all
BIN := .venv/bin
# The scripts beside it begin with this folder's name, which the system cannot read in every spelling.
RUN := $(BIN)/python -P -m

.PHONY: atlas publish test lint format bench mutate

atlas: .venv/ready
	$(RUN) snakemake --cores $(CORES) --config studies=tour
	@echo "open results/atlas/index.html; these are ten studies, all of them: $(BIN)/snakemake --cores $(CORES)"

publish: .venv/ready
	$(RUN) dlatlas publish

test: .venv/ready lint
	$(BIN)/python -m pytest

lint: .venv/ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(RUN) snakefmt --check Snakefile workflow
	$(BIN)/python workflow/lint.py

bench: .venv/ready
	$(BIN)/python workflow/bench

mutate: .venv/ready
	$(BIN)/python workflow/mutate.py

format: .venv/ready
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(RUN) snakefmt Snakefile workflow

.venv/ready: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or newer is needed; found $$($(PYTHON) --version). Try: make PYTHON=python3.12"; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --requirement requirements.lock
	$(BIN)/python -m pip install --quiet --no-deps --editable .
	touch $@

