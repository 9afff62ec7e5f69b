# `make run` and `make test` are all that a new user needs; both keep their environment in .venv.
PYTHON ?= python3
BIN := .venv/bin
# What fails before a `| tee` fails.
SHELL := bash
.SHELLFLAGS := -o pipefail -c
# Two files of tests at a time: most start processes that wait for each other. OpenMP's threads would
# wait actively for a core that the other has.
PYTEST := OMP_NUM_THREADS=1 $(BIN)/pytest --numprocesses 2 --dist loadfile
PIP := $(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt

.PHONY: run demo test check fuzz fuzz-coverage kills mutants bench-peers performance instruction-sets \
    accuracy backgrounds distances upkeep endurance zoo gpu-check clean

run: .venv/run
	$(BIN)/edge build --precision int8
	$(BIN)/edge bench

# A rendered yard on a page: http://127.0.0.1:8700/
demo: .venv/run
	$(BIN)/edge demo

test: .venv/test .venv/packages
	$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy
	$(PYTEST)

# Every parser on $(EXAMPLES) of 100,000 examples that are new in each run; an hour and more.
EXAMPLES ?= 1
fuzz: .venv/test
	EDGE_FUZZ=$(EXAMPLES) $(PYTEST) --dist load tests/hostile/fuzz

# The manifest, zips and ONNX files with inputs that follow the coverage, $(FUZZ_SECONDS) of each; what
# reaches new lines stays in tests/hostile/fuzz/corpus.
FUZZ_SECONDS ?= 240
fuzz-coverage: .venv/test
	$(PIP) atheris
	$(BIN)/python -m tests.hostile.fuzz.coverage --seconds $(FUZZ_SECONDS)

# Each command killed $(KILLS) times at random points; hours.
KILLS ?= 50
kills: .venv/test
	OMP_NUM_THREADS=1 $(BIN)/python -m tests.hostile.kills --kills $(KILLS)

# $(MUTANTS) changes of each part of the code, drawn by $(SEED): do the tests notice?
MUTANTS ?= 60
SEED ?= 1
mutants: .venv/mutants
	OMP_NUM_THREADS=1 $(BIN)/python -m tests.mutants --mutants $(MUTANTS) --seed $(SEED) $(PARTS)

# Lint, types and the fast tests.
check: .venv/test
	$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy
	$(PYTEST) -m "not slow"

# The bundled networks beside OpenCV's subtractors and, with PEERS="--peer a.onnx", any network.
bench-peers: .venv/run
	for network in nano small; do $(BIN)/edge build --network $$network || exit; done
	$(BIN)/edge bench build/nano-int8-openvino build/small-int8-openvino --threads 1 --cameras 80 \
	    --peers $(PEERS) --out reports/peers

# The tables of docs/performance.md.
performance: .venv/run
	mkdir -p reports && $(BIN)/python -m edge.benchmarks.performance | tee reports/performance.md

# What the GPU of this machine does of what the runtime needs: a table, and gpu-check.json.
gpu-check: .venv/run
	$(BIN)/python -m edge.benchmarks.gpu_check

# INT8 beside FP32 on every instruction set of this machine, on the labelled sequences in $(DATA).
instruction-sets: .venv/run
	mkdir -p reports && \
	    $(BIN)/python -m edge.benchmarks.instruction_sets $(DATA) | tee reports/instruction-sets.md

# The tables of docs/accuracy.md and a page of pictures, from labelled sequences in $(DATA); with the
# folder of `make zoo` in $(RUNS) each sequence is answered by a network that never saw it.
DATA ?= ../shared/data
accuracy: .venv/run
	$(BIN)/python -m edge.benchmarks.accuracy $(DATA) $(if $(TEACHER),--teacher $(TEACHER)) \
	    $(if $(RUNS),--runs $(RUNS))

# Automatic backgrounds against the careful ones of the sequences in $(DATA), with images to look at.
backgrounds: .venv/run
	mkdir -p reports/backgrounds && \
	    $(BIN)/python -m edge.benchmarks.backgrounds $(DATA) | tee reports/backgrounds/table.md

# Metres on the ground against the depth sensors of the fixed cameras in $(DATA)/rgbd.
distances: .venv/run
	mkdir -p reports && \
	    $(BIN)/python -m edge.benchmarks.distances $(DATA)/rgbd | tee reports/distances.md

# 24 simulated hours of a rendered yard, whose background is kept fresh.
upkeep: .venv/run
	$(BIN)/edge build --network nano --precision int8 --out build/nano-int8-openvino
	mkdir -p reports && \
	    $(BIN)/python -m edge.benchmarks.upkeep build/nano-int8-openvino | tee reports/upkeep.md

# 100,000 frames, 10,000 backgrounds and a simulated week of watching: nothing may grow.
endurance: .venv/run
	for target in openvino onnxruntime; do \
	    $(BIN)/edge build --network nano --precision int8 --target $$target \
	        --out build/nano-int8-$$target || exit; done
	mkdir -p reports && $(BIN)/python -m edge.benchmarks.endurance \
	    build/nano-int8-openvino build/nano-int8-onnxruntime | tee reports/endurance.md

# The bundled networks from the data in $(DATA), with $(TEACHER) to label depth; goes on after a kill.
zoo: .venv/test
	$(BIN)/python -m edge.benchmarks.zoo $(DATA) --teacher $(TEACHER)

# Where there is an NVIDIA driver, the bindings for its CUDA; on a Jetson without OpenCV, pip's.
TEGRA = $(findstring tegra,$(shell uname -r))
CUDA = $(shell $(PYTHON) edge/runtime/nvidia.py)
OPENCV = $(if $(TEGRA),$(shell $(PYTHON) -c 'import cv2' 2>/dev/null || echo ,opencv))
RTX = $(if $(findstring cuda12,$(CUDA)),tensorrt-rtx-cu12,tensorrt-rtx)
# TensorRT and OpenCV of the system: JetPack installs them there.
SYSTEM = $(if $(TEGRA),,$(shell $(PYTHON) -c 'import tensorrt' 2>/dev/null || echo none))

# What running needs: no torch.
.venv/run: pyproject.toml constraints.txt | $(BIN)/python
	$(PIP) -e '.[view,openvino$(CUDA)$(OPENCV)]'
	@touch $@

.venv/test: pyproject.toml constraints.txt | $(BIN)/python
	$(PIP) -e '.[openvino,$(RTX),train,dev$(OPENCV)]'
	@touch $@ .venv/run

.venv/mutants: .venv/test
	$(PIP) -e '.[mutants$(OPENCV)]'
	@touch $@

# A real RTSP server and a browser for the tests; without root and apt those tests are skipped.
.venv/packages: tests/packages.txt | $(BIN)/python
	@if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	    export DEBIAN_FRONTEND=noninteractive; \
	    { apt-get update -qq && apt-get install -qq --no-install-recommends $$(cat $<); } \
	        >.venv/packages.log 2>&1 || echo "some tests will be skipped: see .venv/packages.log"; \
	fi
	@touch $@

$(BIN)/python:
	$(PYTHON) -m venv $(if $(SYSTEM),,--system-site-packages) .venv

clean:
	rm -rf .venv build reports
