"""The report of `edge bench`: types from the measurement to report.json, .md and .html.

report.json is `Report.to_json()`; docs/report.schema.json is generated from these classes. A field
with the default None has no key while it is None.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from edge.benchmarks.reporting.codec import decode, encode

Interval = tuple[float, float]
Size = tuple[int, int]


@dataclass(frozen=True)
class LatencySummary:
    """Milliseconds of n frames. A percentile that has too few frames is null; the intervals are
    95 % bootstrap intervals, [low, high]."""

    min: float
    mean: float
    p50: float | None
    p50_interval: Interval | None
    p90: float | None
    p90_interval: Interval | None
    p95: float | None
    p99: float | None
    max: float
    n: int


@dataclass(frozen=True)
class MaskScores:
    """Mask against labels at probability 0.5, mean over sequences; null where no sequence has a
    foreground pixel in its labels or in the mask."""

    iou: float | None
    f_measure: float | None
    precision: float | None
    recall: float | None


@dataclass(frozen=True)
class DepthScores:
    """Inverse depth after fitting scale and shift, mean over samples whose own tells something:
    known, and not the same everywhere."""

    abs_rel: float
    rmse: float
    delta1: float


@dataclass(frozen=True)
class Scores:
    """Scores, or as `drop` what each lost against FP32 (negative: gained). Where the samples have
    no depth, no build has a depth score, and its `drop` is how far it is from FP32's own depth."""

    mask: MaskScores | None = None
    depth: DepthScores | None = None


@dataclass(frozen=True)
class Machine:
    """The machine that a figure belongs to. cores: usable by the process; threads: of the runtime;
    libraries: versions by name."""

    processor: str
    cores: int
    threads: int
    system: str
    python: str
    libraries: dict[str, str]


@dataclass(frozen=True)
class SampleSet:
    """What was measured on. place: as given to --samples; with_foreground: samples whose labels
    have foreground; skipped: unreadable samples and why; depth: what depth is compared with;
    decode_ms: median of decoding a JPEG of quality 90 on one thread; sha256: of the source's
    content, wherever it lies; null in older reports."""

    name: str
    place: str
    count: int
    sequences: int
    with_foreground: int
    skipped: dict[str, str]
    depth: Literal["truth", "fp32"]
    decode_ms: float
    sha256: str | None = None


@dataclass(frozen=True)
class Method:
    """How it was measured. rounds: interleaved rounds; overhead: --overhead was given;
    threads_tried_ms: p50 by number of threads, of --tune-threads."""

    seed: int
    rounds: int
    warmup_s: float
    overhead: bool
    threads_tried_ms: dict[str, float]


@dataclass(frozen=True)
class MachineWatch:
    """Other work on the machine meanwhile; null is unknown. others_share: of all cores' time;
    mhz: [lowest, highest] clock; celsius: hottest sensor [before, after]; throttled: times that
    heat slowed cores; disturbed: why the figures cannot be trusted, else empty."""

    others_share: float | None
    mhz: Interval | None
    celsius: Interval | None
    throttled: int | None
    disturbed: str


@dataclass(frozen=True)
class Cold:
    """Milliseconds of a start: opening, the first background, the first frame, and the median of
    the first hundred frames."""

    open_ms: float
    background_ms: float
    first_ms: float
    first_100_ms: float


@dataclass(frozen=True)
class Paced:
    """Frames at a camera's rate. deadline_misses: frames finished after the next was due."""

    fps: float
    fps_paced: float
    end_to_end_ms: LatencySummary
    deadline_misses: int
    dropped_frames: int


@dataclass(frozen=True)
class GateScores:
    """A build behind a gate (edge.scene.gate). skipped_share: of the frames."""

    level: float
    max_age_ms: float
    skipped_share: float
    mask: MaskScores | None = None


@dataclass(frozen=True)
class Cameras:
    """Many cameras at once. size: [height, width] of their frames; late: frames finished after the
    camera's next one was due; ms_a_frame: by stage."""

    count: int
    fps: float
    size: Size
    frames: int
    late: int
    busy_share: float
    cores: int
    ms_a_frame: dict[str, float]
    rss_peak_mb: float


