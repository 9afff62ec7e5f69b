"""Addresses of cameras and brokers: how they are printed without their passwords."""

from __future__ import annotations

import re
from pathlib import Path

STREAMS = ("rtsp", "rtsps", "rtmp", "http", "https", "udp", "tcp")
"""Schemes of network streams, which FFmpeg opens."""
NETWORK = (*STREAMS, "mqtt", "mqtts")
"""Schemes whose addresses may hold a user and a password."""

SECRET = re.compile(
    r"((?<=[?&;])[up]=|(?:user|usr|login|pass|pw|token|secret|key|auth)[a-z]*=)"
    r".*?(?=[&;/?#]|_[a-z]+=|$)",
    re.IGNORECASE,
)
"""A parameter that holds a secret, as cameras write it: `?user=a&password=b`, or
`/user=a_password=b_channel=1`."""
PAIR = re.compile(r"(?<=/)[^/:?#]+:[^/?#]+")
"""`user:password` as a part of a path."""
MISTYPED = re.compile(rf"^((?:{'|'.join((*NETWORK, 'file'))})?[:/]*).*@", re.IGNORECASE)
"""An address with a mistyped `://`, up to the end of its password."""


def redact_address(url: str) -> str:
    """Replace user and password in an address by `***`.

    Everything up to the last @ counts as user and password: people often type a raw slash in a
    password instead of %2F.
    """
    scheme, mark, rest = url.partition("://")
    if mark and scheme.lower() in NETWORK:
        _, at, place = rest.rpartition("@")
        host, slash, path = place.partition("/")
        redacted = f"{scheme}://{'***@' if at else ''}{host}" + PAIR.sub("***", slash + path)
    elif not mark and ":" in url.rpartition("@")[0] and not Path(url).exists():
        redacted = MISTYPED.sub(r"\1***@", url)
    else:
        redacted = re.sub(r"//[^/?#]*@", "//***@", url)
    return SECRET.sub(r"\1***", redacted)
