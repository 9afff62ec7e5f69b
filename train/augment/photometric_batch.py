"""Photometric augmentation of whole batches on the training device.

It applies the parameters that train/augment/photometric.py draws for each image; only the noise
grain differs, because it comes from torch's generator.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional as F

from edge.train.augment.photometric import Exposure, ExposurePair

IMAGES = ExposurePair._fields

LUMA = torch.tensor(
    [
        [16, 11, 10, 16, 24, 40, 51, 61], [12, 12, 14, 19, 26, 58, 60, 55],
        [14, 13, 16, 24, 40, 57, 69, 56], [14, 17, 22, 29, 51, 87, 80, 62],
        [18, 22, 37, 56, 68, 109, 103, 77], [24, 35, 55, 64, 81, 104, 113, 92],
        [49, 64, 78, 87, 103, 121, 120, 101], [72, 92, 95, 98, 112, 100, 103, 99],
    ]
)  # fmt: skip
"""Quantization table of luminance at quality 50 (ITU-T T.81, table K.1)."""
CHROMA = torch.full((8, 8), 99)
CHROMA[:4, :4] = torch.tensor(
    [[17, 18, 24, 47], [18, 21, 26, 66], [24, 26, 56, 99], [47, 66, 99, 99]]
)
"""Quantization table of chrominance (table K.2)."""
TO_YCC = torch.tensor(
    [[0.114, 0.587, 0.299], [0.5, -0.331264, -0.168736], [-0.081312, -0.418688, 0.5]]
)
"""Blue, green and red to Y, Cb and Cr (JFIF 1.02)."""
FROM_YCC = torch.linalg.inv(TO_YCC)

_FIELDS = tuple(field.name for field in fields(Exposure))


def stack_exposures(pairs: Sequence[ExposurePair]) -> dict[str, npt.NDArray[np.generic]]:
    """Stack the exposures of a batch.

    Args:
        pairs: One pair per sample.

    Returns:
        The fields of Exposure under their names in a batch, `bg.table`, `fg_bg.noise` and so on;
        the first dimension is the sample.
    """
    stacked = {}
    for image, exposures in zip(IMAGES, zip(*pairs, strict=True), strict=True):
        for key in _FIELDS:
            values = [_as_array(getattr(exposure, key)) for exposure in exposures]
            stacked[f"{image}.{key}"] = np.stack(values)
    return stacked


def _as_array(value: object) -> npt.NDArray[np.generic]:
    array = np.asarray(value)
    return array.astype(np.float32) if array.dtype.kind == "f" else array


def augment_batch(batch: dict[str, Tensor]) -> dict[str, Tensor]:
    """Apply the exposures that a batch carries, on the device where it lies.

    Args:
        batch: A batch with the fields of `stack_exposures`, or without.

    Returns:
        The batch without those fields and with augmented images; `batch` itself if it has none.
    """
    if f"{IMAGES[0]}.table" not in batch:
        return batch
    augmented = {name: value for name, value in batch.items() if "." not in name}
    for image in IMAGES:
        exposures = {key: batch[f"{image}.{key}"] for key in _FIELDS}
        augmented[image] = augment_images(batch[image], exposures)
    return augmented


def augment_images(images: Tensor, exposures: dict[str, Tensor]) -> Tensor:
    """Apply one exposure to each image of a batch.

    Args:
        images: uint8 [N, H, W, 3] BGR.
        exposures: The fields of Exposure by name, first dimension N.

    Returns:
        uint8 [N, H, W, 3] BGR. The same seeds give the same images on the same device.
    """
    x = _look_up(images, exposures["table"])
    x = x.permute(0, 3, 1, 2).float()
    x = _translate(x, exposures["offset"]).round()
    x = (x * _brightness(exposures["light"], x)).clamp(0, 255).floor()
    x = _blur(x, exposures["blur"]).round()
    noise = exposures["noise"].view(-1, 1, 1, 1)
    quality = exposures["quality"].view(-1, 1, 1, 1)
    grain = torch.randn(x.shape, generator=_generator(exposures["seed"]), device=x.device)
    noisy = x + grain * noise * torch.sqrt(0.4 + x / 160) + 0.5
    x = torch.where(noise > 0, noisy.clamp(0, 255).floor(), x)
    x = torch.where(quality > 0, _jpeg(x, quality.clamp(min=1)), x)
    return x.to(torch.uint8).permute(0, 2, 3, 1)


def _generator(seeds: Tensor) -> torch.Generator:
    return torch.Generator(seeds.device).manual_seed(int(seeds.sum()))


def _look_up(images: Tensor, tables: Tensor) -> Tensor:
    flat = images.reshape(len(images), -1, 3).long()
    return torch.gather(tables, 1, flat).view(images.shape)


def _translate(x: Tensor, offset: Tensor) -> Tensor:
    """Bilinear translation with a replicated border."""
    height, width = x.shape[2:]
    size = torch.tensor([width, height], device=x.device)
    theta = torch.eye(2, 3, device=x.device).repeat(len(x), 1, 1)
    theta[:, :, 2] = -2 * offset / size
    grid = F.affine_grid(theta, list(x.shape), align_corners=False)
    return F.grid_sample(x, grid, padding_mode="border", align_corners=False)


def _brightness(coarse: Tensor, x: Tensor) -> Tensor:
    """Brightness [N, 1, H, W] from its logarithm on a coarse grid."""
    return F.interpolate(coarse[:, None], x.shape[2:], mode="bicubic", align_corners=False).exp()


def _blur(x: Tensor, sigma: Tensor) -> Tensor:
    """Gaussian blur of radius 3, with a sigma per image."""
    n, channels, height, width = x.shape
    taps = torch.arange(-3.0, 4, device=x.device)
    kernel = torch.exp(-(taps**2) / (2 * sigma.clamp(min=1e-3)[:, None] ** 2))
    kernel = (kernel / kernel.sum(1, keepdim=True)).repeat_interleave(channels, 0)
    flat = F.pad(x, (3, 3, 3, 3), mode="reflect").view(1, n * channels, height + 6, width + 6)
    rows = F.conv2d(flat, kernel[:, None, None, :], groups=n * channels)
    blurred = F.conv2d(rows, kernel[:, None, :, None], groups=n * channels).view(x.shape)
    return torch.where(sigma.view(-1, 1, 1, 1) < 0.2, x, blurred)


def _jpeg(x: Tensor, quality: Tensor) -> Tensor:
    """Encode and decode as baseline JPEG with 4:2:0 subsampling; quality scales the tables as in
    libjpeg."""
    height, width = x.shape[2:]
    # An encoder pads the last blocks of 16 with the border too.
    x = F.pad(x, (0, -width % 16, 0, -height % 16), mode="replicate")
    scale = torch.where(quality < 50, 5000 / quality, 200 - 2 * quality)
    ycc = torch.einsum("oc,nchw->nohw", TO_YCC.to(x.device), x)
    luma = _quantize_blocks(ycc[:, :1] - 128, LUMA.to(x.device), scale) + 128
    chroma = _quantize_blocks(F.avg_pool2d(ycc[:, 1:], 2), CHROMA.to(x.device), scale)
    chroma = F.interpolate(chroma, scale_factor=2.0, mode="bilinear", align_corners=False)
    decoded = torch.einsum("oc,nchw->nohw", FROM_YCC.to(x.device), torch.cat([luma, chroma], 1))
    return decoded.round().clamp(0, 255)[:, :, :height, :width]


def _quantize_blocks(planes: Tensor, table: Tensor, scale: Tensor) -> Tensor:
    """Round the 8x8 DCT coefficients of planes [N, C, H, W] to multiples of the scaled table."""
    n, channels, height, width = planes.shape
    k = torch.arange(8.0, device=planes.device)
    cosines = torch.cos((2 * k[None] + 1) * k[:, None] * torch.pi / 16) / 2
    cosines[0] /= 2**0.5
    step = ((table * scale + 50) / 100).floor().clamp(1, 255)[:, :, None, None]
    blocks = planes.view(n, channels, height // 8, 8, width // 8, 8).transpose(3, 4)
    coefficients = cosines @ blocks @ cosines.T
    coefficients = (coefficients / step).round() * step
    return (cosines.T @ coefficients @ cosines).transpose(3, 4).reshape(planes.shape)
