"""The card of a bundled network: its size, its training data, its scores, its licence."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx

from edge.benchmarks.accuracy.disturbances import DISTURBANCES
from edge.benchmarks.accuracy.networks import BUNDLED, PERMISSIVE, UNSEEN
from edge.benchmarks.reporting.table import number
from edge.benchmarks.zoo.journal import machine_of
from edge.bundled import bundled
from edge.graph.fold import split
from edge.graph.profile import macs, parameters

Results = dict[str, Any]
STAGES = {
    "scene/base": "the depth of a scene from its background, on the data of `base`",
    "scene/all": "the depth of a scene from its background, on photographs and rendered scenes",
    "base": "the three networks together, from rendered scenes and permissively licensed images",
    "final": "the three networks together, from all sources, on from the networks bundled before;"
    " this file is the mean of those and what became of them",
}
"""Steps of the zoo's journal behind a network, and what each trains."""

TEMPLATE = """# {network}

Mask and depth from an empty scene and a frame. FP32 ONNX, {megabytes:.1f} MB, {whole:,} parameters,
of which {frame:,} are used per frame: {mmac:.0f} MMAC at 224x224 (other multiples of {stride} with
`--imgsz`). Inputs and outputs as in the [runtime](../../docs/runtime.md).

## Trained on
{made}

{stages}

`composites:DATA` are photographs of empty scenes (SUN scene classes, offices, streets, wallpapers)
with RGBA cut-outs (people of Penn-Fudan, COCO128 and other collections); `composites:RUNS/free` are
those whose collections are permissively licensed (below). `DATA/sequences` are 23 of fixed cameras
(CDnet 2014, SBI 2015, OSTD, UCSD). The number is a source's weight. Depth of photographs was
labelled by TCMonoDepth (small, 192x320, MIT); depth of rendered scenes is exact; a cut-out in a
composite is as deep as the floor where it touches it. The depth of the scene is a network of its
own, the same in all three files; it saw no sequence, but measured depth (NYU Depth v2, fixed RGB-D
cameras), and its encoder began with weights of ImageNet (EfficientNet-Lite0, Apache-2.0).
```sh
{commands}
```

## Scores
{scores}

## Licence
The code that made it is Apache-2.0. Not all images are free: SBI's sequences are CC BY-NC 4.0 for
their authors' part, NYU Depth v2 and the RGB-D cameras are for research, COCO's and Penn-Fudan's
photographs keep their owners' rights, and several collections state no licence. Whether that binds
the weights is not settled. For commercial use train your own on images that you may use: `make zoo`
trains `base` on rendered scenes and collections under Apache-2.0, MIT and CC BY 4.0 (Aitzol
Berasategi) alone, of which the first two do not say where their images are from, and leaves it as
`runs/zoo/base/{network}.onnx`.
"""


def card(network: str, steps: Mapping[str, dict[str, Any]], results: Results) -> str:
    """Write the card of a network as Markdown.

    Args:
        network: A bundled network.
        steps: Of the zoo's journal, by STAGES: seconds, processor, cores, gpu, images, command, and
            optionally a `remark`.
        results: accuracy.json of edge.benchmarks.accuracy.
    """
    file = bundled(network)
    model = onnx.load(file)
    metadata = {entry.key: entry.value for entry in model.metadata_props}
    frame = split(model).frame
    last, side = steps["final"], json.loads(metadata["training"])["imgsz"]
    made = (
        f"Images of {side}x{side} composed during training, the depth of the scene first and then"
        f" the three networks together, on {machine_of(last)}; times by the clock."
    )
    return TEMPLATE.format(
        network=network,
        megabytes=file.stat().st_size / 1e6,
        whole=parameters(model),
        frame=parameters(frame),
        mmac=macs(frame) / 1e6,
        stride=metadata["stride"],
        made=textwrap.fill(f"{made} {last.get('remark', '')}", 96),
        stages="\n".join(f"- {stage}" for stage in _stages(steps)),
        commands="\n".join(_wrapped(steps[name]["command"]) for name in STAGES if name in steps),
        scores="\n".join(_scores(network, results)),
    )


def _stages(steps: Mapping[str, dict[str, Any]]) -> list[str]:
    """The images and the minutes of each stage."""
    return [
        f"`{name}`: {step['images']:,} images, {step['seconds'] / 60:.0f} minutes: {trains}"
        for name, trains in STAGES.items()
        if (step := steps.get(name))
    ]


def _wrapped(command: str) -> str:
    """A command on lines of its options."""
    return command.replace(" --", " \\\n    --")


def _scores(network: str, results: Results) -> list[str]:
    whole = results[BUNDLED][network]
    folds = results.get(UNSEEN, {}).get(network)
    tested = folds or whole
    who = (
        "a network of the same recipe that never saw it"
        if folds
        else "this file, which has seen all of them (it has no folds)"
    )
    lines = [
        "`make accuracy`; probability 0.5, at the sequences' own size. Each sequence was answered"
        f" by {who}. docs/accuracy.md has the cameras that no training saw.",
        "",
        *_sequences(
            tested, results.get(PERMISSIVE, {}).get(network), results["absolute_difference"]
        ),
        "",
        _disturbances(tested["int8"]),
        "",
        "| depth, the bundled file | AbsRel | delta1 | INT8 AbsRel | INT8 delta1 |",
        "| --- | --- | --- | --- | --- |",
    ]
    for source, fp32 in whole["fp32"]["depth"].items():
        int8 = whole["int8"]["depth"][source]
        cells = (number(s.get(key), 4) for s in (fp32, int8) for key in ("abs_rel", "delta1"))
        lines.append(f"| {source} | {' | '.join(cells)} |")
    return lines


def _sequences(tested: Results, permissive: Results | None, difference: Results) -> list[str]:
    """F-measure of every sequence; permissive: scores of `base`, if it was measured."""
    named = {"FP32": tested["fp32"]["f_measure"], "INT8": tested["int8"]["f_measure"]}
    if permissive is not None:
        named["`base` INT8"] = permissive["int8"]["f_measure"]
    named["best absolute difference"] = difference
    columns = list(named.values())
    lines = [f"| F-measure | {' | '.join(named)} |", "| --- " * (len(named) + 1) + "|"]
    for scene in columns[0]:
        cells = " | ".join(number(column[scene], 4) for column in columns)
        lines.append(f"| {scene} | {cells} |")
    known = [[score for score in column.values() if score is not None] for column in columns]
    means = " | ".join(f"{float(np.mean(scores)):.4f}" for scores in known)
    return [*lines, f"| **mean** | {means} |"]


def _disturbances(int8: Results) -> str:
    """The disturbances that lose most, stabilization, and flicker."""
    lost = int8["lost"]
    worst = sorted(DISTURBANCES, key=lambda name: -lost[name])[:3]
    text = "The disturbances that lose most mean F-measure (INT8): "
    text += ", ".join(f"{name} ({lost[name]:.4f})" for name in worst)
    for disturbance in DISTURBANCES.values():
        if disturbance.stabilized:
            loss = lost[disturbance.stabilized_name]
            text += f"; behind `edge.Stabilizer` {disturbance.name} loses {loss:.4f}"
    return f"{text}; flicker: {100 * int8['flicker']:.3f} % of the pixels."
