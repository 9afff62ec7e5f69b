"""Builds that their owner signed, and what is refused where only those are trusted."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

import edge
from edge import manifest as manifests
from edge import signature
from edge.builder.write import finish_build, write_build
from edge.cli.app import app
from edge.errors import UsageError
from tests.hostile.test_builds import refused

pytest.importorskip("cryptography")
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519


def write_keys(folder: Path, name: str) -> tuple[Path, Path]:
    """A private key and its public key as files, as openssl writes them."""
    key = ed25519.Ed25519PrivateKey.generate()
    pem, pub = folder / f"{name}.pem", folder / f"{name}.pub"
    pem.write_bytes(private_pem(key))
    pub.write_bytes(
        key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
    )
    return pem, pub


def private_pem(key: object, password: bytes = b"") -> bytes:
    how: serialization.KeySerializationEncryption = serialization.NoEncryption()
    if password:
        how = serialization.BestAvailableEncryption(password)
    pem, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    return key.private_bytes(pem, form, how)  # type: ignore[attr-defined,no-any-return]


@pytest.fixture
def keys(tmp_path: Path) -> tuple[Path, Path]:
    return write_keys(tmp_path, "ours")


@pytest.fixture
def build(builds, tmp_path: Path) -> Path:
    place = tmp_path / "build"
    shutil.copytree(builds("onnxruntime", "int8"), place)
    return place


def test_a_signed_build_opens_and_no_other(
    build: Path, keys: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    pem, pub = keys
    monkeypatch.setenv(signature.TRUST, str(pub))
    refused(build, f"build is not signed, and EDGE_TRUST .* the key of {pub}; sign it where")
    signature.sign(build, signature.private_key(pem))
    edge.open(build).__exit__(None, None, None)
    other, _ = write_keys(build.parent, "other")
    signature.sign(build, signature.private_key(other))
    refused(build, r"manifest\.json\.sig is no signature of its manifest by the key of")


@pytest.mark.parametrize("change", ["manifest", "engine", "signature", "short", "long", "empty"])
def test_whatever_is_changed_is_refused(
    change: str, build: Path, keys: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """An engine too, whose hash is signed with the manifest; and one with a hash to match."""
    pem, pub = keys
    signature.sign(build, signature.private_key(pem))
    monkeypatch.setenv(signature.TRUST, str(pub))
    engine, signed = build / "frame.onnx", build / signature.FILE
    data = signed.read_bytes()
    if change == "manifest":
        engine.write_bytes(engine.read_bytes() + b"\0")
        raw = json.loads((build / manifests.FILE).read_text())
        raw["files"][engine.name] = manifests.sha256(engine)
        (build / manifests.FILE).write_text(json.dumps(raw))
    elif change == "engine":
        engine.write_bytes(engine.read_bytes() + b"\0")
    else:
        signed.write_bytes(
            {
                "signature": bytes([data[0] ^ 1]) + data[1:],
                "short": data[:-1],
                "long": data + b"\0",
                "empty": b"",
            }[change]
        )
    refused(build, "is not the file that was built" if change == "engine" else "is no signature")


def test_every_file_of_a_build_is_signed(build: Path) -> None:
    files = {path.name for path in build.iterdir()} - {manifests.FILE, signature.FILE}
    assert files == set(manifests.read(build).files)


def test_without_trust_a_signature_changes_nothing(build: Path) -> None:
    (build / signature.FILE).write_bytes(b"whatever")
    edge.open(build).__exit__(None, None, None)


def test_openssl_accepts_the_signature(build: Path, keys: tuple[Path, Path]) -> None:
    if shutil.which("openssl") is None:
        pytest.skip("no openssl on this machine")
    signature.sign(build, signature.private_key(keys[0]))
    words = ["openssl", "pkeyutl", "-verify", "-pubin", "-inkey", str(keys[1]), "-rawin"]
    words += ["-in", str(build / manifests.FILE), "-sigfile", str(build / signature.FILE)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_what_a_process_builds_for_itself_it_opens_and_its_children_do(
    plan, tmp_path: Path, keys: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(signature.TRUST, str(keys[1]))
    monkeypatch.setenv(signature.MADE, "")
    write_build(plan("onnxruntime", "fp32"), tmp_path / "own")
    edge.open(tmp_path / "own").__exit__(None, None, None)
    words = [sys.executable, "-c", f"import edge; edge.open({str(tmp_path / 'own')!r})"]
    subprocess.run(words, check=True)
    monkeypatch.delenv(signature.MADE)
    refused(tmp_path / "own", "is not signed")


def test_building_signs_and_building_again_does_not_keep_a_signature(
    plan, tmp_path: Path, keys: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    key, place = signature.private_key(keys[0]), tmp_path / "a"
    write_build(plan("onnxruntime", "fp32"), place, graphs_only=True, key=key)
    assert (place / signature.FILE).stat().st_size == 64
    finish_build(place)
    assert not (place / signature.FILE).exists()
    write_build(plan("onnxruntime", "fp32"), place, key=key)
    monkeypatch.setenv(signature.TRUST, str(keys[1]))
    edge.open(place).__exit__(None, None, None)
    write_build(plan("onnxruntime", "fp32"), place)  # no file of another owner is in its way
    assert not (place / signature.FILE).exists()


def test_edge_build_signs_a_complete_folder(
    build: Path, keys: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = (build / manifests.FILE).read_bytes()
    result = CliRunner().invoke(app, ["build", str(build), "--sign", str(keys[0])])
    assert result.exit_code == 0, result.exception
    assert (build / manifests.FILE).read_bytes() == before
    monkeypatch.setenv(signature.TRUST, str(keys[1]))
    assert CliRunner().invoke(app, ["inspect", str(build)]).exit_code == 0


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "No such file or directory, expected a key; one is made by openssl genpkey"),
        (b"", "expected an Ed25519 key in PEM, found none"),
        (b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "found none"),
        (private_pem(ec.generate_private_key(ec.SECP256R1())), "found another kind"),
        (private_pem(ed25519.Ed25519PrivateKey.generate(), b"secret"), "behind a password"),
    ],
    ids=["none", "empty", "damaged", "another kind", "a password"],
)
def test_a_private_key_that_is_none(content: bytes | None, words: str, tmp_path: Path) -> None:
    file = tmp_path / "key.pem"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(UsageError, match=words) as caught:
        signature.private_key(file)
    assert str(caught.value).startswith(f"--sign {file}: ")


@pytest.mark.parametrize("value", ["", "nowhere.pub", "KEY.pem"])
def test_a_public_key_that_is_none_trusts_nobody(
    value: str, build: Path, keys: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """An empty variable as well: it is set, so somebody means to trust signatures alone."""
    value = value.replace("KEY.pem", str(keys[0]))
    monkeypatch.setenv(signature.TRUST, value)
    with pytest.raises(UsageError, match=f"EDGE_TRUST={value}: .*openssl pkey -in KEY.pem -pubout"):
        edge.open(build)
