"""The ONNX metadata that states the contract of an exported network."""

from __future__ import annotations

CONTRACT = {
    "contract": "edge/1",
    "inputs": "bg, fg_bg: uint8 [N, H, W, 3]",
    "colour_order": "BGR",
    "outputs": "mask: probability of foreground; depth",
    "depth_meaning": "relative inverse depth in 0..1, near is large",
}
