"""Entries of the report from what was measured."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from edge.benchmarks.measuring.power import total
from edge.benchmarks.measuring.rounds import speed_of
from edge.benchmarks.measuring.runs import BuildRun, PeerRun
from edge.benchmarks.measuring.scores import drop
from edge.benchmarks.measuring.stats import summary
from edge.benchmarks.reporting.report import BuildEntry, FrameRecord, Peer, Scores


def build_entry(run: BuildRun, reference: Scores, true_depth: bool) -> BuildEntry:
    """The entry of a build whose process has ended.

    Args:
        run: The build.
        reference: Scores of its FP32.
        true_depth: Whether the samples have a depth; without, only the drop of depth is known.
    """
    manifest, fold = run.manifest, run.manifest.fold
    stages = {stage: summary(times) for stage, times in run.stages.items()}
    power = total(run.energy)
    return BuildEntry(
        name=run.name,
        path=None if run.made else str(run.path),
        reference=run.reference,
        network=manifest.network,
        target=manifest.target,
        precision=manifest.precision,
        imgsz=manifest.imgsz,
        folded=run.folded,
        params=manifest.params,
        macs=fold["frame_macs"] + (0 if run.folded else fold["background_macs"]),
        layers=manifest.layers,
        int8_layers=manifest.int8_layers,
        size_mb=manifest.size_mb,
        **speed_of(run.timed),
        postprocess_ms=summary(run.timed.times.postprocess),
        h2d_ms=stages.get("h2d"),
        gpu_compute_ms=stages.get("gpu_compute"),
        d2h_ms=stages.get("d2h"),
        gpu_mem_peak_mb=run.gpu_mem_peak_mb,
        power_w=power.watts if power else None,
        energy_mj_per_frame=power.mj_a_frame if power else None,
        energy=run.energy or None,
        mask=run.scores.mask,
        depth=run.scores.depth if true_depth else None,
        flicker=run.flicker,
        drop=drop(run.scores, reference),
        cold=run.cold,
        paced=run.paced,
        gate=run.gate,
        overhead=run.overhead,
        cameras=run.cameras,
    )


def peer_entry(peer: PeerRun) -> Peer:
    """The entry of a peer whose process has ended."""
    about = peer.about
    return Peer(
        name=about.name,
        path=about.path,
        runtime=about.runtime,
        precision=about.precision,
        imgsz=about.imgsz,
        **speed_of(peer.timed),
        mask=peer.mask,
    )


def frame_records(runs: Sequence[BuildRun], peers: Sequence[PeerRun]) -> Iterator[FrameRecord]:
    """Every timed frame, the lines of samples.jsonl."""
    for run in runs:
        times = run.timed.times
        path = None if run.made else str(run.path)
        stages = zip(times.preprocess, times.latency, times.postprocess, strict=True)
        for number, values in enumerate(stages):
            yield FrameRecord(run.name, path, run.folded, number, *(round(v, 5) for v in values))
    for peer in peers:
        times = peer.timed.times
        for number, pair in enumerate(zip(times.preprocess, times.latency, strict=True)):
            yield FrameRecord(peer.about.name, None, None, number, *(round(v, 5) for v in pair))
