"""No planted secret is in anything that a command prints or writes."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import pytest
import typer.main

from edge.calibrate.rendering.scene import RenderedScene
from edge.cli.app import app
from edge.errors import EdgeError
from edge.sinks.metrics import Metrics

from ..edge.sinks.broker import free_port

PASSWORD, ACCOUNT, TOKEN = "Sesame4711", "Mosquito0815", "ViewToken123456"
WEBHOOK = base64.b64encode(b"hook-secret-of-31-bytes-in-all!").decode()
BEARER = "HookAccount99"
SECRETS = (PASSWORD, ACCOUNT, TOKEN, WEBHOOK, BEARER)
# Nobody listens at port 9: every sink and camera is out of reach, and says so.
CONFIG = f"""
build = "{{build}}"
[cameras.yard]
source = "{{source}}"
background = "bg.png"
[sinks.broker]
url = "mqtt://user:{ACCOUNT}@127.0.0.1:9"
[sinks.hook]
url = "http://user:{BEARER}@127.0.0.1:9/events"
secret = "whsec_{WEBHOOK}"
[recordings]
"""
STREAM = f"rtsp://admin:{PASSWORD}@127.0.0.1:9/live?user=admin&password={PASSWORD}"


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    image = RenderedScene("yard", 0, (240, 320)).background().image
    cv2.imwrite(str(tmp_path / "bg.png"), image)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*words: object) -> str:
    """The message of a command that was refused; empty where it was done."""
    try:
        typer.main.get_command(app).main([*map(str, words)], standalone_mode=False)
    except EdgeError as error:
        return str(error)
    return ""


def found(text: str) -> list[str]:
    """Secrets in a text: as they are, as an address has them, and in base64."""
    forms = {secret: (secret, secret[::-1]) for secret in SECRETS}
    seen = [secret for secret, each in forms.items() if any(form in text for form in each)]
    for word in re.findall(r"[A-Za-z0-9+/]{12,}={0,2}", text):
        try:
            plain = base64.b64decode(word + "=" * (-len(word) % 4)).decode("latin-1")
        except ValueError:
            continue
        seen += [secret for secret in SECRETS if secret in plain]
    return seen


def written(place: Path, given: tuple[str, ...] = ("cameras.toml",)) -> Iterator[tuple[str, str]]:
    for path in sorted(place.rglob("*")):
        if path.is_file() and path.name not in given:
            yield path.name, path.read_bytes().decode("latin-1")


def check(place: Path, message: str, capfd: pytest.CaptureFixture[str], *more: str) -> None:
    out, err = capfd.readouterr()
    for text in (message, out, err, *more):
        assert found(text) == [], text
    for name, text in written(place):
        assert found(text) == [], name


def test_watch_with_sinks_out_of_reach(
    place: Path,
    builds: Callable[[str, str], Path],
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    kept: list[Metrics] = []
    begin = Metrics.__init__

    def remembered(self: Metrics) -> None:
        begin(self)
        kept.append(self)

    monkeypatch.setattr(Metrics, "__init__", remembered)
    build = builds("onnxruntime", "int8")
    text = CONFIG.format(build=build, source="synthetic://yard")
    (place / "cameras.toml").write_text(text)
    view, numbers = (f"127.0.0.1:{free_port()}" for _ in range(2))
    words = ("--view", view, "--view-token", TOKEN, "--metrics", numbers, "--frames", 40)
    message = run("watch", "--config", "cameras.toml", *words)
    assert message == ""
    metrics = "".join(each.text() for each in kept)
    assert "edge_" in metrics
    assert any(name == "events.sqlite" for name, _ in written(place))
    check(place, message, capfd, metrics)


@pytest.mark.parametrize(
    "words",
    [
        ("run", STREAM, "--seconds", 1, "--frames", 1),
        ("background", STREAM, "--seconds", 1),
        ("watch", STREAM, "--bg", "bg.png", "--frames", 1),
        ("watch", "synthetic://yard", "--sink", f"mqtt://:{ACCOUNT}@127.0.0.1:9/a#b"),
        ("watch", "synthetic://yard", "--sink", f"http://u:{BEARER}@:9/x"),
        ("watch", "synthetic://yard", "--sink", f"ftp://u:{BEARER}@host/x"),
        ("run", f"rtsp:/admin:{PASSWORD}@127.0.0.1/live"),
        ("run", f"http://127.0.0.1:9/?pwd={PASSWORD}"),
    ],
    ids=lambda words: f"{words[0]} {words[1].partition(':')[0]}",
)
def test_what_is_out_of_reach_or_mistyped(
    words: tuple[object, ...],
    place: Path,
    builds: Callable[[str, str], Path],
    capfd: pytest.CaptureFixture[str],
) -> None:
    build = [] if words[0] == "background" else ["--build", builds("onnxruntime", "int8")]
    message = run(*words, *build)
    assert message
    check(place, message, capfd)


def test_a_damaged_file_of_cameras(place: Path, capfd: pytest.CaptureFixture[str]) -> None:
    good = CONFIG.format(build="b", source=STREAM)
    for wrong in (
        good.replace("[sinks.hook]", "[sinks.hook"),
        good.replace('secret = "whsec_', 'secret = "'),
        good.replace(f'"{STREAM}"', f'["{STREAM}"]'),
        good.replace('url = "mqtt', 'ur = "mqtt'),
        good.replace(f'"mqtt://user:{ACCOUNT}', f'"mqtt:/user:{ACCOUNT}'),
        good.replace(f'"mqtt://user:{ACCOUNT}@127.0.0.1:9"', f'{{ a = "{ACCOUNT}" }}'),
    ):
        (place / "cameras.toml").write_text(wrong)
        message = run("watch", "--config", "cameras.toml", "--frames", 1)
        assert message
        check(place, message, capfd)


def test_doctor_says_nothing_of_the_environment(
    place: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("EDGE_VIEW_TOKEN", TOKEN)
    assert run("doctor", "--json") == ""
    check(place, "", capfd)


def test_a_secret_is_seen() -> None:
    account = base64.b64encode(f"user:{BEARER}".encode()).decode()
    for text in (f"rtsp://admin:{PASSWORD}@x", f"Authorization: Basic {account}"):
        assert found(text)
