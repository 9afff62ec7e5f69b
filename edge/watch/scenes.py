"""Where what is learned of each camera is kept: `scenes/CAMERA`, a folder of one process."""

from __future__ import annotations

import hashlib
import threading
from contextlib import ExitStack
from pathlib import Path

from edge.files import claimed
from edge.scene.bank import BankFolder
from edge.watch.config import CameraConfig

SCENES = "scenes"
"""Subfolder of a watch's folder."""


class Scenes:
    """The folders of the cameras of a watch; those that were asked for are this process's own.

    Two processes would learn into the same files, and each remove what belongs to the other's
    source.

    Args:
        folder: of the watch.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder / SCENES
        self._claimed: set[str] = set()
        self._claims, self._lock = ExitStack(), threading.Lock()

    def of(self, config: CameraConfig) -> BankFolder:
        """The folder of a camera; what is in it counts as long as source and background stay.

        Raises:
            EdgeError: another process has it.
            NotWritten: it cannot be made.
        """
        digest = hashlib.sha256(f"{config.source}\n{config.range}\n".encode())
        if config.background is not None:
            digest.update(config.background.read_bytes())
        return BankFolder(self._folder / config.name, digest.hexdigest())

    def claim(self, camera: str) -> None:
        """Keep other processes from a camera's folder as long as this one runs.

        Raises:
            EdgeError: another process has it.
            NotWritten: it cannot be made.
        """
        folder = self._folder / camera
        with self._lock:
            if camera not in self._claimed:
                self._claims.enter_context(
                    claimed(
                        folder,
                        f"{folder} is in use by another `edge watch`, expected one for each camera",
                        "end that one, or give another --folder (in cameras.toml: `folder`)",
                    )
                )
                self._claimed.add(camera)
