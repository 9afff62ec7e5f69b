"""Make a build: network, samples, ranges, Q/DQ graph, engine. Everything that builds comes here.

manifest = build(BuildRequest(network="nano", target="openvino"), Path("build/nano"))
"""

from __future__ import annotations

import shlex
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import onnx

from edge.builder.plan import Plan, fingerprint, float_plan
from edge.builder.write import write_build
from edge.bundled import DEFAULT, bundled
from edge.bundled import names as bundled_names
from edge.calibrate import methods
from edge.calibrate.apply import float_frame, quantize_plan
from edge.calibrate.evaluator import Evaluator
from edge.calibrate.labelled import Labelled, read_footage, read_labelled
from edge.calibrate.observe import passes
from edge.calibrate.outputs import check_change, check_ranges, check_values
from edge.calibrate.qdq import SCHEMES
from edge.calibrate.record import Ranges, RangesKey, key_of, load_ranges, record_ranges
from edge.calibrate.rendering.samples import Rendered
from edge.calibrate.samples import open_calibration
from edge.calibrate.sensitivity import keep_in_float, layer_drops, layers
from edge.errors import EdgeError, UsageError
from edge.graph.contract import check_shapes, conform
from edge.graph.depth_network import read_depth_network
from edge.graph.fold import Split, split
from edge.graph.onnx_file import read_onnx
from edge.graph.resize import image_size, resize_network
from edge.graph.scene_depth import with_scene_depth
from edge.manifest import Manifest
from edge.progress import note, track
from edge.runtime.cores import usable_cores
from edge.samples.footage import Footage
from edge.samples.sample import (
    Sample,
    Samples,
    evenly_spaced,
    iter_samples,
    resize_sample,
)
from edge.targets import PRECISIONS, UPSAMPLE_OPS, Target, choose, targets


@dataclass(frozen=True)
class BuildRequest:
    """What to build. Two equal requests give equal builds.

    Attributes:
        model: An ONNX file or a checkpoint; None takes the bundled network `network`.
        network: Name of a bundled network, or of a network that is handed in.
        target: Name of a target; `auto` is the fastest that runs on this machine.
        precision: int8, fp16, bf16 or fp32.
        imgsz: (height, width) of the images; None keeps the network's own.
        samples: Source of the calibration samples, as `--samples`.
        calib_method, calib_samples: Method of the ranges, and the number of samples.
        ranges: File of recorded ranges; None records them.
        max_drop: Largest IoU or delta1 that int8 may lose on the samples; layers stay in float
            until it does.
        keep: Layers that stay in float.
        upsample: Operator of UPSAMPLE_OPS for int8; None takes the target's.
        uint8_outputs: mask and depth as uint8.
        sm: GPU generations of the engine, as 86 for 8.6.
        scene_depth: An ONNX file that gives the depth of the scene in place of the network's own.
        scene_depth_format: Its format (edge.graph.depth_network); None takes that of its metadata.
    """

    model: str | None = None
    network: str = DEFAULT
    target: str = "auto"
    precision: str = "int8"
    imgsz: tuple[int, int] | None = None
    samples: str = "rendered"
    calib_method: str = "minmax"
    calib_samples: int = 64
    ranges: Path | None = None
    max_drop: float | None = None
    keep: tuple[str, ...] = ()
    upsample: str | None = None
    uint8_outputs: bool = False
    sm: tuple[int, ...] = ()
    scene_depth: Path | None = None
    scene_depth_format: str | None = None

    def command(self) -> str:
        """The shell command that makes the build again."""
        words: list[object] = ["edge", "build"]
        words += [self.model] if self.model else ["--network", self.network]
        words += ["--precision", self.precision, "--target", self.target]
        if self.sm:
            words += ["--sm", ",".join(map(str, self.sm))]
        if self.imgsz:
            words += ["--imgsz", f"{self.imgsz[1]}x{self.imgsz[0]}"]
        if self.precision == "int8":
            words += ["--samples", self.samples, "--calib-method", self.calib_method]
            words += ["--calib-samples", self.calib_samples]
            words += ["--ranges", self.ranges] if self.ranges else []
            words += ["--max-drop", self.max_drop] if self.max_drop is not None else []
            words += ["--keep", ",".join(self.keep)] if self.keep else []
            words += ["--upsample", self.upsample] if self.upsample else []
        words += ["--scene-depth", self.scene_depth] if self.scene_depth else []
        if self.scene_depth_format:
            words += ["--scene-depth-format", self.scene_depth_format]
        words += ["--bytes"] if self.uint8_outputs else []
        return shlex.join(str(word) for word in words)


