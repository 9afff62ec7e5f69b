from __future__ import annotations

import copy

import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from edge.train.learner import averaged


def test_the_average_is_the_one_of_torch_once_it_is_old() -> None:
    """Young it follows faster: the n-th value counts at least 9 / (10 + n)."""
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4))
    ours = averaged(network, 0.9)
    reference = AveragedModel(network, multi_avg_fn=get_ema_multi_avg_fn(0.9), use_buffers=True)
    for count in range(100):
        with torch.no_grad():
            for value in network.parameters():
                value += torch.randn_like(value)
        network(torch.rand(2, 3, 8, 8))
        before = copy.deepcopy(ours.module)
        ours.update_parameters(network)
        if count == 85:  # from (1 + n) / (10 + n) >= 0.9 on they are the same
            reference.module.load_state_dict(before.state_dict())
            reference.n_averaged.fill_(count)
        if count >= 85:
            reference.update_parameters(network)
        if count == 4:
            share = 9 / 14
            old, new = before[0].weight, network[0].weight
            assert torch.allclose(ours.module[0].weight, old + share * (new - old), atol=1e-6)
    for name, value in ours.module.state_dict().items():
        if not value.is_floating_point():  # torch averages counts as well, and rounds them
            continue
        assert torch.allclose(value, reference.module.state_dict()[name], atol=1e-6), name
    assert int(ours.module[1].num_batches_tracked) == 100
