"""The seed's ConvTranspose network ("width of 2"), and a repaired form of it.

Three blocks are shared: one for downsampling (called three times), one that doubles the size (three
times), one for the decoder (seven times). The seed's summary counts a shared block at each call,
1,190,272 parameters; the module holds 284,672 (one output) or 284,704 (two).
"""

from __future__ import annotations

from torch import Tensor, nn

from edge.train.networks.variant import Stacked, Variant, channels

SIDE = 64
"""The only height and width at which the inner sizes of the seed's form match."""


def conv(
    inputs: int, outputs: int, kernel: int, groups: int, padding: int = 0, transposed: bool = False
) -> nn.Sequential:
    """(Transposed) convolution without bias, BatchNorm, ReLU."""
    kind = nn.ConvTranspose2d if transposed else nn.Conv2d
    return nn.Sequential(
        kind(inputs, outputs, kernel, padding=padding, groups=groups, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(),
    )


def doubling(kernel: int, groups: int) -> nn.Sequential:
    """ConvTranspose of stride 2, BatchNorm, ReLU."""
    return nn.Sequential(
        nn.ConvTranspose2d(32, 32, kernel, 2, groups=groups, bias=False),
        nn.BatchNorm2d(32),
        nn.ReLU(),
    )


def down(groups: int, padding: int) -> nn.Sequential:
    """Convolutions that widen to 256 channels and return to 32, then 2x2 max pooling."""
    return nn.Sequential(
        conv(32, 64, 3, groups, padding),
        conv(64, 128, 3, groups, padding),
        conv(128, 256, 3, groups, padding),
        conv(256, 32, 1, groups),
        nn.MaxPool2d(2),
    )


def up(groups: int, padding: int) -> nn.Sequential:
    """Transposed convolutions that widen to 128 channels and return to 32."""
    return nn.Sequential(
        conv(32, 64, 3, groups, padding, transposed=True),
        conv(64, 128, 3, groups, padding, transposed=True),
        conv(128, 64, 3, groups, padding, transposed=True),
        conv(64, 32, 1, groups, transposed=True),
    )


class SeedBody(nn.Module):
    """The seed's form: no padding, every layer in two groups.

    It works at 64x64 only, and features of `bg` and frame meet in the last layer, which is linear:
    it cannot compare them.
    """

    def __init__(self, inputs: int, outputs: int, groups: int) -> None:
        super().__init__()
        self.initial = conv(inputs, 32, 3, groups)
        self.down = down(groups, 0)
        self.enlarge = doubling(1, groups)
        self.up = up(groups, 0)
        self.pool = nn.AvgPool2d(2)
        self.last = nn.Conv2d(32, outputs, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        x = self.initial(x)  # 62
        for _ in range(3):
            x = self.down(x)  # 28, 11, 2
        x = self.enlarge(x)  # 3
        for _ in range(3):
            x = self.up(x)  # 9, 15, 21
        x = self.enlarge(x)  # 41
        for _ in range(3):
            x = self.up(x)  # 47, 53, 59
        x = self.pool(self.enlarge(x))  # 117, 58
        return self.last(self.up(x))  # type: ignore[no-any-return]


class RepairedBody(nn.Module):
    """The same blocks, shared in the same way, with padding and without groups.

    `bg` and frame meet in the first layer, any multiple of 8 works, and doubling fills all four
    pixels (the seed's 1x1 kernel of stride 2 leaves three of four zero).
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.initial = conv(inputs, 32, 3, 1, 1)
        self.down = down(1, 1)
        self.enlarge = doubling(2, 1)
        self.up = up(1, 1)
        self.last = nn.Conv2d(32, outputs, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        x = self.initial(x)
        for _ in range(3):
            x = self.down(x)
        for _ in range(3):
            x = self.up(self.enlarge(x))
        return self.last(x)  # type: ignore[no-any-return]


def transposed_seed(variant: Variant) -> nn.Module:
    """Create the network in the seed's form."""
    inputs, outputs = channels(variant)
    body = SeedBody(inputs, outputs, 2 if variant.sees_bg else 1)
    return Stacked(body, variant, stride=SIDE, head="last", only=(SIDE, SIDE))


def transposed(variant: Variant) -> nn.Module:
    """Create the network in its repaired form."""
    return Stacked(RepairedBody(*channels(variant)), variant, stride=8, head="last")
