"""Training with int8 arithmetic: what is trained is what is built."""

from __future__ import annotations

import numpy as np
import onnxruntime
import pytest
import torch
from torch import nn

from edge.calibrate.pipeline import BuildRequest, plan
from edge.calibrate.qdq import SCHEMES
from edge.samples.sample import Sample
from edge.targets import targets
from edge.train.data.mix import collate
from edge.train.export import to_onnx
from edge.train.folding import folded_norms
from edge.train.networks import create, normalised, with_weights
from edge.train.qat import FakeQuant, FakeQuantLayer, Quantized, fake_quantize


@pytest.fixture
def network() -> nn.Module:
    torch.manual_seed(2)
    made = create("nano")
    for module in made.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.3, 1)
            module.bias.data.normal_(0, 0.1)
    return made.eval()


def int8_graph(network: nn.Module, target: str, samples: list[Sample]) -> list[list[np.ndarray]]:
    """What the graphs of an int8 build give for the samples (optimisation off)."""
    float_network = to_onnx(network, "n", 64, 64)
    int8_plan = plan(BuildRequest(target=target), network=float_network, samples=samples)
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    background = onnxruntime.InferenceSession(
        int8_plan.split.background.SerializeToString(), options
    )
    frame = onnxruntime.InferenceSession(int8_plan.frame.SerializeToString(), options)
    found = []
    for sample in samples:
        scene = background.run(list(int8_plan.split.scene), {"bg": sample.bg[None]})
        feeds = dict(zip(int8_plan.split.scene, scene, strict=True))
        found.append(frame.run(["mask", "depth"], {"fg_bg": sample.fg_bg[None], **feeds}))
    return found


@pytest.mark.slow
@pytest.mark.parametrize("target", ["openvino", "tensorrt"])
def test_it_computes_what_the_int8_build_computes(
    target: str, network: nn.Module, samples: list[Sample]
) -> None:
    quantized = Quantized(network, SCHEMES[targets()[target].scheme])
    quantized.calibrate([collate([sample]) for sample in samples])
    built = int8_graph(network, target, samples)
    ours, floats = [], []
    for sample, (mask, depth) in zip(samples, built, strict=True):
        batch = collate([sample])
        pair = normalised(batch["bg"]), normalised(batch["fg_bg"])
        with torch.no_grad():
            logits, found = quantized(*pair)
            plain, _ = network(*pair)
        ours.append(np.abs(torch.sigmoid(logits).numpy() - mask).mean())
        floats.append(np.abs(torch.sigmoid(plain).numpy() - mask).mean())
        assert np.abs(found.numpy() - depth).mean() < 2e-4
    # Equal but for sums that fall on a border between two steps, in another order of addition.
    assert np.mean(ours) < 0.5 * np.mean(floats)


@pytest.mark.slow
@pytest.mark.parametrize("target", ["openvino", "tensorrt"])
def test_as_many_pairs_as_in_the_graph_that_is_built(
    target: str, network: nn.Module, samples: list[Sample]
) -> None:
    float_network = to_onnx(network, "n", 64, 64)
    int8_plan = plan(BuildRequest(target=target), network=float_network, samples=samples[:1])
    kinds = [node.op_type for node in int8_plan.frame.graph.node]
    modules = list(Quantized(network, SCHEMES[targets()[target].scheme]).modules())
    found = sum(isinstance(module, FakeQuant) for module in modules)
    assert found == kinds.count("QuantizeLinear")
    assert sum(isinstance(module, FakeQuantLayer) for module in modules) == 13


def test_the_plain_weights_compute_the_same_in_float(network: nn.Module) -> None:
    quantized = Quantized(network, SCHEMES["u8"])
    quantized.calibrate([])
    with torch.no_grad():
        for parameter in quantized.parameters():
            parameter.add_(0.01 * torch.randn_like(parameter))
        pair = torch.rand(2, 1, 3, 64, 96)
        plain = with_weights("nano", quantized.weights(network)).eval()
        every = sum(isinstance(part, nn.BatchNorm2d) for part in plain.modules())
        assert len(folded_norms(plain)) == every  # which training in float measures first
        for module in quantized.modules():
            if isinstance(module, FakeQuantLayer):
                module.exact = True
            elif isinstance(module, FakeQuant):
                module.forward = lambda x: x  # type: ignore[method-assign]
        for a, b in zip(plain(*pair), quantized(*pair), strict=True):
            assert torch.allclose(a, b, atol=1e-5)


def test_gradients_pass_through_the_rounding_and_end_where_it_clips() -> None:
    x = torch.tensor([-1.0, 0.24, 0.26, 0.9, 3.0], requires_grad=True)
    y = fake_quantize(x, torch.tensor(0.5), torch.tensor(2.0), 0, 4)
    assert y.tolist() == [-1.0, 0.0, 0.5, 1.0, 1.0]
    y.sum().backward()
    assert x.grad is not None
    assert x.grad.tolist() == [1, 1, 1, 1, 0]


def test_the_given_network_is_not_changed(network: nn.Module) -> None:
    before = {name: value.clone() for name, value in network.state_dict().items()}
    Quantized(network, SCHEMES["u8"])
    after = network.state_dict()
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)
