"""The card of a bundled network: what it is, what it learned from, how good it is, its licence."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx

from edge.benchmarks.accuracy.disturbances import DISTURBANCES, STEADIED
from edge.benchmarks.accuracy.families import BUNDLED, PERMISSIVE, UNSEEN
from edge.bundled import bundled
from edge.graph.fold import split
from edge.graph.profile import macs, parameters

Results = dict[str, Any]
STAGES = {
    "scene/base": "the depth of a scene from its picture, on what `base` sees",
    "scene/all": "the depth of a scene from its picture, on all photographs and rendered scenes",
    "base": "the three networks together, from rendered scenes and permissively licensed pictures",
    "final": "the three networks together, from all sources",
}
"""Steps of the zoo's journal that a network is made of, and what was learned in each."""

TEMPLATE = """# {network}

Mask and depth from an empty scene and a frame. FP32 ONNX, {megabytes:.1f} MB, {whole:,} parameters,
of which {frame:,} work at every frame: {mmac:.0f} MMAC at 224x224 (other multiples of {stride} with
`--imgsz`). Inputs and outputs as in the [runtime](../../docs/runtime.md).

## Trained on
{made}

{stages}

`composites:RUNS/free` are the pictures whose collections are permissively licensed (below);
`composites:DATA` are all: photographs of empty scenes (SUN scene classes, offices, streets,
wallpapers) with RGBA cut-outs (people of Penn-Fudan, COCO128 and other collections).
`DATA/sequences` are eight of fixed cameras (CDnet 2014, SBI 2015). The number is a source's weight.
Depth of photographs was labelled by TCMonoDepth (small, 192x320, MIT); depth of rendered scenes is
true; a thing in a composite is as deep as the floor where it touches it. The depth of the scene is
a network of its own, the same in all three files; it saw no sequence.
```sh
{commands}
```

## Scores
{scores}

## Licence
The code that made it is Apache-2.0. But for `scene/base` and `base`, the pictures are not all free:
SBI's sequences are CC BY-NC 4.0 for their authors' part, COCO's and Penn-Fudan's photographs keep
their owners' rights, and several collections state no licence. Whether that binds the weights is
not settled. `base` saw only rendered scenes and collections under Apache-2.0, MIT and CC BY 4.0
(Aitzol Berasategi), of which the first two do not say where their pictures are from; `make zoo`
leaves it as `runs/zoo/base/{network}.onnx`, and the table says what it costs. For commercial use
take that one, or train your own on pictures that you may use.
"""


def card(network: str, steps: Mapping[str, dict[str, Any]], results: Results) -> str:
    """The card as Markdown.

    steps: of the zoo's journal, by STAGES: seconds, processor, cores, gpu, command, and `remark`
    where something else is to be known. results: `accuracy.json` of benchmarks.accuracy.
    """
    file = bundled(network)
    model = onnx.load(file)
    about = {entry.key: entry.value for entry in model.metadata_props}
    frame = split(model).frame
    last, side = steps["final"], json.loads(about["training"])["imgsz"]
    made = (
        f"Pictures of {side}x{side} made on the fly, the depth of the scene first and then the"
        f" three networks together, on {place_of(last)}; times as they passed."
    )
    return TEMPLATE.format(
        network=network,
        megabytes=file.stat().st_size / 1e6,
        whole=parameters(model),
        frame=parameters(frame),
        mmac=macs(frame) / 1e6,
        stride=about["stride"],
        made=textwrap.fill(f"{made} {last.get('remark', '')}", 96),
        stages="\n".join(f"- {stage}" for stage in _stages(steps)),
        commands="\n".join(_wrapped(steps[name]["command"]) for name in STAGES if name in steps),
        scores="\n".join(_scores(network, results)),
    )


def place_of(step: Mapping[str, Any]) -> str:
    """What a step of the journal was done on."""
    cores = f"{step['cores']} cores ({step['processor']})"
    return f"one {gpu} and {cores}" if (gpu := step.get("gpu")) else f"{cores}, no GPU"


def _stages(steps: Mapping[str, dict[str, Any]]) -> list[str]:
    """What each stage of the network itself saw, and how long it took."""
    return [
        f"`{name}`: {step['pictures']:,} pictures, {step['seconds'] / 60:.0f} minutes: {what}"
        for name, what in STAGES.items()
        if (step := steps.get(name))
    ]


def _wrapped(command: str) -> str:
    """A command on lines of its options."""
    return command.replace(" --", " \\\n    --")


def _scores(network: str, results: Results) -> list[str]:
    found = results[BUNDLED][network]
    judged = results.get(UNSEEN, {}).get(network)
    who = "a network of the same recipe that never saw it"
    if judged is None:
        judged, who = found, "this file, which has seen all of them (it has no folds)"
    free = results[PERMISSIVE][network]["int8"]["f_measure"]
    scenes = list(judged["fp32"]["f_measure"])
    lines = [
        "`make accuracy`; probability 0.5, at the sequences' own size. Each sequence was answered"
        f" by {who}; `base` saw none.",
        "",
        "| F-measure | FP32 | INT8 | `base` INT8 | best absolute difference |",
        "| --- | --- | --- | --- | --- |",
    ]
    columns = [judged["fp32"]["f_measure"], judged["int8"]["f_measure"], free]
    columns.append(results["absolute_difference"])
    for scene in scenes:
        cells = " | ".join(f"{column[scene]:.4f}" for column in columns)
        lines.append(f"| {scene} | {cells} |")
    means = (float(np.mean([column[scene] for scene in scenes])) for column in columns)
    lines.append("| **mean** | " + " | ".join(f"{value:.4f}" for value in means) + " |")
    lost = judged["int8"]["lost"]
    worst = sorted(DISTURBANCES, key=lambda name: -lost[name])[:3]
    (laid,) = STEADIED.values()
    lines += [
        "",
        "Most mean F-measure (INT8) is lost when the picture is "
        + ", ".join(f"{name} ({lost[name]:.4f})" for name in worst)
        + f"; behind `edge.Stabilizer` {laid.partition(',')[0]} costs {lost[laid]:.4f};"
        f" {100 * judged['int8']['still']:.3f} % of the pixels of a still scene change from"
        " picture to picture.",
        "",
        "| depth, the bundled file | AbsRel | delta1 | INT8 AbsRel | INT8 delta1 |",
        "| --- | --- | --- | --- | --- |",
    ]
    for source, scores in found["fp32"]["depth"].items():
        other = found["int8"]["depth"][source]
        lines.append(
            f"| {source} | {scores['abs_rel']:.4f} | {scores['delta1']:.4f} |"
            f" {other['abs_rel']:.4f} | {other['delta1']:.4f} |"
        )
    return lines
