"""Networks: ONNX files and checkpoints, whole or refused, and never a program that is run."""

from __future__ import annotations

import io
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto

from edge.calibrate.pipeline import BuildRequest, load_network
from edge.graph.contract import OUTPUTS
from edge.graph.depth_network import read_depth_network
from edge.graph.fold import split
from edge.graph.resize import image_size
from tests.tiny_network import tiny

from .examples import examples, outcome
from .mutations import JSON, damaged

torch = pytest.importorskip("torch")

from edge.train.checkpoint import load, load_run, network_of  # noqa: E402

TINY = tiny()
TINY_BYTES = TINY.SerializeToString()
WORDS = st.sampled_from(["bg", "fg_bg", "mask", "depth", "w1", "both", "relu", "", "x", "Ünknown",
                         "Relu", "Conv", "Concat", "Loop", "If", "Resize", "Einsum"])  # fmt: skip


@st.composite
def models(draw: st.DrawFn) -> bytes:
    """The tiny network with some parts changed, well-formed as protobuf."""
    model = onnx.ModelProto()
    model.CopyFrom(TINY)
    graph = model.graph
    for _ in range(draw(st.sampled_from([0, 1, 1, 1, 2, 3]))):
        node = graph.node[draw(st.integers(0, len(graph.node) - 1))]
        value = draw(st.sampled_from([*graph.input, *graph.output]))
        change = draw(st.integers(0, 12))
        if change == 0 and node.input:
            node.input[draw(st.integers(0, len(node.input) - 1))] = draw(WORDS)
        elif change == 1 and node.output:
            node.output[0] = draw(WORDS)
        elif change == 2:
            node.op_type = draw(WORDS)
        elif change == 3 and node.attribute:
            attribute = node.attribute[0]
            attribute.i = draw(st.sampled_from([-1, 0, 1, 2, 9, 10**9, 2**62]))
            if attribute.ints:
                attribute.ints[0] = draw(st.sampled_from([-1, 0, 1, 2, 3, 10**9]))
        elif change == 4 and node.attribute:
            del node.attribute[:]
        elif change == 5 and value.type.tensor_type.shape.dim:
            side = value.type.tensor_type.shape.dim[draw(st.integers(0, 3)) % 4]
            side.dim_value = draw(st.sampled_from([-1, 0, 1, 2, 3, 17, 10**9]))
        elif change == 6:
            value.type.tensor_type.elem_type = draw(st.integers(-1, 24))
        elif change == 7:
            value.name = draw(WORDS)
        elif change == 8:
            weights = graph.initializer[draw(st.integers(0, len(graph.initializer) - 1))]
            part = draw(st.integers(0, 4))
            if part == 0:
                weights.dims[:] = draw(st.lists(st.integers(-1, 5), max_size=4))
            elif part == 1:
                weights.data_type = draw(st.integers(-1, 24))
            elif part == 2:
                weights.raw_data = draw(st.binary(max_size=16))
            elif part == 3:
                weights.name = draw(WORDS)
            else:
                weights.data_location = TensorProto.EXTERNAL
                place = draw(st.sampled_from(["/etc/passwd", "../x", "x", ""]))
                weights.external_data.add(key="location", value=place)
        elif change == 9:
            del graph.node[draw(st.integers(0, len(graph.node) - 1))]
        elif change == 10:
            model.opset_import[0].version = draw(st.sampled_from([-1, 0, 1, 7, 11, 13, 99, 2**40]))
        elif change == 11:
            model.ir_version = draw(st.sampled_from([-1, 0, 1, 3, 4, 99]))
        else:
            model.metadata_props.add(key="stride", value=draw(st.text(max_size=4)))
        if not graph.node:
            break
    return model.SerializeToString()


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("fuzz") / "network.onnx"


def check_network(file: Path) -> None:
    found = outcome(lambda: load_network(BuildRequest(model=file)))
    if found is None:
        return
    model, name = found
    onnx.checker.check_model(model)
    assert name == file.stem and image_size(model)
    assert {value.name for value in model.graph.output} <= set(OUTPUTS)
    outcome(lambda: split(model))


