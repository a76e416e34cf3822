# Customer Genome. `make help` lists what there is; `make demo` is the place to start.
# Only make and Python 3.11+ have to be there: everything else goes into .venv, at the versions and hashes of the lock files.

PYTHON  ?= python3
OPEN    ?= 1
WORKERS ?= 2

VENV := .venv
BIN  := $(VENV)/bin
SH   := $(CURDIR)/$(BIN)

# Tests run side by side, so the libraries below must not each start a thread per core.
ONE_THREAD := OPENBLAS_NUM_THREADS=1 OMP_NUM_THREADS=1
FAST       := not slow and not spark and not browser
PYTEST     := $(ONE_THREAD) $(BIN)/python -m pytest

.DEFAULT_GOAL := help
.PHONY: help demo test test-slow test-spark test-browser check bench docs screenshots lock clean env

help:  ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo "Variables: PYTHON=python3.12 chooses the interpreter; OPEN=0 keeps 'make demo' from opening the dashboard."

# --- the environment ---------------------------------------------------------------------------------------------

# Installing with uv takes seconds; where pip finds no uv for this machine, pip does the same work from the same hashes.
define install
	@if [ -x $(BIN)/uv ]; then \
		$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes --build-constraints requirements.lock -r $(1) && \
		$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable . ; \
	else \
		$(BIN)/python -m pip install --quiet --require-hashes -r $(1) && \
		$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable . ; \
	fi
endef

$(VENV)/.installer: requirements-uv.lock
	@command -v $(PYTHON) >/dev/null || { echo "There is no '$(PYTHON)' here. Install Python 3.11 or newer, or say which one: make PYTHON=/path/to/python3.11" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("$(PYTHON) is Python %d.%d; Customer Genome needs 3.11 or newer. Say which one: make PYTHON=python3.12" % sys.version_info[:2])'
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo "$(PYTHON) cannot make virtual environments. On Debian and Ubuntu: apt-get install python3-venv" >&2; exit 1; }
	@echo "Making the environment in $(VENV) ..." >&2
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-uv.lock || echo "uv cannot be installed here; going on with pip, which takes longer." >&2
	@touch $@

# What a user needs: the package, its dashboard and the demo's data.
$(VENV)/.demo: $(VENV)/.installer requirements-demo.lock pyproject.toml
	$(call install,requirements-demo.lock)
	@touch $@

# All extras: what developing and testing need. It contains the above.
$(VENV)/.dev: $(VENV)/.installer requirements.lock pyproject.toml
	$(call install,requirements.lock)
	@touch $(VENV)/.demo $@

env: $(VENV)/.dev  ## Make or renew the development environment (.venv)

# --- using -------------------------------------------------------------------------------------------------------

demo: $(VENV)/.demo  ## Run Complete Journey end to end into ./demo-workspace and open the dashboard
	$(BIN)/genome demo --workspace demo-workspace $(if $(filter 0,$(OPEN)),--no-open)

# --- proving -----------------------------------------------------------------------------------------------------

test: $(VENV)/.dev  ## Run the default tests (no Java, no browser)
	$(PYTEST) -m "$(FAST)" -n $(WORKERS) --dist loadfile --durations 25 --durations-min 5

test-slow: $(VENV)/.dev  ## Run the slow tests
	@$(call marked,slow,"slow and not spark and not browser" -n $(WORKERS) --dist loadfile)

test-spark: $(VENV)/.dev  ## Run the tests that need Java 17 or newer
	@sh tools/need_java.sh
	@$(call marked,spark,"spark and not slow")

test-browser: $(VENV)/.dev  ## Run the tests that need Chromium
	@sh tools/need_chromium.sh >/dev/null
	@CHROMIUM="$$(sh tools/need_chromium.sh)" && export CHROMIUM && $(call marked,browser,browser)

# pytest ends with 5 where it finds no test: said aloud, and no failure.
marked = $(ONE_THREAD) PYSPARK_PYTHON=$(SH)/python $(BIN)/python -m pytest -m $(2) || { code=$$?; [ $$code -eq 5 ] && echo "No test is marked '$(1)' yet: nothing was run." || exit $$code; }

check: $(VENV)/.dev  ## Check format, lint, types, architecture, locks and layout
	$(BIN)/ruff format --check --output-format concise .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python tools/check_locks.py
	$(BIN)/python -m pip check --quiet --disable-pip-version-check
	$(PYTEST) -q tests/test_layout.py

docs: $(VENV)/.dev  ## Prove the documentation: links, commands, examples
	$(PYTEST) -q tests/docs

bench: $(VENV)/.dev  ## Run the benchmarks (minutes; one at a time)
	@set -- benchmarks/bench_*.py; [ -e "$$1" ] || { echo "There are no benchmarks yet." >&2; exit 1; }; \
	for script; do echo "== $$script"; $(BIN)/python "$$script" || exit 1; done

WORKSPACE ?= demo-workspace

screenshots: $(VENV)/.dev  ## Take pictures of every dashboard page: light, dark, phone (WORKSPACE=demo-workspace)
	@sh tools/need_chromium.sh >/dev/null
	@[ -e $(WORKSPACE)/published/CURRENT ] || $(BIN)/genome run complete-journey --workspace $(WORKSPACE)
	CHROMIUM="$$(sh tools/need_chromium.sh)" $(BIN)/python tools/screenshots.py --workspace $(WORKSPACE) --folder screenshots $(if $(DOCS),--for-docs)

# --- keeping -----------------------------------------------------------------------------------------------------

# UPGRADE=--upgrade takes the newest versions; else what is pinned stays as far as it still fits.
COMPILE = $(BIN)/uv pip compile --quiet $(UPGRADE) --generate-hashes --universal --fork-strategy fewest --no-header --no-annotate --python-version 3.11

lock: $(VENV)/.installer  ## Renew the lock files (UPGRADE=--upgrade takes the newest versions)
	$(COMPILE) --all-extras --group build pyproject.toml -o requirements.lock
	$(COMPILE) --extra dashboard --extra demo --extra recommend --group build --constraint requirements.lock pyproject.toml -o requirements-demo.lock
	echo uv | $(COMPILE) - -o requirements-uv.lock
	$(BIN)/python tools/check_locks.py --stamp

clean:  ## Remove the environment, caches and the demo workspace
	rm -rf $(VENV) demo-workspace build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find src tests tools -type d -name __pycache__ -prune -exec rm -rf {} +
