"""ONNX's own tests of single operators (onnx.backend.test), in forms that the rewrites look for."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from edge.runtime.ort import ort

Arrays = dict[str, np.ndarray]


@dataclass(frozen=True)
class Case:
    """One test: a model of one node, its inputs by name, and the outputs that it must give."""

    name: str
    model: onnx.ModelProto
    inputs: Arrays
    outputs: Arrays
    rtol: float
    atol: float

    @property
    def node(self) -> onnx.NodeProto:
        return self.model.graph.node[0]

    def differs(self, found: Arrays, true: Arrays | None = None) -> str:
        """Why results are not those of the test, or `true`; empty where they are."""
        for name, expected in (self.outputs if true is None else true).items():
            value = np.asarray(found[name])
            if (value.shape, value.dtype) != (expected.shape, expected.dtype):
                return f"{self.name}: {value.dtype} {value.shape}, expected {expected.dtype}"
            if not np.allclose(value, expected, self.rtol, self.atol, equal_nan=True):
                return f"{self.name}: {name} is not what it must be"
        return ""


@functools.cache
def all_cases() -> tuple[Case, ...]:
    """Those of one node and of tensors that numpy holds."""
    from onnx.backend.test.loader import load_model_tests

    cases = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        loaded = load_model_tests(kind="node")
    for test in loaded:
        graph = test.model.graph
        inputs, outputs = ([_array(value) for value in values] for values in test.data_sets[0])
        if len(graph.node) != 1 or not all(
            isinstance(value, np.ndarray) and value.dtype.kind in "biuf"
            for value in (*inputs, *outputs)
        ):
            continue
        cases.append(
            Case(
                test.name,
                test.model,
                dict(zip([v.name for v in graph.input], inputs, strict=False)),
                dict(zip([v.name for v in graph.output], outputs, strict=False)),
                test.rtol or 1e-3,
                test.atol or 1e-6,
            )
        )
    return tuple(cases)


def _array(value: Any) -> Any:
    if isinstance(value, onnx.TensorProto):
        return numpy_helper.to_array(value)
    return np.asarray(value) if isinstance(value, np.generic) else value


def cases(*operators: str, where: Callable[[Case], bool] = lambda case: True) -> list[Case]:
    """The tests of some operators."""
    found = [case for case in all_cases() if case.node.op_type in operators and where(case)]
    assert not set(operators).difference(case.node.op_type for case in found)
    return found


def is_float(case: Case) -> bool:
    """Whether its first input and its outputs are float32."""
    first = next(iter(case.inputs.values()))
    return all(value.dtype == np.float32 for value in (first, *case.outputs.values()))


def model_of(
    nodes: Sequence[onnx.NodeProto],
    inputs: Arrays,
    outputs: Sequence[str],
    constants: Arrays,
    like: onnx.ModelProto,
) -> onnx.ModelProto:
    """A model with the opset of `like`; the types of its outputs are inferred."""
    graph = helper.make_graph(
        list(nodes),
        "case",
        [
            helper.make_tensor_value_info(n, helper.np_dtype_to_tensor_dtype(v.dtype), v.shape)
            for n, v in inputs.items()
        ],
        [helper.make_tensor_value_info(name, TensorProto.UNDEFINED, None) for name in outputs],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(
        graph, opset_imports=list(like.opset_import), ir_version=like.ir_version
    )
    typed = onnx.shape_inference.infer_shapes(model, data_prop=True)
    kinds = {v.name: v for v in typed.graph.value_info}
    for value in typed.graph.output:
        if value.name in kinds:
            value.CopyFrom(kinds[value.name])
    return typed


def with_constants(case: Case, given: int = 1) -> onnx.ModelProto:
    """The model of a test with all inputs but the first `given` as constants."""
    names = list(case.inputs)
    return model_of(
        [case.node],
        {n: case.inputs[n] for n in names[:given]},
        list(case.outputs),
        {n: case.inputs[n] for n in names[given:]},
        case.model,
    )


def reference(model: onnx.ModelProto, inputs: Arrays) -> Arrays:
    """What onnx's own implementation gives."""
    names = [value.name for value in model.graph.output]
    read = {value.name: inputs[value.name] for value in model.graph.input}
    return dict(zip(names, ReferenceEvaluator(model).run(names, read), strict=True))


def onnx_runtime(model: onnx.ModelProto, inputs: Arrays) -> Arrays:
    """What ONNX Runtime gives, without its optimizer."""
    options: Any = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads, options.log_severity_level = 1, 4
    session = ort.InferenceSession(model.SerializeToString(), options)
    names = [value.name for value in model.graph.output]
    read = {value.name: inputs[value.name] for value in model.graph.input}
    return dict(zip(names, session.run(names, read), strict=True))