def resolve(request: BuildRequest) -> tuple[BuildRequest, Target]:
    """Check a request; give it with `auto` replaced, and its target.

    Raises:
        UsageError: Options that do not exist, do not go together, or have no effect.
    """
    if request.precision not in PRECISIONS:
        raise UsageError(f"unknown precision {request.precision!r}; known: {', '.join(PRECISIONS)}")
    target = choose(request.target)
    if request.precision not in target.precisions:
        others = [t.name for t in targets().values() if request.precision in t.precisions]
        raise UsageError(
            f"{target.name} has no {request.precision} engine, it has"
            f" {', '.join(target.precisions)}",
            f"{request.precision} is built by: {', '.join(others)}",
        )
    if unknown := [sm for sm in request.sm if sm not in target.sms]:
        if not target.sms:
            raise UsageError(f"--sm has no effect: {target.name} builds for the machine it is on")
        known = ", ".join(map(str, target.sms))
        raise UsageError(f"--sm {unknown[0]}: {target.name} cannot build for it; known: {known}")
    if request.precision != "int8":
        for option, value in (
            ("--ranges", request.ranges), ("--max-drop", request.max_drop),
            ("--keep", request.keep), ("--upsample", request.upsample),
        ):  # fmt: skip
            if value not in (None, ()):
                raise UsageError(f"{option} has no effect on {request.precision}, only on int8")
    else:
        methods.get(request.calib_method)
    if request.upsample not in (None, *UPSAMPLE_OPS):
        raise UsageError(f"--upsample {request.upsample}: known are {', '.join(UPSAMPLE_OPS)}")
    if request.max_drop is not None and request.keep:
        raise UsageError("--max-drop chooses the layers that stay in float; leave --keep out")
    return replace(request, target=target.name), target


def load_network(request: BuildRequest) -> tuple[onnx.ModelProto, str]:
    """The float network of a request at its size, and its name.

    Raises:
        UsageError: The model is a checkpoint, which `edge export` turns into ONNX.
        EdgeError: There is no such file, it is no ONNX network, or it breaks the contract.
    """
    path = Path(request.model) if request.model else bundled(request.network)
    if not path.is_file():
        raise EdgeError(f"no file {path}; expected an ONNX network or a checkpoint (.pt)")
    if path.suffix == ".pt":
        raise UsageError(f"{path} is a checkpoint", f"make an ONNX file of it: edge export {path}")
    model = read_onnx(path)
    try:
        model = conform(model)
        check_shapes(model)
    except EdgeError as error:
        raise EdgeError(
            f"{path} breaks the contract of a network: {error.message}", error.hint
        ) from error
    return resize_network(model, *(request.imgsz or image_size(model))), path.stem


def identify(request: BuildRequest, network: onnx.ModelProto, name: str) -> tuple[str, bool]:
    """The name of a request's network, and whether it is the bundled network of that name.

    A file that is named as a bundled network but holds another gets its hash as part of its name,
    so that nobody takes one for the other.
    """
    if name not in bundled_names():
        return name, False
    if request.model is None:
        return name, True
    own = fingerprint(network)
    try:
        ours, _ = load_network(BuildRequest(network=name, imgsz=image_size(network)))
    except EdgeError:  # the bundled network does not work at this size
        return f"{name}-{own[:6]}", False
    same = own == fingerprint(ours)
    return (name if same else f"{name}-{own[:6]}"), same


class Calibration:
    """The samples of a request, read once: for the ranges, and for judging int8.

    Attributes:
        source: The opened samples; None where they were handed in.
    """

    def __init__(
        self, request: BuildRequest, size: tuple[int, int], samples: Sequence[Sample] | None
    ) -> None:
        self._request, self._size = request, size
        self._given = samples
        self.source: Samples | None = None
        if samples is None:
            self.source = open_calibration(request.samples)
        if isinstance(self.source, Footage) and request.max_drop is not None:
            raise UsageError(
                f"--max-drop compares with labels, and {self.source.name} has none",
                "give labelled samples, or leave --max-drop out",
            )

    @cached_property
    def labelled(self) -> Labelled:
        """(sequence, sample), at most `calib_samples`, evenly spaced."""
        if self._given is not None:
            return [(sample.name.rpartition("/")[0], sample) for sample in self._given]
        assert self.source is not None
        if isinstance(self.source, Footage):
            return read_footage(self.source, self._request.calib_samples)
        return read_labelled(self.source, self._request.calib_samples)

    def some(self, count: int) -> list[Sample]:
        """At most so many of the samples, evenly spaced, without reading all."""
        if self.source is None or "labelled" in vars(self):
            samples = [sample for _, sample in self.labelled]
            return [samples[i] for i in evenly_spaced(samples, count)]
        return [
            sample for _, sample in iter_samples(self.source, evenly_spaced(self.source, count))
        ]

    def key(self, network_sha256: str) -> RangesKey:
        """What the ranges of these samples belong to."""
        request, source = self._request, self.source
        if source is None:
            return key_of(
                network_sha256, "", "", len(self.labelled), request.calib_method, self._size
            )
        return key_of(
            network_sha256,
            source.fingerprint(),
            source.name,
            min(request.calib_samples, len(source))
            if isinstance(source, Rendered)  # always readable, and slow to make
            else len(self.labelled),
            request.calib_method,
            self._size,
        )

    def ranges(self, graphs: Split, network_sha256: str) -> Ranges:
        """The ranges of a file that belongs to the request, else recorded ones."""
        key = self.key(network_sha256)
        if self._request.ranges is not None:
            return load_ranges(self._request.ranges, key)
        samples = [resize_sample(sample, *self._size) for _, sample in self.labelled]
        steps = passes(methods.get(key.method).needs_bins) * len(samples)
        bar = track([None] * steps, steps, "calibrating")
        return record_ranges(graphs, samples, key, usable_cores(), bar)

    def evaluator(self, float_build: Plan) -> Evaluator:
        return Evaluator(float_build, self.labelled)


