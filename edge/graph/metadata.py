"""What a network says of itself in its ONNX metadata, so that nothing has to be assumed."""

from __future__ import annotations

CONTRACT = {
    "contract": "edge/1",
    "inputs": "bg, fg_bg: uint8 [N, H, W, 3]",
    "colour_order": "BGR",
    "outputs": "mask: probability of being new; depth",
    "depth_meaning": "relative inverse depth in 0..1, near is large",
}
