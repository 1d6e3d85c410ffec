# rehabcast: `make demo` and `make test` are all a newcomer needs. Everything runs in .venv.
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
TORCH := $(shell sed -n 's/^ *"\(torch==.*\)",/\1/p' pyproject.toml)
COHORT ?=
NAME ?= *
COUNT ?= 400
SEED ?= 0
CHANGED ?=
AGAIN ?=

.DEFAULT_GOAL := help
.PHONY: help setup lock demo serve test lint bench soak stories docs coverage mutants sbom audit-dependencies licences clean

help:  ## List the targets
	@grep -E '^[a-z-]+:.*##' Makefile | sed 's/:.*## /\t/' | expand -t 20

# torch is installed first, by itself: a CPU or a CUDA build, depending on the machine. The rest is
# locked by hash and installed without the resolver, so nothing can replace torch.
$(VENV)/.ready: requirements.lock pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet $(TORCH)
	$(BIN)/python -m pip install --quiet --no-deps --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation -e .
	$(BIN)/python -m pip check
	touch $@

setup: $(VENV)/.ready  ## Create .venv with the locked requirements

COMPILE := $(BIN)/pip-compile --quiet --generate-hashes --no-allow-unsafe --strip-extras --unsafe-package torch \
    --no-emit-index-url --no-emit-find-links --no-header --pip-args '--only-binary :all:'

# The second is for images: the same versions, without the tools of development and the extras.
lock: $(VENV)/.ready  ## Update requirements.lock and deploy/requirements.lock from pyproject.toml
	$(COMPILE) --extra dev --extra signals --extra scale --output-file requirements.lock pyproject.toml
	$(COMPILE) --constraint requirements.lock --output-file deploy/requirements.lock pyproject.toml

demo: setup  ## Every step once: cohort, training, audit, promotion, one forecast (COHORT=PATH for your own)
	$(BIN)/rehabcast demo $(if $(COHORT),--cohort $(COHORT))

serve: setup  ## Serve the champion on 127.0.0.1:3000, with a development token
	$(BIN)/rehabcast serve --development

# A file's tests stay together, so that what they share is made once.
test: setup  ## Run the tests, on up to four cores
	$(BIN)/python -m pytest -q -n auto --maxprocesses 4 --dist loadfile

lint: setup  ## Check style, types and import contracts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: setup  ## Run the benchmarks (NAME=forecast for only one)
	set -e; for script in benchmarks/$(NAME).py; do $(BIN)/python $$script; done

soak: setup  ## Run the long tests: crashes, races, flipped bytes, gate mutants, the auditor itself
	$(BIN)/python -m pytest -q -m soak

stories: setup  ## Ask models of simulated and of real people about the patients of tests/stories
	$(BIN)/python -m pytest -q -m "soak or not soak" tests/stories

docs: setup  ## Build the pages of docs/ and the Python API into build/site; a broken link fails
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict

# Only what passes between packages and what trainer and service share: pyproject.toml says why not the rest.
coverage: setup  ## Measure branch coverage of contracts, stores and inference; fails below the floor of pyproject.toml
	$(BIN)/python -m pytest -q -n auto --maxprocesses 4 --dist loadfile --cov --cov-report=term:skip-covered \
	    $(addprefix tests/,contracts stores inference)

mutants: setup  ## Mutation testing of service and ledger (COUNT=400, SEED=0, CHANGED=origin/main, AGAIN=1)
	$(BIN)/python benchmarks/mutants.py --count $(COUNT) --seed $(SEED) $(if $(CHANGED),--changed $(CHANGED)) $(if $(AGAIN),--again)

# Under another name until it is whole: the list of an earlier run is no list of this one.
sbom: setup  ## Write the bills of materials (CycloneDX) of .venv and of an image to build/
	mkdir -p build
	rm -f build/sbom.json build/sbom-image.json
	SOURCE_DATE_EPOCH=$$(git log -1 --format=%ct) $(BIN)/cyclonedx-py environment $(BIN)/python \
	    --pyproject pyproject.toml --output-reproducible --of JSON --output-file build/.sbom.json
	mv build/.sbom.json build/sbom.json
	test -s deploy/requirements.lock
	(echo "$(TORCH)"; cat deploy/requirements.lock) | $(BIN)/cyclonedx-py requirements --pyproject pyproject.toml \
	    --output-reproducible --of JSON --output-file build/.sbom-image.json -
	mv build/.sbom-image.json build/sbom-image.json

audit-dependencies: setup  ## Look the packages of .venv up in advisories; fails where one was not looked up
	$(BIN)/python deploy/advisories.py

licences: setup  ## Compare the licences of the packages of .venv with those allowed (deploy/licences.toml)
	$(BIN)/python deploy/licences.py

clean:  ## Remove .venv and caches, but not mlruns/
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis
