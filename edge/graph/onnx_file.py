"""Read an ONNX file, of whatever contract; a damaged one is refused before anything uses it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import onnx
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import DecodeError, Message
from onnx import numpy_helper

from edge.errors import EdgeError


def read_onnx(path: Path) -> onnx.ModelProto:
    """Read and check an ONNX file.

    Raises:
        EdgeError: It cannot be read, or is no ONNX network.
    """
    try:
        model = onnx.load(path)
        # Since IR version 4 an initializer need not be an input as well.
        model.ir_version = max(model.ir_version, 4) if model.ir_version else 0
        onnx.checker.check_model(model)
    except OSError as error:
        raise EdgeError(f"cannot read {path}: {error.strerror or error}") from error
    except (DecodeError, ValueError, onnx.checker.ValidationError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else "cannot be parsed"
        raise EdgeError(f"{path} is not an ONNX network: {reason}") from error
    _check_texts(path, model)
    _check_tensors(path, model)
    return model


def _check_texts(path: Path, message: Message) -> None:
    """EdgeError where a text is no UTF-8, which protobuf hands out as bytes."""
    for field, value in message.ListFields():
        if field.type == FieldDescriptor.TYPE_MESSAGE:
            for inner in [value] if isinstance(value, Message) else value:
                _check_texts(path, inner)
        elif field.type == FieldDescriptor.TYPE_STRING:
            texts = [value] if isinstance(value, str | bytes) else value
            if any(isinstance(text, bytes) for text in texts):
                raise EdgeError(
                    f"{path} is damaged: its {field.containing_type.name}.{field.name} is no UTF-8",
                    "export it again",
                )


def _check_tensors(path: Path, model: onnx.ModelProto) -> None:
    """EdgeError where a tensor has not the bytes of its shape, which the checker does not count, or
    an unknown type."""
    graph = model.graph
    for value in (*graph.input, *graph.output, *graph.value_info):
        kind = value.type.tensor_type.elem_type
        if kind not in onnx.TensorProto.DataType.values():
            raise EdgeError(f"{path} is damaged: {value.name} is of the unknown data type {kind}",
                            "export it again")  # fmt: skip
    nodes = [node for function in model.functions for node in function.node]
    for tensor in (*_tensors(model.graph), *_of_nodes(nodes)):
        try:
            numpy_helper.to_array(tensor)
        except (ValueError, TypeError, KeyError) as error:
            shape = list(tensor.dims)
            raise EdgeError(
                f"{path} is damaged: the values of its tensor {tensor.name or 'without a name'} are"
                f" not those of the shape {shape} and data type {tensor.data_type}",
                "export it again",
            ) from error


def _tensors(graph: onnx.GraphProto) -> Iterator[onnx.TensorProto]:
    yield from graph.initializer
    yield from _of_nodes(graph.node)


def _of_nodes(nodes: Iterable[onnx.NodeProto]) -> Iterator[onnx.TensorProto]:
    for attribute in (attribute for node in nodes for attribute in node.attribute):
        if attribute.HasField("t"):
            yield attribute.t
        yield from attribute.tensors
        for inner in (*([attribute.g] if attribute.HasField("g") else []), *attribute.graphs):
            yield from _tensors(inner)
