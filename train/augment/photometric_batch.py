"""What train/spoil.py does to a picture, for a whole batch on the device that trains.

The numbers are those that were drawn for each picture; only the grains of the noise are others.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional as F

from edge.train.augment.photometric import Exposure, Pair

PICTURES = ("bg", "fg_bg")

LUMA = torch.tensor(
    [
        [16, 11, 10, 16, 24, 40, 51, 61], [12, 12, 14, 19, 26, 58, 60, 55],
        [14, 13, 16, 24, 40, 57, 69, 56], [14, 17, 22, 29, 51, 87, 80, 62],
        [18, 22, 37, 56, 68, 109, 103, 77], [24, 35, 55, 64, 81, 104, 113, 92],
        [49, 64, 78, 87, 103, 121, 120, 101], [72, 92, 95, 98, 112, 100, 103, 99],
    ]
)  # fmt: skip
"""Quantization of brightness at quality 50 (ITU-T T.81, table K.1)."""
CHROMA = torch.full((8, 8), 99)
CHROMA[:4, :4] = torch.tensor(
    [[17, 18, 24, 47], [18, 21, 26, 66], [24, 26, 56, 99], [47, 66, 99, 99]]
)
"""Of the two colours (table K.2)."""
TO_YCC = torch.tensor(
    [[0.114, 0.587, 0.299], [0.5, -0.331264, -0.168736], [-0.081312, -0.418688, 0.5]]
)
"""From blue, green and red to Y, Cb and Cr (JFIF 1.02)."""
FROM_YCC = torch.linalg.inv(TO_YCC)


def stacked(pairs: Sequence[Pair]) -> dict[str, Tensor]:
    """How the pictures of a batch are to be taken: the fields of Exposure by the names of a batch,
    `bg.table` and so on, one row a picture."""
    found = {}
    for name, exposures in zip(PICTURES, zip(*pairs, strict=True), strict=True):
        for key in _FIELDS:
            values = np.stack([_array(getattr(by, key)) for by in exposures])
            found[f"{name}.{key}"] = torch.from_numpy(values)
    return found


_FIELDS = tuple(field.name for field in fields(Exposure))


def _array(value: object) -> npt.NDArray[np.generic]:
    array = np.asarray(value)
    return array.astype(np.float32) if array.dtype.kind == "f" else array


def spoiled(batch: dict[str, Tensor]) -> dict[str, Tensor]:
    """A batch whose pictures are taken as it says, on the device that it is on; one that says
    nothing is given back."""
    if f"{PICTURES[0]}.table" not in batch:
        return batch
    left = {name: value for name, value in batch.items() if "." not in name}
    for name in PICTURES:
        left[name] = exposed(batch[name], {key: batch[f"{name}.{key}"] for key in _FIELDS})
    return left


def exposed(pictures: Tensor, by: dict[str, Tensor]) -> Tensor:
    """The pictures, uint8 [N, H, W, 3] BGR, as they are taken.

    by: the fields of Exposure, one row a picture. The same seeds give the same pictures on the same
    device.
    """
    x = _looked_up(pictures, by["table"])
    x = x.permute(0, 3, 1, 2).float()
    x = _moved(x, by["moved"]).round()
    x = (x * _field(by["light"], x)).clamp(0, 255).floor()
    x = _blurred(x, by["blur"]).round()
    noise, quality = by["noise"].view(-1, 1, 1, 1), by["quality"].view(-1, 1, 1, 1)
    grain = torch.randn(x.shape, generator=_generator(by["seed"]), device=x.device)
    noisy = x + grain * noise * torch.sqrt(0.4 + x / 160) + 0.5
    x = torch.where(noise > 0, noisy.clamp(0, 255).floor(), x)
    x = torch.where(quality > 0, _jpeg(x, quality.clamp(min=1)), x)
    return x.to(torch.uint8).permute(0, 2, 3, 1)


def _generator(seeds: Tensor) -> torch.Generator:
    return torch.Generator(seeds.device).manual_seed(int(seeds.sum()))


def _looked_up(pictures: Tensor, tables: Tensor) -> Tensor:
    flat = pictures.reshape(len(pictures), -1, 3).long()
    return torch.gather(tables, 1, flat).view(pictures.shape)


def _moved(x: Tensor, moved: Tensor) -> Tensor:
    """Bilinear, the border repeated."""
    height, width = x.shape[2:]
    size = torch.tensor([width, height], device=x.device)
    theta = torch.eye(2, 3, device=x.device).repeat(len(x), 1, 1)
    theta[:, :, 2] = -2 * moved / size
    grid = F.affine_grid(theta, list(x.shape), align_corners=False)
    return F.grid_sample(x, grid, padding_mode="border", align_corners=False)


def _field(coarse: Tensor, x: Tensor) -> Tensor:
    """Brightness [N, 1, H, W] from the logarithms on a grid."""
    return F.interpolate(coarse[:, None], x.shape[2:], mode="bicubic", align_corners=False).exp()


def _blurred(x: Tensor, sigma: Tensor) -> Tensor:
    """A Gaussian of three pixels to each side, of each picture's own width."""
    n, channels, height, width = x.shape
    offsets = torch.arange(-3.0, 4, device=x.device)
    kernel = torch.exp(-(offsets**2) / (2 * sigma.clamp(min=1e-3)[:, None] ** 2))
    kernel = (kernel / kernel.sum(1, keepdim=True)).repeat_interleave(channels, 0)
    flat = F.pad(x, (3, 3, 3, 3), mode="reflect").view(1, n * channels, height + 6, width + 6)
    across = F.conv2d(flat, kernel[:, None, None, :], groups=n * channels)
    done = F.conv2d(across, kernel[:, None, :, None], groups=n * channels).view(x.shape)
    return torch.where(sigma.view(-1, 1, 1, 1) < 0.2, x, done)


