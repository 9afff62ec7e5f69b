"""Whose turn it is to teach, and where what it says of a mirror image lies."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from edge.train.distill import lesson
from edge.train.networks import ONE_VARIANT, create
from edge.train.networks.unet import UNet
from edge.train.networks.variant import Outputs


class Says(nn.Module):
    """Says a constant of the left half, whatever it sees there, and the frame as its depth."""

    def __init__(self, value: float) -> None:
        super().__init__()
        self.value = value

    def forward(self, bg: Tensor, fg_bg: Tensor) -> Outputs:
        logits = torch.full_like(fg_bg[:, :1], -9.0)
        logits[..., : fg_bg.shape[3] // 2] = self.value
        return logits, fg_bg[:, :1]


def test_teachers_are_asked_in_turn_and_through_a_mirror() -> None:
    frame = torch.arange(12.0).view(1, 1, 3, 4).expand(-1, 3, -1, -1) / 12
    teachers = [Says(1.0), Says(2.0)]
    said = [lesson(teachers, step, frame, frame) for step in range(5)]
    masks = [logits[0, 0, 0].tolist() for logits, _ in said if logits is not None]
    left, right = [1, 1, -9, -9], [-9, -9, 1, 1]
    assert masks == [left, right, [2, 2, -9, -9], [-9, -9, 2, 2], left]
    # What comes back lies where it was in the picture that was asked about.
    assert all(depth is not None and torch.equal(depth, frame[:, :1]) for _, depth in said)
    only_depth = create("scene", ONE_VARIANT["scene"])
    assert lesson([only_depth], 1, torch.rand(1, 3, 32, 32), torch.rand(1, 3, 32, 32))[0] is None


@pytest.mark.parametrize(("kept", "quick"), [(True, True), (True, False), (False, True)])
def test_a_kept_depth_of_the_scene_is_taught_by_one_look(kept: bool, quick: bool) -> None:
    torch.manual_seed(0)
    teacher = create("nano").eval()
    assert isinstance(teacher, UNet)
    scene = teacher.scene_depth
    if kept:
        scene.keep()
    looks: list[Tensor] = []
    scene.head.register_forward_hook(lambda *said: looks.append(said[2]))
    bg, fg_bg = torch.rand(2, 2, 3, 176, 176)
    with torch.no_grad():
        lesson([teacher], 0, bg, fg_bg, quick=quick)
        assert [len(look) for look in looks] == ([2] if kept and quick else [4, 4])
        # Outside lessons it looks as often as ever.
        looks.clear()
        teacher(bg, fg_bg)
    assert [len(look) for look in looks] == [4, 4]
