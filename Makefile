# `make run` and `make test` are all that a new user needs; both keep their environment in .venv.
PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt

.PHONY: run test check clean

run: .venv/run
	$(BIN)/edge build --precision int8
	$(BIN)/edge bench

test: .venv/test
	$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy
	$(BIN)/pytest

# Lint, types and the fast tests.
check: .venv/test
	$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy
	$(BIN)/pytest -m "not slow"

# What running needs: no torch.
.venv/run: pyproject.toml constraints.txt | $(BIN)/python
	$(PIP) -e '.[onnxruntime,openvino]'
	@touch $@

.venv/test: pyproject.toml constraints.txt | $(BIN)/python
	$(PIP) -e '.[onnxruntime,openvino,tensorrt-rtx,train,dev]'
	@touch $@ .venv/run

$(BIN)/python:
	$(PYTHON) -m venv .venv

clean:
	rm -rf .venv build reports
