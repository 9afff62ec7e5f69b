"""Answers about a camera: its background, its zones, its metres."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import numpy as np
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from edge.errors import EdgeError, UsageError
from edge.files import NotWritten
from edge.loop.overlay import coloured
from edge.sinks.snapshots import jpeg
from edge.things.calibrate_scene import calibrate_scene, camera_of
from edge.things.metres import FOV, Metres
from edge.view.feed import Feed
from edge.view.pictures import QUALITY, picture_of
from edge.view.requests import json_of, picture, sentence
from edge.view.state import State
from edge.view.zones import Conflict

LARGEST_AREA = 0.25
"""Share of a frame that is painted anew at most: for more, the scene is learned anew."""
MOST_POINTS, FARTHEST_M = 50, 1000
"""Points that a scene is calibrated from at most, and metres to one of them."""
NARROWEST, WIDEST = 5, 170
"""Degrees of the field of view."""
Json = dict[str, Any]
NO_CAMERA = "no such camera"


class OfCameras:
    """Answers about the cameras of a feed."""

    def __init__(self, feed: Feed, state: State) -> None:
        self._feed, self._state = feed, state

    def routes(self) -> list[Route]:
        """Where it answers."""
        return [
            Route("/cameras/{name}/background", self.background),
            Route("/cameras/{name}/confidence", self.confidence),
            Route("/cameras/{name}/ground", self.ground),
            Route("/cameras/{name}/zones", self.zones, methods=["PUT"]),
            Route("/cameras/{name}/confirm", self.confirm, methods=["POST"]),
            Route("/cameras/{name}/metres", self.metres, methods=["PUT"]),
            Route("/cameras/{name}/repaint", self.repaint, methods=["POST", "DELETE"]),
        ]

    async def background(self, request: Request) -> Response:
        """The background of a camera as JPEG."""
        background = self._state.background(request.path_params["name"])
        if background is None:
            return sentence(404, NO_CAMERA)
        shown, redact = background, self._feed.redact
        return picture(await self._draw(lambda: jpeg(picture_of(shown, redact), QUALITY)))

    async def confidence(self, request: Request) -> Response:
        """How often each pixel of a background was seen empty, as JPEG: yellow is always."""
        background = self._state.background(request.path_params["name"])
        if background is None:
            return sentence(404, NO_CAMERA)
        confidence = background.confidence
        size = confidence.shape[0], confidence.shape[1]
        return picture(await self._draw(lambda: jpeg(coloured(confidence, size), QUALITY)))

    async def ground(self, request: Request) -> Response:
        """The depth of a camera's ground, which the rule `foot` looks at: height and width, then a
        number from 0 (far) to 65535 (near) for each pixel; all of 16 bits, the lower byte first."""
        depth = self._state.ground(request.path_params["name"])
        if depth is None:
            return sentence(404, "the depth of this scene is not known")
        levels = (65_535 * np.clip(np.nan_to_num(depth), 0, 1) + 0.5).astype("<u2")
        size = np.array(depth.shape, "<u2")
        return Response(size.tobytes() + levels.tobytes(), media_type="application/octet-stream")

    async def zones(self, request: Request) -> Response:
        """Save the zones of a camera; `If-Match` is the version that was edited."""
        content = await json_of(request)
        if isinstance(content, Response):
            return content
        name = request.path_params["name"]
        try:
            zones = self._state.zones(name)
            if zones is None:
                return sentence(409, f"{name} has no file of zones; start with --zones FILE")
            zones.save(content, request.headers.get("if-match", "").strip('"'))
        except Conflict as error:
            return sentence(412, str(error))
        except UsageError as error:
            return sentence(422, str(error))
        except EdgeError as error:
            return sentence(500, str(error))
        return JSONResponse({"zones": zones.content["zones"], "version": zones.version})

    async def confirm(self, request: Request) -> Response:
        """Somebody says that a camera stands where it is to: its scene is learned anew."""
        name = request.path_params["name"]
        watched = self._feed.watching.watched.get(name)
        if watched is None:
            return sentence(404, NO_CAMERA)
        if not watched.channel.pipeline.learns:
            return sentence(409, f"{name} is no live camera: its background stays as it is")
        self._feed.watching.confirm(name)
        return JSONResponse({}, 202)

    async def repaint(self, request: Request) -> Response:
        """Learn an area of a background anew, {"area": [left, top, right, bottom]} as shares of the
        frame; DELETE takes the last one back."""
        watched = self._feed.watching.watched.get(request.path_params["name"])
        if watched is None:
            return sentence(404, NO_CAMERA)
        content = await json_of(request) if request.method == "POST" else {}
        if isinstance(content, Response):
            return content
        if self._feed.redact is not None:
            text = "with --redact nothing is painted: whoever stands there would be shown"
            return sentence(409, f"{text}; learn the whole scene anew when it is empty")
        pipeline = watched.channel.pipeline
        if pipeline.learning:
            return sentence(409, "the whole scene is being learned anew; paint when that is done")
        if watched.watcher.states.misfit:
            return sentence(409, "the background does not fit now; learn the scene anew instead")
        if pipeline.repaint.busy:
            return sentence(409, "an area is being painted anew; wait until that is done")
        if request.method == "DELETE":
            if not pipeline.repaint.undoable:
                return sentence(409, "nothing was painted that can be taken back")
            pipeline.repaint.undo()
            return JSONResponse({}, 202)
        try:
            area = _area(content, (pipeline.size[0], pipeline.size[1]))
        except UsageError as error:
            return sentence(422, str(error))
        pipeline.repaint.ask(area)
        return JSONResponse({}, 202)

    async def metres(self, request: Request) -> Response:
        """Calibrate a scene from points on the floor, {"points": [[x, y, metres], ...], "fov": 60}:
        x and y as shares of the frame, metres along the floor from the spot below the camera."""
        name = request.path_params["name"]
        watched = self._feed.watching.watched.get(name)
        if watched is None:
            return sentence(404, NO_CAMERA)
        file, pipeline = watched.metres, watched.channel.pipeline
        if file is None:
            return sentence(409, f"{name} has no file of metres; start with --metres FILE")
        content = await json_of(request)
        if isinstance(content, Response):
            return content
        size = pipeline.size[0], pipeline.size[1]
        try:
            points, fov = _known(content, size)
            metres, _ = await asyncio.get_running_loop().run_in_executor(
                self._feed.pool,
                lambda: calibrate_scene(points, [], size, pipeline.ground, fov, file.network),
            )
            metres.write(file.path)
        except NotWritten as error:
            return sentence(500, str(error))
        except EdgeError as error:  # its hint names options of the command line
            return sentence(422, error.message)
        return JSONResponse({"camera": camera_of(metres), **_errors(metres)})

    def _draw(self, step: Callable[[], bytes]) -> asyncio.Future[bytes]:
        return asyncio.get_running_loop().run_in_executor(self._feed.pool, step)


def _known(content: Json, size: tuple[int, int]) -> tuple[list[tuple[float, float, float]], float]:
    """The points, in pixels of the frame, and the field of view in degrees."""
    points, fov = content.get("points"), content.get("fov", FOV)
    if not isinstance(points, list) or len(points) > MOST_POINTS:
        raise UsageError(f"key `points`: expected at most {MOST_POINTS} points [x, y, metres]")
    if not _is_number(fov) or not NARROWEST <= fov <= WIDEST:
        raise UsageError(f"key `fov`: expected {NARROWEST} to {WIDEST} degrees")
    for point in points:
        if not isinstance(point, list) or len(point) != 3 or not all(map(_is_number, point)):
            raise UsageError("key `points`: expected points [x, y, metres], all numbers")
        if not (0 <= point[0] < 1 and 0 <= point[1] < 1 and 0 < point[2] <= FARTHEST_M):
            raise UsageError(
                "key `points`: expected x and y from 0 to below 1, and metres above 0 and at most"
                f" {FARTHEST_M}"
            )
    return [(x * size[1], y * size[0], float(far)) for x, y, far in points], float(fov)


def _errors(metres: Metres) -> Json:
    """How right a calibration is, as shares; null where no third point checks it."""
    worst = metres.worst_error
    return {
        "median_error": None if metres.error is None else round(metres.error, 3),
        "worst_error": None if worst is None else round(worst, 3),
    }


def _area(content: Json, size: tuple[int, int]) -> tuple[int, int, int, int]:
    """Left, top, width and height in pixels of the frame."""
    found = content.get("area")
    numbers = [each for each in found if _is_share(each)] if isinstance(found, list) else []
    if len(numbers) != 4 or len(numbers) != len(found or ()):
        raise UsageError("key `area`: expected [left, top, right, bottom], each from 0 to 1")
    height, width = size
    left, top = int(numbers[0] * width), int(numbers[1] * height)
    right, bottom = round(numbers[2] * width), round(numbers[3] * height)
    if right <= left or bottom <= top:
        raise UsageError("key `area`: it is empty, expected one pixel or more")
    share = (right - left) * (bottom - top) / (width * height)
    if share > LARGEST_AREA:
        raise UsageError(
            f"the area is {100 * share:.0f} % of the frame, expected at most"
            f" {100 * LARGEST_AREA:.0f} %",
            "learn the whole scene anew instead",
        )
    return left, top, right - left, bottom - top


def _is_share(value: Any) -> bool:
    return _is_number(value) and 0 <= value <= 1


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
