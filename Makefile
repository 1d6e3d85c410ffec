# rehabcast: `make demo` and `make test` are all a newcomer needs. Everything runs in .venv.
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
RUNTIME := .runtime
WHEELS := build/wheels
TORCH := $(shell sed -n 's/^ *"\(torch==.*\)",/\1/p' pyproject.toml)
COHORT ?=
NAME ?= *
COUNT ?= 400
SEED ?= 0
CHANGED ?=
AGAIN ?=

# Images set it. Here, where nothing is compiled by `make setup`, each process of a run, each command and each server
# would then compile all that it imports: 4.8 s of processor for a command instead of 1.4.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help setup lock runtime offline demo serve test test-fast lint bench screenshots soak stories docs coverage mutants sbom \
    audit-dependencies licences clean

help:  ## List the targets
	@grep -E '^[a-z-]+:.*##' Makefile | sed 's/:.*## /\t/' | expand -t 20

# torch is installed first, by itself: a CPU or a CUDA build, depending on the machine. The rest is
# locked by hash and installed without the resolver, so nothing can replace torch. What is never imported
# is never compiled: 27,000 files take a minute, and Python compiles the others when it first reads them.
$(VENV)/.ready: requirements.lock pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --no-compile $(TORCH)
	$(BIN)/python -m pip install --quiet --no-compile --no-deps --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation -e .
	$(BIN)/python -m pip check
	touch $@

setup: $(VENV)/.ready  ## Create .venv with the locked requirements

# The last two would only check addresses in other languages, for nobody here; yet jsonschema imports them where they
# are, and they build 38 parsers then: 1.4 s of processor in every command, 2.5 s in every process of the service.
COMPILE := $(BIN)/pip-compile --quiet --generate-hashes --no-allow-unsafe --strip-extras --unsafe-package torch \
    --unsafe-package rfc3987-syntax --unsafe-package lark \
    --no-emit-index-url --no-emit-find-links --no-header --pip-args '--only-binary :all:'

# pip-compile locks for the Python that runs it, and leaves the markers of pyproject.toml out.
# The others are for images, in the same versions: of the service, and of whoever trains and audits.
lock: $(VENV)/.ready  ## Update requirements.lock and the lock files of images (deploy/) from pyproject.toml
	$(COMPILE) --extra full --extra dev --extra signals --extra scale --output-file requirements.lock pyproject.toml
	sed -i.unmarked -E 's/^((agcounts|libcst|mutmut)==[^ ]+) /\1 ; python_version < "3.13" /' requirements.lock
	rm requirements.lock.unmarked
	$(COMPILE) --extra full --constraint requirements.lock --output-file deploy/requirements.lock pyproject.toml
	$(COMPILE) --constraint requirements.lock --output-file deploy/runtime.lock pyproject.toml

# What installs rehabcast itself is no requirement of the service: it is that of requirements.lock, since
# Python's own (a new environment of 3.11) is too old, and 3.12 and later bring none.
$(RUNTIME)/.ready: deploy/runtime.lock requirements.lock pyproject.toml
	test -x $(RUNTIME)/bin/python || $(PYTHON) -m venv $(RUNTIME)
	sed -n '/^setuptools==/,/^ *#/p' requirements.lock > $(RUNTIME)/setuptools.lock
	$(RUNTIME)/bin/python -m pip install --quiet --no-deps --require-hashes -r $(RUNTIME)/setuptools.lock
	$(RUNTIME)/bin/python -m pip install --quiet --no-deps --require-hashes -r deploy/runtime.lock
	$(RUNTIME)/bin/python -m pip install --quiet --no-deps --no-build-isolation -e .
	$(RUNTIME)/bin/python -m pip check
	touch $@

runtime: $(RUNTIME)/.ready  ## Create .runtime with what the service needs, and nothing that trains or audits

# Everything that `make setup` installs, so that WHEELS copied to a machine without network is enough:
# there, PIP_NO_INDEX=1 PIP_FIND_LINKS=WHEELS make setup
offline: $(VENV)/.ready  ## Gather every locked wheel, and torch, in build/wheels, for a machine without network
	mkdir -p $(WHEELS)
	$(BIN)/python -m pip download --quiet --dest $(WHEELS) $(TORCH)
	$(BIN)/python -m pip download --quiet --dest $(WHEELS) --no-deps --require-hashes -r requirements.lock

