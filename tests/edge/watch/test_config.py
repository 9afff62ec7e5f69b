"""cameras.toml: refused with its line and its key."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge.errors import EdgeError, UsageError
from edge.watch.config import line_of, read_config

FULL = """\
# two cameras
build = "build/small"
folder = "data"

[cameras.door]
source = "rtsp://user:secret@door/stream"
background = "door.png"
zones = "door.json"
schedule = ["mon-fri 18:00-06:00", "sat 00:00-24:00"]
left_s = 60
shadow = 0.01
stabilize = false
sinks = ["broker"]
classify = "model.onnx"

[cameras."yard.1"]
source = "clips/a.mp4"
seconds = 20
build = "/builds/tiny"
range = "auto"

[sinks.broker]
url = "mqtt://broker"
qos = 1

[profiles.all]
off = []
[profiles.home]
off = ["door/porch", "yard.1"]
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "cameras.toml"
    path.write_text(text)
    return path


def test_everything_is_read(tmp_path: Path) -> None:
    config = read_config(written(tmp_path, FULL))
    door, yard = config.cameras
    assert (door.name, yard.name) == ("door", "yard.1")
    assert door.source == "rtsp://user:secret@door/stream"
    assert (door.background, door.zones) == (tmp_path / "door.png", tmp_path / "door.json")
    assert door.schedule == ("mon-fri 18:00-06:00", "sat 00:00-24:00")
    assert (door.left_s, door.stabilize, door.sinks) == (60.0, False, ("broker",))
    assert (door.shadow, yard.shadow) == (0.01, None)
    assert (door.build, door.classify) == (tmp_path / "build/small", tmp_path / "model.onnx")
    # What lies beside the file is found from anywhere.
    assert yard.source == str(tmp_path / "clips/a.mp4")
    assert (yard.seconds, yard.build, yard.range) == (20.0, Path("/builds/tiny"), "auto")
    assert (yard.sinks, yard.zones, yard.schedule) == (None, None, ())
    assert config.sinks == {"broker": {"url": "mqtt://broker", "qos": 1}}
    assert config.profiles == {"all": (), "home": ("door/porch", "yard.1")}
    assert config.folder == tmp_path / "data"


LEAST = '[cameras.door]\nsource = "a.mp4"\n'
WRONG = [
    ("", "line 1: key `cameras`: no camera, expected one or more; as in [cameras.door]"),
    ("[cameras]\n", "line 1: key `cameras`: no camera"),
    ('cameras = 5\n', "line 1: key `cameras`: expected tables"),
    ('[cameras]\ndoor = "a"\n', "line 2: key `cameras.door`: expected a table"),
    ("\n[cameras.door]\n", "line 2: key `cameras.door`: key `source` is missing"),
    ("[cameras.door]\nsource = 5\n", "line 2: key `cameras.door.source`: 5, expected a text"),
    (LEAST + "colour = 1\n", "line 3: key `cameras.door.colour`: unknown key; known: source,"),
    (LEAST + "\nzones = true\n", "line 4: key `cameras.door.zones`: True, expected a text"),
    (LEAST + 'schedule = "night"\n', "line 3: key `cameras.door.schedule`: 'night', expected a"),
    (LEAST + 'schedule = ["night"]\n', "`night`: expected hours as in"),
    (LEAST + "shadow = 0\n", "key `cameras.door.shadow`: 0, expected a number from 1e-06 to 1"),
    (LEAST + "left_s = 0\n", "key `cameras.door.left_s`: 0, expected a number from 1"),
    (LEAST + "left_s = nan\n", "key `cameras.door.left_s`: nan"),
    (LEAST + "seconds = true\n", "key `cameras.door.seconds`: True, expected a number from 0.1"),
    (LEAST + "stabilize = 1\n", "key `cameras.door.stabilize`: 1, expected true or false"),
    (LEAST + 'sinks = ["a"]\n', "key `cameras.door.sinks`: no sink `a`; sinks: none"),
    (LEAST + 'background = "a.png"\nseconds = 5\n', "line 4: key `cameras.door.seconds`: has no"),
    (LEAST + '[cameras."a/b"]\nsource = "b"\n', "line 3: key `cameras.a/b`: expected a name"),
    (LEAST + "[profiles.home]\n", "line 3: key `profiles.home`: expected the key `off`"),
    (LEAST + '[profiles.home]\noff = ["gate"]\n', "line 4: key `profiles.home.off`: no camera `g"),
    (LEAST + 'range = "7000-8000"\n', "line 3: key `cameras.door.range`: '7000-8000', expected"
     " LOW:HIGH in 0 to 65535, or auto; range = \"7000:8000\""),
    (LEAST + "left_s = nan\n", "door.left_s`: nan, expected a number from 1; as in left_s = 1"),
    (LEAST + "shadow = nan\n", "key `cameras.door.shadow`: nan, expected a number"),
    (LEAST + "wrong = \n", "Invalid value (at line 3, column 9), expected TOML"),
    (LEAST + 'source = "b"\n', "line 3"),
    (LEAST + "[outputs]\n", "line 3: key `outputs`: unknown key; known: build, cameras"),
    ('folder = 5\n' + LEAST, "line 1: key `folder`: 5, expected a text"),
    (LEAST + "left_s = " + "9" * 5000 + "\n", "expected smaller values"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "words"), WRONG, ids=[words[:50] for _, words in WRONG])
def test_what_is_wrong_is_named(tmp_path: Path, text: str, words: str) -> None:
    path = written(tmp_path, text)
    with pytest.raises(UsageError) as caught:
        read_config(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert words in str(caught.value)


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(EdgeError, match=r"cannot read .*No such file"):
        read_config(tmp_path / "none.toml")
    (tmp_path / "bytes.toml").write_bytes(b"\xff")
    with pytest.raises(UsageError, match="no text of UTF-8"):
        read_config(tmp_path / "bytes.toml")


def test_a_mark_of_the_byte_order_and_accents(tmp_path: Path) -> None:
    path = tmp_path / "cameras.toml"
    text = LEAST + '[profiles.home]\noff = ["door/Tu\u0308r"]\n'
    path.write_text(text, encoding="utf-8-sig")
    assert read_config(path).profiles == {"home": ("door/Tür",)}


@pytest.mark.parametrize(
    ("where", "line"),
    [
        ((), 1), (("build",), 2), (("cameras", "door"), 5), (("cameras", "door", "zones"), 8),
        (("cameras", "yard.1", "range"), 20), (("cameras", "door", "none"), 5),
        (("sinks", "broker", "qos"), 24), (("profiles", "home", "off"), 29),
    ],
)  # fmt: skip
def test_lines_of_keys(where: tuple[str, ...], line: int) -> None:
    assert line_of(FULL, where) == line


def test_dotted_keys_have_lines_too() -> None:
    text = 'cameras.door.source = "a"\n[cameras]\ndoor.zones = 5\n'
    assert line_of(text, ("cameras", "door", "source")) == 1
    assert line_of(text, ("cameras", "door", "zones")) == 3


def test_files_of_sinks_are_relative_to_the_file(tmp_path: Path) -> None:
    path = tmp_path / "cameras.toml"
    path.write_text(
        LEAST + '[sinks.a]\nurl = "mqtts://host"\nca = "ca.pem"\npassword_file = "/abs/p"\n'
        "discovery = false\n"
    )
    assert read_config(path).sinks["a"] == {
        "url": "mqtts://host",
        "ca": str(tmp_path / "ca.pem"),
        "password_file": "/abs/p",
        "discovery": False,
    }
