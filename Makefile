# `make up` runs PromptOps, `make test` tests it; both set up what they need in .venv.

PYTHON ?= python3
JOBS ?= 2
# So many share the tests, each with a PostgreSQL and a Prefect server of its own; more than cores,
# as a test waits for servers about as long as it works.
PROCESSES ?= $(shell expr $(JOBS) + $(JOBS) / 2)
# For parts that keep one core busy: the output of each comes in one piece, where make can do that.
SIDE_BY_SIDE := --jobs=$(JOBS) $(if $(filter output-sync,$(.FEATURES)),--output-sync=target)
BIN := .venv/bin
PIP := $(BIN)/pip --disable-pip-version-check
SDK := sdk/python/promptops
CHANGED := $(BIN)/python tests/harness/changed_files.py
# Looked up by `make check` only.
CHANGED_CONSOLE = $(shell $(CHANGED) console)
CONSOLE := platform/promptops_platform/console/dist/index.html
CONSOLE_SOURCES := $(shell find web/src web/public web/*.json web/*.ts web/index.html -type f)
# The machine's own Node where it is new enough for the console's build, else one from a wheel.
NODE_IS_NEW := $(shell node -e 'const [a, b] = process.versions.node.split("."); console.log(a > 20 || (a == 20 && b >= 19) ? 1 : "")' 2>/dev/null)
NPM_IN := $(if $(NODE_IS_NEW),,PATH="$(CURDIR)/.venv/bin:$$PATH" )npm --no-audit --no-fund --silent --prefix
NPM := $(NPM_IN) web
DOCS_NPM := $(NPM_IN) docs

# The shell without windows comes first: it needs two thirds of the processor time of the whole browser.
# (`true`: make takes the status of a command that is not there for a failure of the whole line.)
CHROMIUM ?= $(firstword $(shell for name in chromium-headless-shell chromium chromium-browser google-chrome; do command -v $$name; done; true))

# Tests start some hundred processes: without compiled files, each would compile all modules anew.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help up check check-web test test-web test-browser test-node test-java test-sdks test-postgres test-trials test-all lint types release-check version audit bench chaos sdk-programs lock openapi openapi-baseline baseline prefect-template docs clean

help: ## Show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-18s %s\n", $$1, $$2}'

up: .venv/.runtime $(CONSOLE) ## Start the platform on :8080 and Prefect on 127.0.0.1:4200
	@exec $(BIN)/promptops up

check: .venv/.development ## Lint, types and the quick tests of what has changed, in a minute
	@+$(MAKE) --no-print-directory $(SIDE_BY_SIDE) lint types $(if $(CHANGED_CONSOLE),check-web)
	$(BIN)/pytest -q --quick -n $(JOBS) --dist loadfile $$($(CHANGED) tests)

check-web: web/node_modules/.everything
	$(NPM) run check -- $(CHANGED_CONSOLE)
	$(NPM) run types

test: .venv/.development web/node_modules/.everything $(CONSOLE) ## Lint, types, import rules, and the tests of everything
	@+$(MAKE) --no-print-directory $(SIDE_BY_SIDE) lint types test-web test-node test-java
	@+$(MAKE) --no-print-directory test-browser
	PROMPTOPS_TEST_ALL_SDKS=1 $(BIN)/pytest -q -n $(PROCESSES) --dist loadfile --no-loadscope-reorder

test-web: web/node_modules/.everything $(CONSOLE) ## The console's lint, types and unit tests
	$(NPM) run lint
	$(NPM) run types
	$(NPM) test

test-browser: .venv/.runtime web/node_modules/.everything $(CONSOLE) ## The console in Chromium, on a real platform
ifeq ($(CHROMIUM),)
	@echo "SKIPPED: the browser tests need Chromium (Debian: apt-get install chromium-headless-shell), or CHROMIUM=/path/to/it"
else
	CHROMIUM=$(CHROMIUM) JOBS=$(JOBS) $(NPM) run e2e
endif

test-node: ## The Node SDK's types and tests
	cd sdk/node && npm ci --no-audit --no-fund --silent && npm test

test-java: ## The Java SDK's tests
	mvn --batch-mode --no-transfer-progress --file sdk/java/pom.xml test

test-postgres: .venv/.development ## What `make test` runs on SQLite only, on PostgreSQL
	$(BIN)/pytest -q --long -n $(PROCESSES) --dist loadfile -k postgresql -m "not trial and not long" \
		tests/platform

test-sdks: .venv/.development sdk-programs ## Fetch, render and hot reload by each SDK, against a whole platform
	PROMPTOPS_TEST_ALL_SDKS=1 $(BIN)/pytest -q -m trial tests/e2e/test_examples.py -k hot_reload

test-trials: .venv/.development sdk-programs ## Trials of faults that `make test` leaves out, in their short form
	PROMPTOPS_TEST_ALL_SDKS=1 $(BIN)/pytest -q -n $(PROCESSES) --dist loadfile -m trial

test-all: export EVERY_LOOK = 1
test-all: test test-postgres bench chaos ## The tests, every look of the console, the benchmarks and the long trials

lint: .venv/.development
	$(BIN)/ruff check
	$(BIN)/ruff format --check

types: .venv/.development
	$(BIN)/mypy
	$(BIN)/mypy --config-file sdk/python/pyproject.toml $(SDK)

release-check: .venv/.development $(CONSOLE) ## Build all packages, look at them, install and use them
	PYTHONPATH=tests/release $(BIN)/python -P tests/release/check.py

version: .venv/bin/python ## Write VERSION=x.y.z to everything that is released
	$(BIN)/python tests/release/versions.py $(VERSION)

bench: .venv/.bench web/node_modules/.everything $(CONSOLE) ## Benchmarks, each with its ratio to a baseline of the same run
	$(BIN)/python -P tests/bench/run.py

chaos: .venv/.development sdk-programs ## Trials of faults in their long form
	PROMPTOPS_TEST_ALL_SDKS=1 $(BIN)/pytest -q --long -m "trial or long"
	$(BIN)/pytest -q --long tests/platform/openapi/test_fuzz.py

# What trials start of the Node and the Java SDK.
sdk-programs:
	cd sdk/node && npm ci --no-audit --no-fund --silent && npm run --silent build
	mvn --batch-mode --no-transfer-progress --quiet --file sdk/java/pom.xml test-compile

# A report, which fails nothing: what it needs to ask may be out of reach.
audit: .venv/.audit ## Report locked versions that were withdrawn or have a known fault
	@echo "== Withdrawn Python packages"
	-@$(PIP) install --quiet --dry-run --ignore-installed --no-deps --require-hashes \
		-r requirements-dev.lock -r requirements-build.lock
	@echo "== Python packages with known faults"
	-@for lock in requirements-dev.lock requirements-build.lock; do \
		.venv/audit/bin/pip-audit --progress-spinner off --disable-pip --require-hashes -r $$lock; \
	done
	@echo "== Node packages, deprecated or with known faults"
	-@for folder in sdk/node web docs; do \
		(cd $$folder && npm ci --dry-run --no-fund --no-audit >/dev/null && npm audit); \
	done

lock: .venv/bin/python ## Resolve the dependencies anew
	$(PIP) install --quiet uv
	$(BIN)/uv pip compile --quiet --upgrade $(COMPILE) pyproject.toml -o requirements.lock
	$(BIN)/uv pip compile --quiet $(COMPILE) pyproject.toml --extra dev -c requirements.lock \
		-o requirements-dev.lock
	$(BIN)/uv pip compile --quiet $(COMPILE) pyproject.toml --extra dev --extra bench \
		-c requirements-dev.lock -o requirements-bench.lock
	$(BIN)/uv pip compile --quiet --upgrade $(COMPILE) --group build -c requirements-dev.lock \
		-o requirements-build.lock
	$(BIN)/uv pip compile --quiet --upgrade $(COMPILE) --group node -o requirements-node.lock
	$(BIN)/uv pip compile --quiet --upgrade $(COMPILE) --group audit -o requirements-audit.lock

openapi: .venv/.runtime web/node_modules/.everything ## Write docs/openapi.json, docs/schemas and the console's types anew
	$(BIN)/promptops openapi > docs/openapi.json.new
	mv docs/openapi.json.new docs/openapi.json
	$(BIN)/promptops schemas docs/schemas
	$(NPM) run api

docs: .venv/.runtime docs/node_modules/.everything ## Build the documentation's site in docs/.vitepress/dist
	$(BIN)/python docs/generator
	$(DOCS_NPM) run build
	$(BIN)/python docs/generator/check_links.py

openapi-baseline: openapi ## At a release: what later releases may no longer take away
	cp docs/openapi.json docs/openapi-baseline.json

baseline: .venv/.development ## At a release: store what later releases must be able to upgrade
	PYTHONPATH=tests $(BIN)/python -P -m harness.baseline \
		$(shell sed -n 's/^version = "\(.*\)"/\1/p' pyproject.toml)

prefect-template: .venv/.development ## Make the embedded Prefect server's empty database anew
	$(BIN)/python -m promptops_flows.prefect_server.template

clean: ## Remove everything that make has made, but no data
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache dist
	rm -rf web/node_modules $(dir $(CONSOLE)) docs/node_modules
	rm -rf docs/reference docs/public/images docs/.vitepress/dist docs/.vitepress/cache
	rm -rf sdk/node/node_modules sdk/node/dist sdk/node/build sdk/java/target

COMPILE := --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-header --no-strip-extras

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "PromptOps needs Python 3.11 or newer; run make with PYTHON=/path/to/it"; exit 1; }
	@$(PYTHON) -m venv .venv && test -x .venv/bin/pip \
		|| { rm -rf .venv; echo "Python can't make .venv; install its venv package (Debian: python3-venv)"; exit 1; }

.venv/.runtime: .venv/bin/python requirements.lock requirements-build.lock pyproject.toml
	$(PIP) install --quiet --no-deps --require-hashes -r requirements.lock -r requirements-build.lock
	$(PIP) install --quiet --no-deps --no-build-isolation -e .
	@touch $@

.venv/.node: .venv/bin/python requirements-node.lock
	$(if $(NODE_IS_NEW),,$(PIP) install --quiet --no-deps --require-hashes -r requirements-node.lock)
	@touch $@

web/node_modules/.build: web/package-lock.json .venv/.node
	$(NPM) ci --omit=dev --ignore-scripts
	@touch $@

web/node_modules/.everything: web/package-lock.json .venv/.node
	$(NPM) ci --ignore-scripts
	@touch web/node_modules/.build $@

docs/node_modules/.everything: docs/package-lock.json .venv/.node
	$(DOCS_NPM) ci --ignore-scripts
	@touch $@

$(CONSOLE): web/node_modules/.build $(CONSOLE_SOURCES)
	$(NPM) run build
	@touch $@

.venv/.development: .venv/.runtime requirements-dev.lock
	$(PIP) install --quiet --no-deps --require-hashes -r requirements-dev.lock
	@touch $@

.venv/.audit: .venv/.development requirements-audit.lock
	$(BIN)/python -m venv .venv/audit
	.venv/audit/bin/pip install --quiet --no-deps --require-hashes -r requirements-audit.lock
	@touch $@

.venv/.bench: .venv/.development requirements-bench.lock
	$(PIP) install --quiet --no-deps --require-hashes -r requirements-bench.lock
	@touch $@
