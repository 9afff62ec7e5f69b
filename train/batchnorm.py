"""BatchNorm over the images of all processes.

Without it two processes with half the batch each would train another network than one process with
the whole batch. torch's SyncBatchNorm needs GPUs; this works on any device.
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, distributed, nn
from torch.distributed.nn import functional


def _sum_over_processes(value: Tensor) -> Tensor:
    """The sum over all processes; gradients are summed over them too."""
    return cast(Tensor, functional.all_reduce(value))  # type: ignore[no-untyped-call]


class SharedBatchNorm(nn.BatchNorm2d):
    """nn.BatchNorm2d with mean and variance over the batches of all processes."""

    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            return super().forward(x)
        count = x.numel() // x.shape[1] * distributed.get_world_size()
        # Sums in float32 under mixed precision too: they run over up to a million values.
        wide = x.float()
        mean = _sum_over_processes(wide.sum((0, 2, 3))) / count
        centred = wide - mean[:, None, None]
        variance = _sum_over_processes((centred**2).sum((0, 2, 3))) / count
        if self.running_mean is not None and self.running_var is not None:
            assert self.num_batches_tracked is not None and self.momentum is not None
            with torch.no_grad():
                self.num_batches_tracked.add_(1)
                self.running_mean.lerp_(mean, self.momentum)
                self.running_var.lerp_(variance * count / (count - 1), self.momentum)
        scale = self.weight * (variance + self.eps).rsqrt()
        y = centred * scale[:, None, None] + self.bias[:, None, None]
        return y.to(x.dtype)


def share_batchnorm(network: nn.Module) -> nn.Module:
    """Share the BatchNorm layers of a network between all processes, in place."""
    for module in network.modules():
        if type(module) is nn.BatchNorm2d:
            module.__class__ = SharedBatchNorm
    return network
