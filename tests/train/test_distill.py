"""Which teacher gives the distillation target, and how it is mirrored back."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from edge.train.distill import distillation_target
from edge.train.networks import ONE_VARIANT, create
from edge.train.networks.unet import UNet
from edge.train.networks.variant import Outputs


class Constant(nn.Module):
    """Predicts a constant in the left half, whatever it shows, and the frame as its depth."""

    def __init__(self, value: float) -> None:
        super().__init__()
        self.value = value

    def forward(self, bg: Tensor, fg_bg: Tensor, spread: Tensor) -> Outputs:
        logits = torch.full_like(fg_bg[:, :1], -9.0)
        logits[..., : fg_bg.shape[3] // 2] = self.value
        return logits, fg_bg[:, :1]


def test_teachers_alternate_and_see_mirrored_images() -> None:
    frame = torch.arange(12.0).view(1, 1, 3, 4).expand(-1, 3, -1, -1) / 12
    teachers = [Constant(1.0), Constant(2.0)]
    targets = [distillation_target(teachers, step, (frame, frame, frame)) for step in range(5)]
    masks = [logits[0, 0, 0].tolist() for logits, _ in targets if logits is not None]
    left, right = [1, 1, -9, -9], [-9, -9, 1, 1]
    assert masks == [left, right, [2, 2, -9, -9], [-9, -9, 2, 2], left]
    # The outputs of a mirrored image are mirrored back.
    assert all(depth is not None and torch.equal(depth, frame[:, :1]) for _, depth in targets)
    only_depth = create("scene", ONE_VARIANT["scene"])
    assert distillation_target([only_depth], 1, tuple(torch.rand(3, 1, 3, 32, 32)))[0] is None


@pytest.mark.parametrize(("kept", "single_pass"), [(True, True), (True, False), (False, True)])
def test_a_frozen_scene_depth_makes_a_single_pass(kept: bool, single_pass: bool) -> None:
    torch.manual_seed(0)
    teacher = create("nano").eval()
    assert isinstance(teacher, UNet)
    scene = teacher.scene_depth
    if kept:
        scene.keep()
    passes: list[int] = []
    scene.head.register_forward_hook(lambda *call: passes.append(len(call[2])))
    inputs = tuple(torch.rand(3, 2, 3, 176, 176))
    with torch.no_grad():
        distillation_target([teacher], 0, inputs, single_pass=single_pass)
        assert passes == ([2] if kept and single_pass else [4, 4])
        # Elsewhere it makes all its passes.
        passes.clear()
        teacher(*inputs)
    assert passes == [4, 4]
