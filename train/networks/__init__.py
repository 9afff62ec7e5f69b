"""The networks by name. One table: a name, and what makes the network.

Every network takes `(bg, fg_bg)`, float [N, 3, H, W] BGR in 0..1, gives the mask's logits and the
depth, float [N, 1, H, W], and has `stride`, which height and width must be multiples of.
"""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn

from train.networks.unet import UNet

NETWORKS: dict[str, Callable[[], nn.Module]] = {
    "nano": lambda: UNet((16, 32, 32, 64)),
    "tiny": lambda: UNet((16, 32, 64, 128)),
    "small": lambda: UNet((16, 48, 96, 128)),
}


def create(name: str) -> nn.Module:
    """A network with fresh weights. An unknown name is a ValueError that lists the known ones."""
    if name not in NETWORKS:
        raise ValueError(f"unknown network {name!r}; known: {', '.join(NETWORKS)}")
    return NETWORKS[name]()


def normalised(pictures: Tensor) -> Tensor:
    """What networks take of pictures: uint8 [N, H, W, 3] to float [N, 3, H, W] in 0..1.

    Training and the exported graph both come through here.
    """
    # Cast first: TensorRT takes uint8 as an input and nowhere else in a graph.
    return pictures.float().permute(0, 3, 1, 2) / 255
