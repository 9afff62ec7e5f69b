"""MACs and parameters, compared with the counts of torch."""

from __future__ import annotations

import onnx
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from edge.graph.profile import macs, parameters
from tests.edge.graph.test_fold import IMAGE_SHAPE
from tests.edge.graph.test_split_concat import Grouped, exported


def test_macs_are_half_of_the_flops_that_torch_counts() -> None:
    network = Grouped()
    with FlopCounterMode(display=False) as counter:
        network(torch.zeros(1, 3, *IMAGE_SHAPE[1:3]), torch.zeros(1, 3, *IMAGE_SHAPE[1:3]))
    assert macs(exported(network)) == counter.get_total_flops() // 2


def test_parameters_are_those_of_the_module() -> None:
    network: nn.Module = Grouped()
    model: onnx.ModelProto = exported(network)
    assert parameters(model) == sum(p.numel() for p in network.parameters())
