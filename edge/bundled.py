"""The networks bundled with this package: FP32 ONNX files with a card each."""

from __future__ import annotations

from pathlib import Path

from edge.errors import UsageError

FOLDER = Path(__file__).parent / "networks"
DEFAULT = "small"


def names() -> list[str]:
    """List the bundled networks."""
    return sorted(path.stem for path in FOLDER.glob("*.onnx"))


def bundled(name: str) -> Path:
    """Return the ONNX file of a bundled network.

    Raises:
        UsageError: There is no bundled network of that name.
    """
    if name not in names():
        raise UsageError(
            f"no bundled network {name!r}; bundled: {', '.join(names())}",
            "pass a network of your own as a file: edge build MODEL.onnx",
        )
    return FOLDER / f"{name}.onnx"
