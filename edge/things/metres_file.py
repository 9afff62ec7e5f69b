"""The file of a scene's metres, which may be made anew while the scene is watched."""

from __future__ import annotations

from pathlib import Path

from edge.files import stamp
from edge.things.metres import Metres, read_metres


class MetresFile:
    """Watches the file for changes.

    Args:
        path: what `edge calibrate-scene` writes; it need not be there yet.
        size: height and width of the camera's frames.
        network: sha256 of the network in use.

    Attributes:
        metres: of the file; None as long as it was never there.

    Raises:
        EdgeError: as of edge.things.metres.read_metres and Metres.check.
    """

    def __init__(self, path: Path, size: tuple[int, int], network: str) -> None:
        self.path, self._size, self.network = path, size, network
        self._stamp = stamp(path)
        self.metres: Metres | None = None if self._stamp is None else self._read()

    def changed(self) -> bool:
        """Whether the file was written since the last look and its metres were taken over.

        Raises:
            EdgeError: the new content is wrong; it is told once, and the former metres stay.
        """
        now = stamp(self.path)
        if now in (None, self._stamp):
            return False
        self._stamp = now
        self.metres = self._read()
        return True

    def _read(self) -> Metres:
        metres = read_metres(self.path)
        metres.check(self._size, self.network)
        return metres
