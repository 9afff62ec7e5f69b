"""Turn inputs of a serialized ONNX model into constants, without the onnx package.

A scene's tensors are constants until the background changes. As inputs they would be converted
and laid out anew at every frame; as initializers the runtime does that once. An ONNX file is a
protocol buffer (https://protobuf.dev/programming-guides/encoding), and of its fields only three
matter here: ModelProto.graph, GraphProto.input and GraphProto.initializer (onnx.proto).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

GRAPH = 7  # in ModelProto
INITIALIZER, INPUT = 5, 11  # in GraphProto
DIMS, DATA_TYPE, NAME, RAW_DATA = 1, 2, 8, 9  # in TensorProto
VALUE_NAME = 1  # in ValueInfoProto
TYPES = {"float32": 1, "uint8": 2, "int8": 3, "int32": 6, "int64": 7, "float16": 10}
"""TensorProto.DataType by numpy's names."""

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _field(number: int, payload: bytes) -> bytes:
    return _varint(number << 3 | BYTES) + _varint(len(payload)) + payload


def _read_varint(data: memoryview, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at


def _fields(data: memoryview) -> Iterator[tuple[int, memoryview, memoryview]]:
    """Each field as (number, payload, the field's own bytes)."""
    at = 0
    while at < len(data):
        start = at
        key, at = _read_varint(data, at)
        kind = key & 7
        begin = at
        if kind == VARINT:
            _, at = _read_varint(data, at)
        elif kind == FIXED64:
            at += 8
        elif kind == FIXED32:
            at += 4
        elif kind == BYTES:
            size, begin = _read_varint(data, at)
            at = begin + size
        else:
            raise ValueError(f"not an ONNX model: wire type {kind}")
        yield key >> 3, data[begin:at], data[start:at]


def _tensor(name: str, value: npt.NDArray[Any]) -> bytes:
    dims = b"".join(_varint(DIMS << 3 | VARINT) + _varint(side) for side in value.shape)
    return (
        dims
        + _varint(DATA_TYPE << 3 | VARINT)
        + _varint(TYPES[value.dtype.name])
        + _field(NAME, name.encode())
        + _field(RAW_DATA, np.ascontiguousarray(value, value.dtype.newbyteorder("<")).tobytes())
    )


def with_constants(model: bytes, values: Mapping[str, npt.NDArray[Any]]) -> bytes:
    """The model with the inputs named in `values` replaced by initializers of TYPES.

    ValueError if the model has no input of such a name.
    """
    found: set[str] = set()
    out = bytearray()
    for number, payload, whole in _fields(memoryview(model)):
        if number != GRAPH:
            out += whole
            continue
        graph = bytearray()
        for part, inner, raw in _fields(payload):
            if part == INPUT:
                name = next(bytes(v).decode() for n, v, _ in _fields(inner) if n == VALUE_NAME)
                if name in values:
                    found.add(name)
                    continue
            graph += raw
        for name, value in values.items():
            graph += _field(INITIALIZER, _tensor(name, value))
        out += _field(GRAPH, bytes(graph))
    if absent := set(values) - found:
        raise ValueError(f"the model has no input named {', '.join(sorted(absent))}")
    return bytes(out)