@dataclass(frozen=True)
class Overhead:
    """edge.infer beside the backend's own call, medians of n; share: of the backend's time."""

    infer_ms: float
    backend_ms: float
    n: int
    share: float


@dataclass(frozen=True)
class Energy:
    """What one meter counted while frames ran back to back, the idle share included."""

    mj_a_frame: float
    watts: float


@dataclass(frozen=True, kw_only=True)
class BuildEntry:
    """One build, with its background folded or run at every frame.

    reference: name of the FP32 build of the same network and target; path: null where the build was
    made for the run; imgsz: [height, width]; params: of the float network; macs: per frame; layers,
    int8_layers: that carry weights, null where the engine was not inspected; latency_ms: frame at
    network size to outputs; end_to_end_ms: frame at its own size to outputs; postprocess_ms: mask
    to blobs; flicker: share of pixels whose mask changes between two noisy takes of one frame;
    power_w, energy_mj_per_frame: of all meters together; energy: by meter.
    """

    name: str
    path: str | None
    reference: str
    network: str
    target: str
    precision: str
    imgsz: Size
    folded: bool
    params: int
    macs: int
    layers: int | None
    int8_layers: int | None
    size_mb: float
    preprocess_ms: LatencySummary
    latency_ms: LatencySummary
    postprocess_ms: LatencySummary
    end_to_end_ms: LatencySummary
    throughput_fps: float
    h2d_ms: LatencySummary | None = None
    gpu_compute_ms: LatencySummary | None = None
    d2h_ms: LatencySummary | None = None
    rss_peak_mb: float
    gpu_mem_peak_mb: float | None = None
    power_w: float | None = None
    energy_mj_per_frame: float | None = None
    energy: dict[str, Energy] | None = None
    mask: MaskScores | None = None
    depth: DepthScores | None = None
    flicker: float | None = None
    drop: Scores
    cold: Cold | None = None
    paced: Paced | None = None
    gate: GateScores | None = None
    overhead: Overhead | None = None
    cameras: Cameras | None = None


@dataclass(frozen=True, kw_only=True)
class Peer:
    """Another way to find foreground, measured in the same rounds. path: of an ONNX file."""

    name: str
    path: str | None = None
    runtime: str
    precision: str
    imgsz: Size
    preprocess_ms: LatencySummary
    latency_ms: LatencySummary
    end_to_end_ms: LatencySummary
    throughput_fps: float
    rss_peak_mb: float
    mask: MaskScores | None = None


@dataclass(frozen=True)
class Sensitivity:
    """Result of `edge sensitivity`. key: what it belongs to; drops: scores lost by layer."""

    key: dict[str, Any]
    drops: dict[str, dict[str, float]]


@dataclass(frozen=True, kw_only=True)
class Report:
    """report.json of `edge bench`."""

    schema: Literal["edge.report/3"] = "edge.report/3"
    machine: Machine
    samples: SampleSet
    method: Method
    watch: MachineWatch
    builds: tuple[BuildEntry, ...]
    peers: tuple[Peer, ...] | None = None
    sensitivity: Sensitivity | None = None

    @property
    def folded(self) -> list[BuildEntry]:
        """The builds with their background folded, in the order of the table."""
        return [entry for entry in self.builds if entry.folded]

    def reference_of(self, entry: BuildEntry) -> BuildEntry:
        """FP32 of the same network for the same target, folded."""
        return next(other for other in self.folded if other.name == entry.reference)

    def to_json(self) -> dict[str, Any]:
        """Return the document of report.json."""
        return dict(encode(self))

    @classmethod
    def from_json(cls, raw: object) -> Report:
        """Return the report of a parsed report.json; ValueError names what does not fit."""
        return decode(cls, raw)


@dataclass(frozen=True)
class FrameRecord:
    """One timed frame, a line of samples.jsonl. path, folded: of builds, as in BuildEntry; null for
    peers."""

    name: str
    path: str | None
    folded: bool | None
    frame: int
    preprocess_ms: float
    latency_ms: float
    postprocess_ms: float | None = None
