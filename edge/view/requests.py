"""What answers to browsers have in common: bodies with a limit, sentences, pictures."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from edge import strict_json

LARGEST = 262_144
"""Bytes of a body at most."""
PATIENCE_S = 10.0
"""Seconds for a request to arrive."""


async def body_of(request: Request, most: int = LARGEST) -> bytes | Response:
    """The body of a request, or why it is refused."""

    async def read() -> bytes | Response:
        body = b""
        async for part in request.stream():
            body += part
            if len(body) > most:
                return sentence(413, f"more than {most} bytes")
        return body

    with contextlib.suppress(ValueError):
        if int(request.headers.get("content-length", "0")) > most:
            return sentence(413, f"more than {most} bytes")
    try:
        return await asyncio.wait_for(read(), PATIENCE_S)
    except asyncio.TimeoutError:
        return sentence(408, "the request took too long")


async def json_of(request: Request) -> dict[str, Any] | Response:
    """The object that a request brings, or why it is refused."""
    body = await body_of(request)
    if isinstance(body, Response):
        return body
    try:
        content = strict_json.parse(body)
    except ValueError:
        content = None
    return content if isinstance(content, dict) else sentence(400, "expected a JSON object")


def sentence(status: int, text: str) -> Response:
    """Why a request is refused."""
    return JSONResponse({"error": text}, status)


def picture(data: bytes | None, kind: str = "jpeg") -> Response:
    """A picture; `no picture` where there is none."""
    if data is None:
        return sentence(404, "no picture")
    return Response(data, media_type=f"image/{kind}")