demo: setup  ## Every step once: cohort, training, audit, promotion, one forecast (COHORT=PATH for your own)
	$(BIN)/rehabcast demo $(if $(COHORT),--cohort $(COHORT))

serve: setup  ## Serve the champion on 127.0.0.1:3000, with a development token
	$(BIN)/rehabcast serve --development

# A file's tests stay together, so that what they share is made once. Files keep their order, the slow ones first
# (tests/conftest.py): by number of tests, as is usual, files of a few long ones would come last. The slowest tests are
# named: a run that became long says why.
test: setup  ## Run the tests, in up to four processes
	$(BIN)/python -m pytest -q -n auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder --durations=15

# Without what starts servers, databases, clusters or browsers, trains or simulates much.
test-fast: setup  ## Run the tests that take less than 90 s on two cores, at each save
	$(BIN)/python -m pytest -q -n auto --maxprocesses 2 --dist loadfile $$(sed 's/^/--ignore=/' tests/slow_modules.txt)

lint: setup  ## Check style, types and import contracts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: setup  ## Run the benchmarks (NAME=forecast for only one)
	set -e; for script in benchmarks/$(NAME).py; do $(BIN)/python $$script; done

screenshots: setup  ## Write every page of the service, in each language and in print, to build/screenshots
	$(BIN)/python benchmarks/pages.py --screenshots build/screenshots

soak: setup  ## Run the long tests: crashes, races, flipped bytes, gate mutants, the auditor itself, whole walks
	$(BIN)/python -m pytest -q -m "soak or property"

stories: setup  ## Ask models of simulated and of real people about the patients of tests/stories
	$(BIN)/python -m pytest -q -m "soak or not soak" tests/stories

docs: setup  ## Build the pages of docs/ and the Python API into build/site; a broken link fails
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict

# The fast tests, and all of contracts, stores and inference. Floors are what they covered on 2026-11-28, down to fives.
FLOORS := contracts=95 stores=75 inference=95 features=75 training=75 audits=90 serving=80 rehabcast=50
coverage: setup  ## Measure branch coverage by the fast tests; fails below the floor of a package
	$(BIN)/python -m pytest -q -n auto --maxprocesses 4 --dist loadfile --cov --cov-report=term:skip-covered \
	    $$(grep -vE '^tests/(contracts|stores|inference)/' tests/slow_modules.txt | sed 's/^/--ignore=/')
	set -e; for floor in $(FLOORS); do echo "$$floor, now:"; \
	    $(BIN)/coverage report --format=total --include="$${floor%=*}/*" --fail-under=$${floor#*=}; done

mutants: setup  ## Mutation testing of service and ledger (COUNT=400, SEED=0, CHANGED=origin/main, AGAIN=1)
	$(BIN)/python benchmarks/mutants.py --count $(COUNT) --seed $(SEED) $(if $(CHANGED),--changed $(CHANGED)) $(if $(AGAIN),--again)

# Under another name until it is whole: the list of an earlier run is no list of this one.
sbom: setup  ## Write the bills of materials (CycloneDX) of .venv and of the service's image to build/
	mkdir -p build
	rm -f build/sbom.json build/sbom-image.json
	SOURCE_DATE_EPOCH=$$(git log -1 --format=%ct) $(BIN)/cyclonedx-py environment $(BIN)/python \
	    --pyproject pyproject.toml --output-reproducible --of JSON --output-file build/.sbom.json
	mv build/.sbom.json build/sbom.json
	$(BIN)/cyclonedx-py requirements --pyproject pyproject.toml \
	    --output-reproducible --of JSON --output-file build/.sbom-image.json deploy/runtime.lock
	mv build/.sbom-image.json build/sbom-image.json

audit-dependencies: setup  ## Look the packages of .venv up in advisories; fails where one was not looked up
	$(BIN)/python deploy/advisories.py

licences: setup  ## Compare the licences of the packages of .venv with those allowed (deploy/licences.toml)
	$(BIN)/python deploy/licences.py

clean:  ## Remove .venv and caches, but not mlruns/
	rm -rf $(VENV) $(RUNTIME) .mypy_cache .ruff_cache .pytest_cache .hypothesis
