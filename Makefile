# `make run` and `make test` install what they need into .venv.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: run test long faults foreign browser chaos mutants check bench audit sbom lock clean

run: $(VENV)/.local
	@$(if $(PORT),PORT=$(PORT)) exec $(BIN)/python -m dev.run --parent $$PPID

test: $(VENV)/.dev
	@$(BIN)/pytest -n 3 --dist loadfile -m 'not long and not faults and not foreign and not browser'

long: $(VENV)/.dev
	@$(BIN)/pytest -m long

# Fault injection: kills, freezes, cut connections. `make chaos SEED=7 N=500 DATABASE=postgres` does it at random.
faults: $(VENV)/.dev
	@$(BIN)/pytest -m 'not long' tests/faults

# Against servers that this project did not write: radosgw, PgBouncer, replicated PostgreSQL, tinyproxy, nginx, HAProxy; and
# Go. Installs them from Debian where that is possible; the tests of a server that is missing are skipped.
foreign: $(VENV)/.dev
	@$(BIN)/python -m tests.foreign.packages
	@$(BIN)/pytest -m foreign -rs tests/foreign tests/recipes

# Uploaders, viewers and pages in Debian's Chromium; axios in Node. Skipped if Chromium or npm can't be installed.
# A hanging test ends the run after two minutes, with a traceback: a page without JavaScript can block Playwright forever.
browser: $(VENV)/.browser
	@$(BIN)/python -m tests.foreign.packages chromium npm
	@if command -v npm > /dev/null; then npm ci --prefix tests/browser --ignore-scripts --omit=optional --no-audit --no-fund --loglevel=error; fi
	@$(BIN)/pytest -m browser -rs -o faulthandler_timeout=120 -o faulthandler_exit_on_timeout=true tests/browser tests/recipes

chaos: $(VENV)/.dev
	@$(BIN)/python -m tests.faults.chaos $(if $(SEED),--seed $(SEED)) --n $(or $(N),200) --database $(or $(DATABASE),sqlite)

mutants: $(VENV)/.dev
	@$(BIN)/python -m tests.faults.mutants

bench: $(VENV)/.dev
	@$(BIN)/python benchmarks/run.py

check: $(VENV)/.dev
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/python -m dev.prose
	@$(BIN)/hadolint Dockerfile
	@$(BIN)/docker-compose --env-file .env.example config -q

# Check every locked package against the Python advisories. A package that can't be looked up is a failure.
audit: $(VENV)/.audit
	@for name in requirements requirements-local requirements-dev requirements-browser requirements-audit; do \
		$(VENV)/audit/bin/pip-audit --strict --progress-spinner off --require-hashes --disable-pip -r $$name.txt || exit 1; done

# The service's dependencies as CycloneDX, in var/sbom.json.
sbom: $(VENV)/.audit
	@mkdir -p var
	@$(VENV)/audit/bin/cyclonedx-py requirements --output-reproducible --output-format JSON -o var/sbom.json requirements.txt

# Compile the requirements files (.in) for every platform, with hashes.
lock: $(VENV)/.dev
	@$(BIN)/pip install -q uv
	@for name in requirements requirements-local requirements-dev requirements-browser requirements-audit; do \
		$(BIN)/uv pip compile -q --universal --generate-hashes --python-version 3.11 --no-header --no-annotate \
			$$([ $$name = requirements ] || echo -c requirements.txt) $$name.in -o $$name.txt || exit 1; done

clean:
	@rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit("Ferry needs Python 3.11 or newer, this is " + sys.version.split()[0] + ". Try: make PYTHON=python3.12") if sys.version_info < (3, 11) else 0'
	@$(PYTHON) -m venv $(VENV) || { echo "Python's venv is missing. On Debian: apt install python3-venv"; exit 1; }

$(VENV)/.local: requirements-local.txt | $(VENV)/bin/python
	@echo "Installing what Ferry needs into $(VENV) …"
	@$(BIN)/pip install -q --disable-pip-version-check --require-hashes -r $<
	@touch $@

$(VENV)/.dev: requirements-dev.txt $(VENV)/.local
	@$(BIN)/pip install -q --disable-pip-version-check --require-hashes -r $<
	@touch $@

$(VENV)/.browser: requirements-browser.txt $(VENV)/.dev
	@$(BIN)/pip install -q --disable-pip-version-check --require-hashes -r $<
	@touch $@

$(VENV)/.audit: requirements-audit.txt | $(VENV)/bin/python
	@$(PYTHON) -m venv $(VENV)/audit
	@$(VENV)/audit/bin/pip install -q --disable-pip-version-check --require-hashes -r $<
	@touch $@