def _jpeg(x: Tensor, quality: Tensor) -> Tensor:
    """Through a baseline JPEG encoder and decoder with colours at half the resolution; qualities
    scale the tables as libjpeg's do."""
    height, width = x.shape[2:]
    # An encoder, too, fills the last blocks of 16 with the border.
    x = F.pad(x, (0, -width % 16, 0, -height % 16), mode="replicate")
    scale = torch.where(quality < 50, 5000 / quality, 200 - 2 * quality)
    ycc = torch.einsum("oc,nchw->nohw", TO_YCC.to(x.device), x)
    luma = _quantized(ycc[:, :1] - 128, LUMA.to(x.device), scale) + 128
    colours = _quantized(F.avg_pool2d(ycc[:, 1:], 2), CHROMA.to(x.device), scale)
    colours = F.interpolate(colours, scale_factor=2.0, mode="bilinear", align_corners=False)
    back = torch.einsum("oc,nchw->nohw", FROM_YCC.to(x.device), torch.cat([luma, colours], 1))
    return back.round().clamp(0, 255)[:, :, :height, :width]


def _quantized(planes: Tensor, table: Tensor, scale: Tensor) -> Tensor:
    """Planes [N, C, H, W] whose blocks of 8x8 cosines were rounded to multiples of the table."""
    n, channels, height, width = planes.shape
    k = torch.arange(8.0, device=planes.device)
    cosines = torch.cos((2 * k[None] + 1) * k[:, None] * torch.pi / 16) / 2
    cosines[0] /= 2**0.5
    step = ((table * scale + 50) / 100).floor().clamp(1, 255)[:, :, None, None]
    blocks = planes.view(n, channels, height // 8, 8, width // 8, 8).transpose(3, 4)
    found = cosines @ blocks @ cosines.T
    found = (found / step).round() * step
    return (cosines.T @ found @ cosines).transpose(3, 4).reshape(planes.shape)
