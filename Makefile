# Isocenter. `make demo` runs the main job on real files, `make test` the tests, `make lab` opens a notebook.
# All need Python 3.11 or later and a network that reaches PyPI the first time; nothing is installed outside .venv
# save the Debian packages of system-packages, and those only where this user may.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
SOURCES := $(shell find server extension -name '*.py' -o -name '*.toml' -o -name '*.js' -o -name '*.css' | grep -v egg-info)

.PHONY: help demo lab dev test test-all bench docs check system-packages clean

help:
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 18

$(VENV)/made:
	@sh server/tools/make_venv.sh "$(PYTHON)" "$(VENV)"
	@touch $@

# `make dev` installs in place; then no change of a source asks for a new installation.
$(VENV)/installed: $(VENV)/made $(SOURCES)
	@test -e $(VENV)/editable || { echo "Installing isocenter and isocenter-jupyter into $(VENV)"; \
		$(PIP) install --quiet './server[demo]' ./extension; }
	@touch $@

$(VENV)/test-installed: $(VENV)/installed server/pyproject.toml extension/pyproject.toml
	@test -e $(VENV)/editable || $(PIP) install --quiet './server[test,postgresql,bench]' './extension[lab,test]'
	@touch $@

$(VENV)/lab-installed: $(VENV)/installed extension/pyproject.toml
	@test -e $(VENV)/editable || $(PIP) install --quiet './server[demo]' './extension[lab]'
	@touch $@

demo: $(VENV)/installed ## send real files to a throw-away server, find them again, print a table
	@$(BIN)/isocenter demo

lab: $(VENV)/lab-installed ## the same, then JupyterLab on notebooks/00_start.ipynb
	@JUPYTER_PATH="$(CURDIR)/extension" PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/isocenter lab --notebook notebooks/00_start.ipynb

dev: $(VENV)/made ## install both distributions in place, with all that tests need
	$(PIP) install --quiet -e './server[test,postgresql,bench]' -e './extension[lab,test]'
	@touch $(VENV)/editable $(VENV)/installed $(VENV)/test-installed $(VENV)/lab-installed

system-packages:
	@sh tests/system_packages.sh

test: $(VENV)/test-installed system-packages ## everything that fits into minutes
	$(BIN)/python -m pytest -q -m "not slow"

test-all: $(VENV)/test-installed system-packages ## the slow groups too
	$(BIN)/python -m pytest -q

bench: $(VENV)/test-installed system-packages ## measure beside Orthanc and DCMTK, print ratios
	$(BIN)/isocenter bench $(BENCH)

docs: $(VENV)/test-installed ## write the generated pages of server/docs
	$(BIN)/python server/tools/write_docs.py

check: $(VENV)/test-installed ## format, lint and types
	$(BIN)/ruff format --check server extension tests
	$(BIN)/ruff check server extension tests
	$(BIN)/mypy server/isocenter

clean: ## remove the environment and caches
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache
