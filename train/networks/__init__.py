"""The table of networks: a name, and the function that creates the network.

Every network takes `(bg, fg_bg, spread)`, float [N, 3, H, W] BGR in 0..1, and returns `Outputs` as
its `variant` says; `spread` may be left out. Its attributes: `stride`, the divisor of height and
width; `only`, the one (height, width) at which it works, or None; `heads`, the names of the output
layers, which are never pruned.
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
OURS = ("nano", "tiny", "small")
"""Our own networks, which take the spread of the scene too."""
ONE_VARIANT = {"scene": SceneDepthNetwork.variant}
"""Networks that have one variant only."""


def variant_of(name: str, inputs: str | None = None, outputs: str | None = None) -> Variant:
    """Choose the variant of a network.

    Args:
        name: A name of NETWORKS.
        inputs: Inputs asked for; None for the network's own or `both`.
        outputs: Outputs asked for; None for the network's own or `both`.

    Raises:
        ValueError: There is no such network, or it does not have that variant.
    """
    if name not in NETWORKS:
        raise ValueError(f"unknown network {name!r}; known: {', '.join(NETWORKS)}")
    default = ONE_VARIANT.get(name, Variant("spread") if name in OURS else Variant())
    variant = Variant(inputs or default.inputs, outputs or default.outputs)
    if variant.sees_spread and name not in OURS:
        raise ValueError(f"{name} does not take the spread of a scene; {', '.join(OURS)} do")
    if name in ONE_VARIANT and variant != default:
        raise ValueError(f"{name} has inputs {default.inputs} and outputs {default.outputs} only")
    return variant


def create(name: str, variant: Variant = Variant()) -> nn.Module:  # noqa: B008 (frozen)
    """Create a network with fresh weights.

    Args:
        name: A name of NETWORKS.
        variant: Its inputs and outputs.

    Raises:
        ValueError: As of `variant_of`.
    """
    variant = variant_of(name, variant.inputs, variant.outputs)
    return NETWORKS[name](variant)


def check_size(network: nn.Module, name: str, height: int, width: int) -> None:
    """Check that a network works at an image size.

    Args:
        network: The network.
        name: Its name in the message.
        height: Of the images in pixels.
        width: Of the images in pixels.

    Raises:
        UsageError: It does not.
    """
    if network.only is not None and (height, width) != network.only:
        rows, columns = network.only  # type: ignore[misc]
        raise UsageError(f"--imgsz {width}x{height}: {name} works at {columns}x{rows} only")
    stride = int(network.stride)  # type: ignore[arg-type]
    if height % stride or width % stride:
        raise UsageError(
            f"--imgsz {width}x{height}: width and height must be multiples of {stride},"
            f" the stride of {name}"
        )


def with_weights(
    name: str,
    weights: Mapping[str, Tensor],
    variant: Variant = Variant(),  # noqa: B008 (frozen)
) -> nn.Module:
    """Create a network that holds given weights.

    A pruned network needs no description of its own: the shapes of its weights are one.

    Args:
        name: A name of NETWORKS.
        weights: A state dict with the same number of channels or fewer.
        variant: Inputs and outputs.

    Raises:
        ValueError: The weights are not of this network.
    """
    network = create(name, variant)
    for key, value in network.state_dict().items():
        layer, _, parameter = key.rpartition(".")
        weight = weights.get(key)
        if weight is None or weight.dim() != value.dim():
            raise ValueError(
                f"these are not weights of {name} in this version: {key} is missing or has another"
                " number of dimensions; train again"
            )
        if weight.shape != value.shape:
            _resize(network.get_submodule(layer), parameter, weight)
    network.load_state_dict(weights)
    return network


def _resize(layer: nn.Module, parameter: str, like: Tensor) -> None:
    """Resize a parameter or buffer of a layer to another number of channels."""
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


def network_inputs(batch: Mapping[str, Tensor]) -> tuple[Tensor, ...]:
    """The arguments of a network from a batch's bg, fg_bg and spread, uint8 [N, H, W, 3]."""
    return tuple(normalised(batch[name]) for name in ("bg", "fg_bg", "spread"))


def normalised(images: Tensor) -> Tensor:
    """Convert images to a network's input; training and the exported graph both use this.

    Args:
        images: uint8 [N, H, W, 3] BGR.

    Returns:
        float32 [N, 3, H, W] in 0..1.
    """
    # Cast first: TensorRT takes uint8 as an input and nowhere else in a graph.
    return images.float().permute(0, 3, 1, 2) / 255
