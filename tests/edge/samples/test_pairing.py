from __future__ import annotations

import pytest

from edge.samples.pairing import number_of, pair


@pytest.mark.parametrize(
    ("frames", "labels", "expected"),
    [
        (["a.jpg", "b.jpg"], ["b.png", "a.png"], {"a.jpg": "a.png", "b.jpg": "b.png"}),
        (["f/a.jpg"], ["m/a.png"], {"f/a.jpg": "m/a.png"}),
        (
            ["l/0.jpg", "r/0.jpg"],
            ["r/0.png", "l/0.png"],
            {"l/0.jpg": "l/0.png", "r/0.jpg": "r/0.png"},
        ),
        (
            ["x/l/0.jpg", "x/r/0.jpg"],
            ["masks/r/0.png", "masks/l/0.png"],
            {"x/l/0.jpg": "masks/l/0.png", "x/r/0.jpg": "masks/r/0.png"},
        ),
        (
            ["h_1_2.jpg", "h_flip_1_2.jpg"],
            ["h_1_2_mask.png", "h_flip_1_2_mask.png"],
            {"h_1_2.jpg": "h_1_2_mask.png", "h_flip_1_2.jpg": "h_flip_1_2_mask.png"},
        ),
        (["0_1.jpg", "1_1.jpg"], ["mask_1_1.png"], {"1_1.jpg": "mask_1_1.png"}),
        (["in000001.jpg", "in000010.jpg"], ["gt000010.png"], {"in000010.jpg": "gt000010.png"}),
        (["fg_bg_0.png"], ["mask_0.png"], {"fg_bg_0.png": "mask_0.png"}),
        (["a1.jpg", "b1.jpg"], ["c1.png"], {}),
        (["l/0.jpg", "r/0.jpg"], ["0.png"], {}),
        (["a.jpg"], [], {}),
    ],
)
def test_names_tell_which_label_belongs_to_a_frame(
    frames: list[str], labels: list[str], expected: dict[str, str]
) -> None:
    pairs = pair(frames, labels)
    assert pairs.labels == expected
    assert {name for name in frames if name not in expected} <= set(pairs.alone)


def test_a_frame_with_two_masks_is_ambiguous() -> None:
    pairs = pair(["a.jpg", "b.jpg"], ["a.png", "a.bmp", "b.png"])
    assert pairs.labels == {"b.jpg": "b.png"}
    assert pairs.alone["a.jpg"] == "ambiguous: a.bmp and a.png have one name"


def test_labels_without_a_frame_are_named() -> None:
    assert pair(["a.jpg"], ["a.png", "b.png"]).alone == {"b.png": "a mask without a frame"}


def test_the_number_of_a_name() -> None:
    assert number_of("input/in000012.jpg") == 12
    assert number_of("a1b2.jpg") is None