def test_what_is_mutated_is_good(file: Path) -> None:
    file.write_bytes(TINY_BYTES)
    model, _ = load_network(BuildRequest(model=file))
    assert split(model).background is not None


def test_what_is_mutated_is_a_checkpoint(file: Path) -> None:
    place = file.with_suffix(".pt")
    place.write_bytes(STATE_BYTES)
    assert load(place)["network"] == "nano"
    assert load_run(place)["step"] == 3


@given(data=models())
@examples(share=100, night=6_000)
def test_a_network_with_other_parts(file: Path, data: bytes) -> None:
    file.write_bytes(data)
    check_network(file)


@given(data=damaged(TINY_BYTES) | st.binary(max_size=80))
@examples(share=80, night=5_000)
def test_a_damaged_network(file: Path, data: bytes) -> None:
    file.write_bytes(data)
    check_network(file)


@given(data=models() | damaged(TINY_BYTES), text=st.none() | st.text(max_size=12)
       | st.sampled_from(["imagenet,inverse", "unit,metric", "imagenet", ","]))  # fmt: skip
@examples(share=30, night=1_000)
def test_a_depth_network(file: Path, data: bytes, text: str | None) -> None:
    file.write_bytes(data)
    outcome(lambda: read_depth_network(file, text, "imagenet,inverse"))


def saved(value: Any) -> bytes:
    stream = io.BytesIO()
    torch.save(value, stream)
    return stream.getvalue()


STATE: dict[str, Any] = {
    "network": "nano", "weights": {"a.weight": torch.zeros(2, 3)}, "recipe": {"imgsz": 64},
    "variant": {"inputs": "spread", "outputs": "both"}, "scores": {"score": 0.5}, "step": 3,
    "precision": {}, "scene_kept": False, "learners": [{"network": "nano"}],
}  # fmt: skip
STATE_BYTES = saved({key: value for key, value in STATE.items() if key != "learners"})
VALUES = JSON | st.builds(torch.zeros, st.integers(0, 3)) | st.just({"nano": torch.ones(1)})


@st.composite
def states(draw: st.DrawFn) -> bytes:
    """A state of a checkpoint with some keys away and others of another kind."""
    keys = draw(st.sets(st.sampled_from(sorted(STATE))))
    state = {key: value for key, value in STATE.items() if key not in keys}
    state |= draw(st.dictionaries(st.sampled_from(sorted(STATE)) | st.text(max_size=4), VALUES,
                                  max_size=3))  # fmt: skip
    return saved(draw(st.sampled_from([state, state, state, list(state.items()), None, 3])))


class Evil:
    """Unpickled, it writes a file."""

    def __init__(self, place: str) -> None:
        self.place = place

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return open, (self.place, "w")


def check_checkpoint(file: Path) -> None:
    for read in (load, load_run):
        state = outcome(lambda read=read: read(file))
        if state is not None:
            assert isinstance(state, dict)
    outcome(lambda: network_of(file))


@given(data=damaged(STATE_BYTES) | st.binary(max_size=64))
@examples(share=60, night=2_000)
def test_a_damaged_checkpoint(file: Path, data: bytes) -> None:
    place = file.with_suffix(".pt")
    place.write_bytes(data)
    check_checkpoint(place)


@given(data=states())
@examples(share=50, night=1_500)
def test_a_checkpoint_of_other_values(file: Path, data: bytes) -> None:
    place = file.with_suffix(".pt")
    place.write_bytes(data)
    check_checkpoint(place)


@given(value=states(), name=st.sampled_from(["archive/data.pkl", "data.pkl", "x/data.pkl"]))
@examples(share=10, night=500)
def test_no_program_in_a_checkpoint_is_run(file: Path, value: bytes, name: str) -> None:
    place, trace = file.with_suffix(".pt"), file.with_name("trace")
    stream = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(value)) as good, zipfile.ZipFile(stream, "w") as bad:
        for member in good.namelist():
            if not member.endswith("data.pkl"):
                bad.writestr(member, good.read(member))
        bad.writestr(name, pickle.dumps({"network": Evil(str(trace)), "weights": {}}))
    for data in (stream.getvalue(), pickle.dumps(Evil(str(trace)))):
        place.write_bytes(data)
        check_checkpoint(place)
        assert not trace.exists()
