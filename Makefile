# Everything that is done with this project, by name. `make` alone lists it.
#
# Needs python3 (3.11 or newer), pip and make. Each target installs what it needs into one hidden virtual environment
# (VENV, by default .venv) and does so again only when pyproject.toml changes.

VENV ?= .venv
PY := $(VENV)/bin/python
REPORT ?= report.html
PYTEST_ARGS ?= -n auto

# The first interpreter that is new enough; PYTHON=/path/to/python names another.
PYTHON ?= $(shell for name in python3 python3.15 python3.14 python3.13 python3.12 python3.11 python; do \
	"$$name" -c 'import sys; raise SystemExit(sys.version_info < (3, 11))' >/dev/null 2>&1 && { echo "$$name"; break; }; done)

# pip stays silent unless something goes wrong, and asks nothing.
PIP := $(PY) -m pip --disable-pip-version-check --no-input --quiet
INSTALLED := $(VENV)/.installed-

NOTEBOOKS = $(sort $(wildcard notebooks/[0-9]*.py))

.DEFAULT_GOAL := help
.PHONY: help demo test test-engines test-matrix lint types docs notebooks check-notebooks speed clean

help:  ## list the targets
	@sed -n 's/^\([a-z-]*\):.*##  *\(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 26

demo: $(INSTALLED)plot  ## write report.html about bundled real purchases and say what it says
	@$(PY) -m retention_metrics demo --out "$(REPORT)"

test: $(INSTALLED)test  ## run the whole test suite
	$(PY) -m pytest $(PYTEST_ARGS)

test-engines: $(INSTALLED)test $(INSTALLED)engines  ## run what takes any dataframe on Ibis and Spark (Java is needed)
	bash .ci/engines $(PY)

test-matrix:  ## run it on every interpreter from 3.11 up on this machine
	bash .ci/matrix

lint: $(INSTALLED)lint  ## style, docstrings and import layers
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) .ci/docstrings.py
	$(VENV)/bin/lint-imports --no-cache

types: $(INSTALLED)all $(INSTALLED)lint  ## mypy --strict
	$(PY) -m mypy

docs: $(INSTALLED)docs  ## build the documentation into docs/_build/html, warnings as errors, without network
	$(PY) -m sphinx -W --keep-going -q -b html docs docs/_build/html

notebooks: $(INSTALLED)test  ## execute notebooks/NN_title.py into notebooks/NN_title.ipynb
	$(PY) .ci/notebooks.py $(NOTEBOOKS)

check-notebooks: $(INSTALLED)test  ## run every notebook and fail on an error in it
	$(PY) -m pytest -o addopts= -W default --nbmake --nbmake-timeout=120 $(PYTEST_ARGS) notebooks

speed: $(INSTALLED)test  ## print how long things take, beside lifetimes
	@set -e; for script in speed/[!_]*.py; do echo "== $$script"; $(PY) "$$script"; done

clean:  ## remove what the targets wrote; the environments (.venv*) stay
	rm -rf build dist docs/_build docs/api docs/notebooks report.html
	rm -rf .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis .jupyter_cache
	find . -path './.venv*' -prune -o -name __pycache__ -type d -prune -exec rm -rf {} +

# Debian's Python has no ensurepip without python3-venv, and its pip refuses to install outside an environment; an
# environment made without pip and filled by the outer pip works there and everywhere else.
$(VENV)/.created:
	@test -n "$(PYTHON)" || { echo "retention_metrics needs Python 3.11 or newer; none was found on PATH." >&2; exit 1; }
	@$(PY) -m pip --version >/dev/null 2>&1 || { \
		echo "Creating $(VENV) with $$($(PYTHON) --version) ..." && \
		$(PYTHON) -m venv --without-pip "$(VENV)" && \
		$(PYTHON) -m pip --disable-pip-version-check --quiet --python "$(PY)" install "pip>=25.1"; }
	@touch $@

$(INSTALLED)%: pyproject.toml | $(VENV)/.created
	@echo "Installing retention_metrics[$*] into $(VENV) ..."
	@$(PIP) install --editable ".[$*]"
	@touch $@
