"""Fuzzing that is guided by coverage: inputs that reach new lines are kept and changed further.

    python -m tests.hostile.fuzz.coverage [--seconds 240] [--corpus FOLDER] [PARSER ...]

What was found to reach new lines is added to the corpus; a failure ends the parser's run and is
written beside it as `crash-...`. The corpus in this repository is read by every `make test`.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

CORPUS = Path(__file__).parent / "corpus"
LARGEST = 4096
"""Bytes of an input: all that is small is tried before what is large."""


def manifest(folder: Path) -> Callable[[bytes], None]:
    """manifest.json of a build."""
    from edge import manifest as manifests

    from .examples import outcome

    def read(data: bytes) -> None:
        (folder / manifests.FILE).write_bytes(data)
        for parse in (manifests.read, manifests.files_of, manifests.origin_of):
            outcome(lambda parse=parse: parse(folder))  # type: ignore[misc]

    return read


def zip_file(folder: Path) -> Callable[[bytes], None]:
    """A zip of the seed's layout."""
    from .test_samples import IMAGES, LABELS, read_all, write, zipped

    good = {"bg/hall.png": IMAGES[0], "fg_bg_masks/hall.zip": zipped({"1.png": LABELS[0]})}
    place = folder / "samples"

    def read(data: bytes) -> None:
        write(place, good | {"fg_bg/hall.zip": data})
        read_all(place)
        assert list(folder.iterdir()) == [place]

    return read


def network(folder: Path) -> Callable[[bytes], None]:
    """An ONNX file that should keep the contract of a network."""
    from .test_networks import check_network

    place = folder / "network.onnx"

    def read(data: bytes) -> None:
        place.write_bytes(data)
        check_network(place)

    return read


PARSERS = {"manifest": manifest, "zip": zip_file, "network": network}
INSTRUMENTED = (
    "edge.graph", "edge.manifest", "edge.samples", "edge.signature", "edge.strict_json",
    "edge.calibrate.pipeline", "json", "zipfile",
)  # fmt: skip


def seeds(name: str) -> dict[str, bytes]:
    """Good inputs, which the fuzzer begins with."""
    if name == "manifest":
        from .test_builds import MANIFEST

        return {"good": MANIFEST.to_json().encode()}
    if name == "zip":
        from .test_samples import IMAGES, zipped

        return {"good": zipped({"1.png": IMAGES[0]}), "stored": zipped({"1.png": IMAGES[0]}, 0)}
    from tests.tiny_network import tiny

    return {"good": tiny().SerializeToString()}


def words_of(name: str) -> list[str]:
    """What the fuzzer puts into inputs beside bytes."""
    if name == "manifest":
        from .test_builds import MANIFEST

        values = asdict(MANIFEST)
        return [f'"{key}"' for key in values] + [json.dumps(value) for value in values.values()]
    if name == "zip":
        return ["PK\\x03\\x04", "PK\\x01\\x02", "PK\\x05\\x06", "../", "1.png", "\\x0c\\x00"]
    return ["Relu", "Conv", "ConvTranspose", "Resize", "Loop", "bg", "fg_bg", "spread", "mask",
            "depth", "stride", "location", "/etc/passwd"]  # fmt: skip


def fuzz(name: str, seconds: int, corpus: Path) -> None:
    """Fuzz one parser in this process, which ends with it."""
    import atheris

    with atheris.instrument_imports(include=list(INSTRUMENTED), enable_loader_override=False):
        folder = Path(tempfile.mkdtemp(prefix="edge-fuzz-"))
        read = PARSERS[name](folder)
    corpus.mkdir(parents=True, exist_ok=True)
    for seed, data in seeds(name).items():
        (corpus / seed).write_bytes(data)
    dictionary = folder.parent / f"{folder.name}.dict"
    escaped = (word.replace('"', '\\"') for word in words_of(name) if len(word) < 60)
    dictionary.write_text("".join(f'"{word}"\n' for word in escaped))
    words = [
        f"-dict={dictionary}",
        f"-max_total_time={seconds}",
        f"-max_len={LARGEST}",
        "-timeout=60",
        "-rss_limit_mb=4096",
    ]
    words += [f"-artifact_prefix={corpus}/../{name}-", "-print_final_stats=1", "-verbosity=0"]
    atheris.Setup([sys.argv[0], *words, str(corpus)], read)
    atheris.Fuzz()


def main() -> int:
    parser = argparse.ArgumentParser(description="Fuzz parsers, guided by coverage.")
    parser.add_argument("parsers", nargs="*", metavar="PARSER", default=list(PARSERS))
    parser.add_argument("--seconds", type=int, default=240, help="of each parser")
    parser.add_argument("--corpus", type=Path, default=CORPUS)
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if unknown := set(given.parsers) - set(PARSERS):
        parser.error(f"no parser {unknown.pop()}; there are {', '.join(PARSERS)}")
    if given.here:
        fuzz(given.parsers[0], given.seconds, given.corpus / given.parsers[0])
    failed = 0
    for name in given.parsers:
        words = [sys.executable, "-m", "tests.hostile.fuzz.coverage", name, "--here"]
        words += ["--seconds", str(given.seconds), "--corpus", str(given.corpus)]
        failed |= subprocess.run(words, check=False).returncode
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main())
