"""Who made a build: an Ed25519 signature over manifest.json, which has the hash of every file.

Where the environment names a public key in EDGE_TRUST, only builds that its owner signed are
opened. The builds that a command makes for itself, such as FP32 to compare with, need none.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from edge.errors import BuildMismatch, UsageError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import (
        Ed25519PrivateKey,
        Ed25519PublicKey,
    )

K = TypeVar("K")
FILE = "manifest.json.sig"
"""The 64 bytes of the signature, as `openssl pkeyutl -sign -rawin` writes them."""
TRUST = "EDGE_TRUST"
"""Environment variable with the file of the public key."""
MADE = "EDGE_MADE"
"""Environment variable with the sha256 of each manifest that this process or its parent wrote: what
it starts opens them, too."""


def required() -> bool:
    """Whether this process opens signed builds alone."""
    return TRUST in os.environ


def made(content: bytes) -> None:
    """Remember that this process wrote a manifest.

    Args:
        content: Of manifest.json.
    """
    if required():
        sha = hashlib.sha256(content).hexdigest()
        os.environ[MADE] = f"{os.environ.get(MADE, '')} {sha}".strip()


def check(folder: Path, content: bytes) -> None:
    """Refuse a build that nobody trusted has signed; without EDGE_TRUST none is refused.

    Args:
        folder: The build folder.
        content: Of its manifest.json.

    Raises:
        BuildMismatch: It is not signed, or by another key, or was changed since.
        UsageError: EDGE_TRUST names no public key.
    """
    if not required():
        return
    if hashlib.sha256(content).hexdigest() in os.environ.get(MADE, "").split():
        return
    file = os.environ[TRUST]
    key = public_key(file)
    again = f"sign it where the private key is: edge build {folder} --sign KEY.pem"
    if not (folder / FILE).is_file():
        raise BuildMismatch(
            f"{folder} is not signed, and {TRUST} allows only builds signed by the key of {file}",
            again,
        )
    from cryptography.exceptions import InvalidSignature

    try:
        key.verify((folder / FILE).read_bytes(), content)
    except InvalidSignature as error:
        raise BuildMismatch(
            f"{folder / FILE} is no signature of its manifest by the key of {file}, which {TRUST}"
            " names",
            again,
        ) from error


def sign(folder: Path, key: Ed25519PrivateKey) -> None:
    """Write the signature of a folder's manifest beside it."""
    from edge.files import atomic_write  # not for devices, which only check

    with atomic_write(folder / FILE) as draft:
        draft.write_bytes(key.sign((folder / "manifest.json").read_bytes()))


def private_key(file: Path) -> Ed25519PrivateKey:
    """Read a private key in PEM.

    Raises:
        UsageError: The file holds no Ed25519 key, or one behind a password.
    """
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    def load(data: bytes) -> object:
        return load_pem_private_key(data, None)

    make = f"one is made by openssl genpkey -algorithm ed25519 -out {file}"
    return _key(f"--sign {file}", Path(file), Ed25519PrivateKey, load, make)


def public_key(file: str) -> Ed25519PublicKey:
    """Read the public key in PEM that EDGE_TRUST names; errors as of `private_key`."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    make = "one is made by openssl pkey -in KEY.pem -pubout -out KEY.pub"
    return _key(f"{TRUST}={file}", Path(file), Ed25519PublicKey, load_pem_public_key, make)


def _key(name: str, file: Path, kind: type[K], load: Callable[[bytes], object], make: str) -> K:
    """Load a key; UsageError where the file has none of that kind."""
    from cryptography.exceptions import UnsupportedAlgorithm

    try:
        key = load(file.read_bytes())
    except OSError as error:
        raise UsageError(f"{name}: {error.strerror or error}, expected a key", make) from error
    except TypeError as error:  # of the library, for a missing password
        raise UsageError(
            f"{name}: the key is behind a password, expected one without",
            f"openssl pkey -in {file} -out KEY.pem, and keep that file from others",
        ) from error
    except (ValueError, UnsupportedAlgorithm) as error:
        raise UsageError(f"{name}: expected an Ed25519 key in PEM, found none", make) from error
    if not isinstance(key, kind):
        raise UsageError(f"{name}: expected an Ed25519 key, found another kind", make)
    return key
