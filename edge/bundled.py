"""The networks that come with this package, as FP32 ONNX files with a card beside each."""

from __future__ import annotations

from pathlib import Path

from edge.errors import UsageError

FOLDER = Path(__file__).parent / "networks"
DEFAULT = "small"


def names() -> list[str]:
    return sorted(path.stem for path in FOLDER.glob("*.onnx"))


def bundled(name: str) -> Path:
    """The file of a bundled network; UsageError lists those that there are."""
    if name not in names():
        raise UsageError(
            f"no bundled network {name!r}; bundled: {', '.join(names())}; a network of your own is"
            " given as a file: edge build MODEL.onnx"
        )
    return FOLDER / f"{name}.onnx"
