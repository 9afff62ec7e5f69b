"""The networks by name. One table: a name, and what makes the network.

Every network takes `(bg, fg_bg)`, float [N, 3, H, W] BGR in 0..1, and gives `Outputs` as its
`variant` says. It has `stride`, which height and width must be multiples of, `only`, the one
(height, width) at which it works or None, and `heads`, the names of the layers whose channels are
its answer and never pruned.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from torch import Tensor, nn

from edge.errors import UsageError
from edge.train.networks.grouped import grouped
from edge.train.networks.resunet import resunet
from edge.train.networks.scene import SceneDepthNetwork
from edge.train.networks.transposed import transposed, transposed_seed
from edge.train.networks.unet import UNet
from edge.train.networks.variant import Variant

NETWORKS: dict[str, Callable[[Variant], nn.Module]] = {
    "nano": lambda variant: UNet((16, 32, 32, 64), variant),
    "tiny": lambda variant: UNet((16, 32, 64, 128), variant),
    "small": lambda variant: UNet((16, 48, 96, 128), variant),
    "transposed": transposed,
    "transposed-seed": transposed_seed,
    "resunet": resunet,
    "grouped": grouped,
    "scene": lambda variant: SceneDepthNetwork(),
}
ONE_VARIANT = {"scene": SceneDepthNetwork.variant}
"""Networks that come in one variant."""


def variant_of(name: str, inputs: str | None = None, outputs: str | None = None) -> Variant:
    """The variant that is asked for; what is not said is the network's only one, or both.

    ValueError where there is no such network, or it does not come in that variant.
    """
    if name not in NETWORKS:
        raise ValueError(f"unknown network {name!r}; known: {', '.join(NETWORKS)}")
    usual = ONE_VARIANT.get(name, Variant())
    asked = Variant(inputs or usual.inputs, outputs or usual.outputs)
    if name in ONE_VARIANT and asked != usual:
        raise ValueError(f"{name} sees {usual.inputs} and gives {usual.outputs}, no other")
    return asked


def create(name: str, variant: Variant = Variant()) -> nn.Module:  # noqa: B008 (frozen)
    """A network with fresh weights; ValueError as of `variant_of`."""
    variant = variant_of(name, variant.inputs, variant.outputs)
    return NETWORKS[name](variant)


def check_size(network: nn.Module, name: str, height: int, width: int) -> None:
    """UsageError where the network does not work on pictures of that size."""
    if network.only is not None and (height, width) != network.only:
        rows, columns = network.only  # type: ignore[misc]
        raise UsageError(f"--imgsz {width}x{height}: {name} works at {columns}x{rows} only")
    stride = int(network.stride)  # type: ignore[arg-type]
    if height % stride or width % stride:
        raise UsageError(
            f"--imgsz {width}x{height}: sides must be multiples of {stride}, the stride of {name}"
        )


def with_weights(
    name: str,
    weights: Mapping[str, Tensor],
    variant: Variant = Variant(),  # noqa: B008 (frozen)
) -> nn.Module:
    """A network of the table that holds `weights`, a state dict with as many channels or fewer.

    What was pruned needs no description of its own: the shapes of the weights are one.
    ValueError where they are not of this network.
    """
    network = create(name, variant)
    for key, value in network.state_dict().items():
        place, _, parameter = key.rpartition(".")
        found = weights.get(key)
        if found is None or found.dim() != value.dim():
            raise ValueError(
                f"these are no weights of {name} as it is in this version: {key} is missing or of"
                " another kind; train again"
            )
        if found.shape != value.shape:
            _resize(network.get_submodule(place), parameter, found)
    network.load_state_dict(weights)
    return network


def _resize(layer: nn.Module, parameter: str, like: Tensor) -> None:
    """Make room in a layer for a parameter or buffer of another number of channels."""
    fresh = like.new_zeros(like.shape)
    old = getattr(layer, parameter)
    setattr(layer, parameter, nn.Parameter(fresh) if isinstance(old, nn.Parameter) else fresh)
    if parameter != "weight":
        return
    if isinstance(layer, nn.Conv2d):
        layer.out_channels, layer.in_channels = like.shape[0], like.shape[1] * layer.groups
    elif isinstance(layer, nn.ConvTranspose2d):
        layer.in_channels, layer.out_channels = like.shape[0], like.shape[1] * layer.groups
    elif isinstance(layer, nn.BatchNorm2d):
        layer.num_features = like.shape[0]


def normalised(pictures: Tensor) -> Tensor:
    """What networks take of pictures: uint8 [N, H, W, 3] to float [N, 3, H, W] in 0..1.

    Training and the exported graph both come through here.
    """
    # Cast first: TensorRT takes uint8 as an input and nowhere else in a graph.
    return pictures.float().permute(0, 3, 1, 2) / 255
