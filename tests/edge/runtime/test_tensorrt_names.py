"""Every name of TensorRT and CUDA that we call exists in the real libraries of each version."""

from __future__ import annotations

import ast
import importlib.metadata
import inspect
import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import edge.runtime.cuda_python
from edge.runtime.backends import tensorrt

from ...stand_ins.tensorrt_bindings import bindings
from . import fake_gpu

RTX_ONLY = {"IRuntimeConfig", "IRuntimeCache", "create_runtime_config", "CudaGraphStrategy"}
BUILDER = {
    "Builder": {
        "create_network",
        "create_builder_config",
        "create_optimization_profile",
        "build_serialized_network",
    },
    "INetworkDefinition": {"num_inputs", "get_input"},
    "ITensor": {"name", "shape"},
    "IOptimizationProfile": {"set_shape"},
    "OnnxParser": {"parse_from_file", "num_errors", "get_error"},
    "ParserError": {"desc"},
    "IBuilderConfig": {
        "set_memory_pool_limit",
        "profiling_verbosity",
        "add_optimization_profile",
        "create_timing_cache",
        "set_timing_cache",
        "get_timing_cache",
    },
    "ITimingCache": {"serialize"},
    "EngineInspector": {"get_engine_information"},
    "LayerInformationFormat": {"JSON"},
    "NetworkDefinitionCreationFlag": {"STRONGLY_TYPED"},
    "MemoryPoolType": {"WORKSPACE"},
    "ProfilingVerbosity": {"DETAILED"},
    "ILogger": {"log", "ERROR", "INTERNAL_ERROR", "WARNING"},
    "Runtime": {"deserialize_cuda_engine"},
}
WHEELS = {
    "10.3.0": "tensorrt-cu12-bindings",
    "10.16.1.11": "tensorrt-cu12-bindings",
    "11.4.0.106": "tensorrt-cu13-bindings",
}


def used() -> dict[str, set[str]]:
    """What the fakes have, which is what the backend uses, and what the builder uses."""
    fakes = [
        kind for name, kind in vars(fake_gpu).items() if inspect.isclass(kind) and name[0] == "I"
    ]
    names = {
        kind.__name__: {n for n in vars(kind) if not n.startswith("_")}
        for kind in fakes
        if kind.__name__ != "IRuntime"
    }
    names["IRuntimeConfig"] |= {"cuda_graph_strategy"}
    names["CudaGraphStrategy"] = {"WHOLE_GRAPH_CAPTURE"}
    return names | BUILDER


def test_the_fakes_cover_what_the_backend_calls() -> None:
    assert used()["IExecutionContext"] == {"set_tensor_address", "execute_async_v3"}
    assert "deserialize_cuda_engine" in vars(fake_gpu.IRuntime)


def test_tensorrt_rtx_has_every_name() -> None:
    pytest.importorskip("tensorrt_rtx")
    trt = tensorrt.load("tensorrt_rtx")
    for kind, names in used().items():
        for name in names:
            assert hasattr(getattr(trt, kind), name), f"{kind}.{name}"
    assert "runtime_config" in trt.ICudaEngine.create_execution_context.__doc__


LOOK = """
import importlib, json, sys
trt = importlib.import_module("tensorrt_bindings")
names = json.loads(sys.argv[1])
lacking = [f"{k}.{n}" for k, all_ in names.items() for n in all_
           if not hasattr(getattr(trt, k, None), n)]
print(json.dumps([trt.__version__, lacking]))
"""


@pytest.mark.slow
@pytest.mark.parametrize("version", WHEELS)
def test_tensorrt_has_every_name(version: str, tmp_path: Path) -> None:
    folder = bindings(WHEELS[version], version, tmp_path)
    names = {kind: sorted(all_ - RTX_ONLY) for kind, all_ in used().items() if kind not in RTX_ONLY}
    env = {"LD_LIBRARY_PATH": str(folder), "PYTHONPATH": str(folder), "PATH": "/usr/bin"}
    done = subprocess.run(
        [sys.executable, "-c", LOOK, json.dumps(names)],
        capture_output=True, text=True, env=env, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found, lacking = json.loads(done.stdout)
    assert version.startswith(found)
    assert lacking == []


def attributes(file: Path, of: str) -> set[str]:
    """`name` of every `of.name` in a Python file."""
    return {
        node.attr
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id == of
    }


CALLED = """
import json, sys
from cuda.bindings import runtime
names, known = json.loads(sys.argv[1])
lacking = [n for n in names if not hasattr(runtime, n)]
print(json.dumps(lacking + [n for n in known if not hasattr(runtime.cudaDeviceAttr, n)]))
"""


@pytest.mark.slow
@pytest.mark.parametrize("version", ["12.8.0", "12.9.10", "13.0.3"])
def test_cuda_bindings_of_every_series_have_every_name(version: str, tmp_path: Path) -> None:
    words = ["pip", "download", "-q", "--no-deps", "-d", str(tmp_path), f"cuda-bindings=={version}"]
    done = subprocess.run([sys.executable, "-m", *words], capture_output=True, check=False)
    wheels = list(tmp_path.glob("*.whl"))
    if done.returncode or not wheels:
        pytest.skip(f"cuda-bindings {version} cannot be had here for this Python")
    zipfile.ZipFile(wheels[0]).extractall(tmp_path)
    file = Path(edge.runtime.cuda_python.__file__)
    names = json.dumps([sorted(attributes(file, "runtime")), sorted(attributes(file, "known"))])
    env = {**os.environ, "PYTHONPATH": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", CALLED, names], capture_output=True, text=True, env=env, check=False
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == []


def test_cuda_bindings_have_every_name() -> None:
    runtime = pytest.importorskip("cuda.bindings.runtime")
    file = Path(edge.runtime.cuda_python.__file__)
    names = attributes(file, "runtime")
    assert len(names) > 20
    assert [name for name in names if not hasattr(runtime, name)] == []
    for kind in ("cudaDeviceAttr", "cudaMemcpyKind", "cudaStreamCaptureMode"):
        assert kind in names
    known = attributes(file, "known")
    assert [name for name in known if not hasattr(runtime.cudaDeviceAttr, name)] == []
    assert importlib.metadata.version("cuda-bindings")


@pytest.mark.parametrize("name", ["cuda_python", "cuda_pycuda"])
def test_both_libraries_give_the_whole_protocol(name: str) -> None:
    """By its source: pycuda cannot even be imported without a driver."""
    file = Path(edge.runtime.cuda_python.__file__).with_name(f"{name}.py")
    (driver,) = [
        node
        for node in ast.parse(file.read_text()).body
        if isinstance(node, ast.ClassDef) and node.name == "Driver"
    ]
    given = {node.name: node for node in driver.body if isinstance(node, ast.FunctionDef)}
    from edge.runtime.cuda import Cuda

    for call, wanted in inspect.getmembers(Cuda, inspect.isfunction):
        if not call.startswith("_"):
            found = [argument.arg for argument in given[call].args.args]
            assert found == list(inspect.signature(wanted).parameters), call
