"""The zones of a camera as browsers edit them: the file that `edge watch` reads."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from edge.errors import EdgeError
from edge.zones.file import (
    ZonesFile,
    as_json,
    parse_zones,
    read_zones,
    refuse_distances,
    write_zones,
)
from edge.zones.zone import Zone


class Conflict(EdgeError):
    """Somebody else changed the zones meanwhile."""


class EditedZones:
    """The zones of one camera.

    Args:
        path: their file.
        metres: the scene is calibrated, so zones may have distances.

    Attributes:
        content: of zones.json.
        version: of the content.

    Raises:
        EdgeError, UsageError: as of edge.zones.file.read_zones.
    """

    def __init__(self, path: Path, metres: bool) -> None:
        self.path, self.metres = path, metres
        self._file = ZonesFile(path, metres)
        self._take()

    def refresh(self) -> None:
        """Take over what others wrote; zones stay while the file is wrong, as `wrong` says."""
        try:
            changed = self._file.changed()
        except EdgeError:
            return
        if changed:
            self._take()

    @property
    def wrong(self) -> str | None:
        """Why what the file holds now was not taken over; None where it was."""
        return self._file.wrong

    @property
    def zones(self) -> list[Zone]:
        """The zones, as the content has them."""
        return self._file.zones

    def save(self, content: Any, version: str) -> None:
        """Write zones, whole or not at all; `edge watch` takes them over within a second.

        Args:
            content: as of zones.json.
            version: of the zones that were edited.

        Raises:
            Conflict: those are not the present ones.
            UsageError: the content is wrong; the message names the zone and the key.
            NotWritten: the file cannot be written.
        """
        try:
            read_zones(self.path)
        except EdgeError as error:  # somebody edits it, and it is not whole
            raise Conflict(f"the file is wrong now: {error.message}", "mend it first") from error
        self.refresh()
        if version != self.version:
            raise Conflict("the zones were changed elsewhere meanwhile", "look, and do it again")
        zones = parse_zones(content)
        if not self.metres:
            refuse_distances(zones)
        write_zones(self.path, zones)
        self.refresh()

    def _take(self) -> None:
        self.content = as_json(self._file.zones)
        text = json.dumps(self.content, sort_keys=True)
        self.version = hashlib.sha256(text.encode()).hexdigest()[:16]