def record(request: BuildRequest, network: onnx.ModelProto) -> Ranges:
    """Record the ranges of a float network on the samples of a request, for every target."""
    network = _with_scene_depth(request, network)
    calibration = Calibration(request, image_size(network), None)
    return calibration.ranges(split(network), fingerprint(network))


def plan(
    request: BuildRequest,
    *,
    network: onnx.ModelProto | None = None,
    samples: Sequence[Sample] | None = None,
) -> Plan:
    """Everything of a build but its folder.

    Args:
        request: What to build.
        network: A float network that takes the place of `request.model`; `request.network` names
            it.
        samples: Calibration samples, already read, of any size; None reads `request.samples`.

    Raises:
        EdgeError: The network, the samples or the ranges do not fit.
    """
    started = time.monotonic()
    request, target = resolve(request)
    name = request.network
    if network is None:
        network, name = load_network(request)
    else:
        network = conform(network)
    name, is_bundled = identify(request, network, name)
    network = _with_scene_depth(request, network)
    if request.scene_depth is not None:
        is_bundled, name = False, f"{name}-{request.scene_depth.stem}"
    float_build = float_plan(
        network,
        name,
        target,
        request.precision,
        request.command(),
        bundled=is_bundled,
        sm=tuple(sorted(request.sm)),
        uint8_outputs=request.uint8_outputs,
        upsample=request.upsample,
        started=started,
    )
    check_values(float_build.split, float_build.imgsz)
    if request.precision != "int8":
        return float_build
    calibration = Calibration(request, float_build.imgsz, samples)
    ranges = calibration.ranges(float_build.split, float_build.model["sha256"])
    check_ranges(ranges.ranges, "on the calibration samples")
    keep = _kept(request, float_build, ranges, calibration)
    int8 = quantize_plan(float_build, ranges, keep)
    for layer in set(int8.calibration.get("kept_in_float", ())).difference(keep):
        note(f"in float: {layer}, whose bias is too large for integers in steps of its weights")
    check_change(float_build, int8, calibration.some(2))
    return int8


def build(
    request: BuildRequest,
    out: Path,
    *,
    network: onnx.ModelProto | None = None,
    samples: Sequence[Sample] | None = None,
    replace: bool = False,
) -> Manifest:
    """Make a build in the folder `out`; arguments and errors as of `plan` and `write_build`."""
    began = time.time()
    planned = plan(request, network=network, samples=samples)
    return write_build(planned, out, replace=replace, began=began)


def _with_scene_depth(request: BuildRequest, network: onnx.ModelProto) -> onnx.ModelProto:
    """A network with the depth of the scene that the request names; without one as it is."""
    if request.scene_depth is None:
        if request.scene_depth_format is not None:
            raise UsageError("--scene-depth-format has no effect without --scene-depth")
        return network
    other = read_depth_network(request.scene_depth, request.scene_depth_format)
    return with_scene_depth(network, other)


def _kept(
    request: BuildRequest, float_build: Plan, ranges: Ranges, calibration: Calibration
) -> tuple[str, ...]:
    """The layers that stay in float."""
    names = layers(float_frame(float_build), SCHEMES[float_build.target.scheme])
    if unknown := [layer for layer in request.keep if layer not in names]:
        raise UsageError(f"--keep {unknown[0]}: no such layer; there are {', '.join(names)}")
    if request.max_drop is None:
        return request.keep
    evaluator = calibration.evaluator(float_build)
    drop = evaluator.drop(quantize_plan(float_build, ranges))
    note(f"int8 loses {_listed(drop)} on {len(evaluator.samples)} samples {evaluator.arithmetic},"
         f" allowed are {request.max_drop:g}")  # fmt: skip
    if max(drop.values()) <= request.max_drop:
        return ()
    drops = dict(track(layer_drops(float_build, ranges, evaluator, {}), len(names), "layer drops"))
    kept = keep_in_float(float_build, ranges, evaluator, drops, request.max_drop)
    for layer in kept.layers:
        note(f"in float: {layer}, which alone loses {_listed(drops[layer])}")
    note(
        f"{len(kept.layers)} of {len(names)} layers stay in float: int8 loses {_listed(kept.drop)}"
    )
    return kept.layers


def _listed(drop: dict[str, float]) -> str:
    return ", ".join(f"{value:.4f} {key}" for key, value in drop.items())
