# make demo   everything at once: install, start the emulated cloud and the app, do the main job, tell what happened
# make run    the same, and stay up              make test   all tests         make lint   ruff, mypy, import contracts
# make fmt    format the code                    make bench  speed figures     make schemas  what is generated from models
# Needs Python 3.11 or newer (PYTHON=… chooses one), git and make; nothing else.

PYTHON ?= python3
VENV ?= .venv
PY := $(VENV)/bin/python
INSTALLED := $(VENV)/.installed
TOOLS := emulator/node_modules/.installed
PEERS := $(VENV)/.peers

# Bytecode is kept whatever the shell says: the tests start hundreds of processes, each of which would compile anew.
export PYTHONDONTWRITEBYTECODE :=

.PHONY: install demo run test lint fmt bench schemas clean

install: $(INSTALLED) $(TOOLS)

$(INSTALLED): requirements.txt requirements-dev.txt
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed; this is " + sys.version.split()[0]) if sys.version_info < (3, 11) else None'
	@test -x $(PY) || $(PYTHON) -m venv $(VENV)
	@$(PY) -m pip install --quiet --disable-pip-version-check uv
	@$(PY) -m uv pip install --quiet --python $(PY) -r requirements-dev.txt \
	  || $(PY) -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	@touch $@

$(PEERS): $(INSTALLED) requirements-peers.txt
	@$(PY) -m uv pip install --quiet --python $(PY) -r requirements-peers.txt \
	  || $(PY) -m pip install --quiet --disable-pip-version-check -r requirements-peers.txt
	@touch $@

$(TOOLS): $(INSTALLED) emulator/package.json emulator/package-lock.json
	@$(PY) -m emulator.toolchain
	@touch $@

demo: install
	@$(PY) -m emulator.demo

run: install
	@$(PY) -m emulator.demo --stay

test: install $(PEERS)
	@$(PY) -m pytest

lint: $(INSTALLED)
	@$(PY) -m ruff check .
	@$(PY) -m ruff format --check .
	@$(PY) -m mypy
	@$(VENV)/bin/lint-imports

fmt: $(INSTALLED)
	@$(PY) -m ruff check --fix .
	@$(PY) -m ruff format .

bench: install
	@$(PY) -m pytest tests/benchmarks -n 0 -s --timeout 600

schemas: $(INSTALLED)
	@$(PY) -m shared.openapi

clean:
	rm -rf $(VENV) emulator/node_modules .emulator .mypy_cache .ruff_cache .pytest_cache .hypothesis
