"""Answers about an event: its pictures, why it was told, and that it was wrong."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Literal

from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route

from edge.errors import EdgeError
from edge.view.cases import CASES, write_case
from edge.view.evidence import Evidence
from edge.view.feed import Feed, Told
from edge.view.reasons import why
from edge.view.requests import json_of, picture, sentence
from edge.watch.outputs import RECORDINGS

Picture = Literal["picture", "background", "mask", "depth"]
PICTURES: dict[str, tuple[Picture, str]] = {
    "snapshot": ("picture", "jpeg"),
    "background": ("background", "jpeg"),
    "mask": ("mask", "png"),
    "depth": ("depth", "jpeg"),
}
"""Pictures of the evidence, by the last part of their path, with their format."""


class OfEvents:
    """Answers about the events that a feed keeps."""

    def __init__(self, feed: Feed) -> None:
        self._feed = feed
        self._cases: dict[str, tuple[Path, bool]] = {}

    def routes(self) -> list[Route]:
        """Where it answers."""
        return [
            *(Route(f"/events/{{event}}/{name}", self._picture(name)) for name in PICTURES),
            Route("/events/{event}/clip", self.clip),
            Route("/events/{event}/explained", self.explained),
            Route("/events/{event}/wrong", self.wrong, methods=["POST", "DELETE"]),
        ]

    def _picture(self, name: str) -> Callable[[Request], Awaitable[Response]]:
        part, kind = PICTURES[name]

        async def answer(request: Request) -> Response:
            found = await self._evidence(request)
            return picture(None if found is None else getattr(found, part), kind)

        return answer

    async def _evidence(self, request: Request) -> Evidence | None:
        told = self._feed.find(request.path_params["event"])
        if told is None or told.evidence is None or not self._feed.may_show(told):
            return None
        try:
            return await asyncio.wrap_future(told.evidence)
        except (EdgeError, asyncio.CancelledError):  # the latter when the view closes
            return None

    async def explained(self, request: Request) -> Response:
        """Why an event was told; the trajectory of its thing, in pixels of the camera's frames; the
        outline of its zone, as shares of the frame; which files there are; where its case is, and
        whether that says that nobody was there."""
        told = self._feed.find(request.path_params["event"])
        if told is None:
            return sentence(404, "this event is not kept any more")
        found = await self._evidence(request)
        case, nobody = self._cases.get(told.event.id, (None, None))
        return JSONResponse(
            {
                "why": why(told.event, told.zone, told.followed),
                "trajectory": told.trajectory,
                "outline": None if told.zone is None else told.zone.points,
                "seen": found is not None,
                "depth": found is not None and found.depth is not None,
                "kept": found is not None and found.frame is not None,
                "clip": self._clip(told) is not None,
                "case": case and str(case),
                "nobody": nobody,
            }
        )

    async def clip(self, request: Request) -> Response:
        """The recorded clip of an event that is kept; it is there when it has ended."""
        told = self._feed.find(request.path_params["event"])
        path = None if told is None else self._clip(told)
        if path is None:
            return sentence(404, "no clip, or not yet")
        return FileResponse(path, media_type="video/webm")

    def _clip(self, told: Told) -> Path | None:
        """The file of an event's clip, where it is there."""
        clip = told.event.clip
        if clip is None or not self._feed.may_show(told):
            return None
        path = self._feed.watching.config.folder / RECORDINGS / clip
        return path if path.is_file() else None

    async def wrong(self, request: Request) -> Response:
        """Somebody says that an event was wrong: its frame is written as a case.

        {"nobody": true}: nobody was there. {"nobody": false}: something was, but not so. DELETE
        takes it back, unless somebody has labelled the case since.
        """
        if request.method == "DELETE":
            return self._taken_back(request.path_params["event"])
        content = await json_of(request)
        if isinstance(content, Response):
            return content
        nobody = content.get("nobody")
        if not isinstance(nobody, bool):
            return sentence(400, "key `nobody`: expected true or false")
        told, found = self._feed.find(request.path_params["event"]), await self._evidence(request)
        if told is None or found is None:
            return sentence(404, "the frame of this event is not kept any more")
        if found.frame is None:
            return sentence(409, "with --redact no frame is kept as it was; watch without it")
        if nobody and told.event.box is None:
            return sentence(409, "this event names no place where nobody could have been")
        folder = self._feed.watching.config.folder / CASES
        event, reason = told.event, why(told.event, told.zone, told.followed)
        try:
            place = await asyncio.get_running_loop().run_in_executor(
                self._feed.pool, lambda: write_case(folder, event, reason, found, nobody)
            )
        except EdgeError as error:
            return sentence(500, str(error))
        self._cases[event.id] = place, nobody
        return JSONResponse({"case": str(place), "nobody": nobody})

    def _taken_back(self, event_id: str) -> Response:
        place, nobody = self._cases.get(event_id, (None, None))
        if place is None:
            return sentence(404, "nothing was said of this event that can be taken back")
        if not nobody and any((place / "groundtruth").glob("*")):
            return sentence(409, f"{place} was labelled by hand; delete the folder yourself")
        try:
            shutil.rmtree(place)
        except FileNotFoundError:
            pass  # somebody was faster
        except OSError as error:
            return sentence(500, f"cannot delete {place}: {error.strerror or error}")
        del self._cases[event_id]
        return JSONResponse({})
