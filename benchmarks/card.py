"""The card of a bundled network: what it is, what it learned from, how good it is, its licence."""

from __future__ import annotations

import json
from typing import Any

import onnx

from edge.bundled import bundled
from edge.graph.costs import macs, parameters
from edge.graph.fold import split

Results = dict[str, Any]

TEMPLATE = """# {network}

Mask and depth from an empty scene and a frame. FP32 ONNX, {megabytes:.1f} MB, {whole:,} parameters,
of which {frame:,} work at every frame: {mmac:.0f} MMAC at 224x224 (other multiples of {stride} with
`--imgsz`). Inputs and outputs as in the [runtime](../../docs/runtime.md).

## Trained on
{pictures:,} pictures of {side}x{side} made on the fly, {minutes:.0f} minutes on {cores} cores
({processor}) shared with other work, no GPU. {remark}

{sources}

The number is a source's weight. `composites:` are photographs of empty scenes (SUN scene classes,
offices, streets, wallpapers) with RGBA cut-outs (people of Penn-Fudan, COCO128 and other
collections). The sequences are of fixed cameras (CDnet 2014, SBI 2015), without
{left_out}.
Depth of photographs was labelled by TCMonoDepth (small, 192x320); depth of rendered scenes is true;
a thing in a composite is as deep as the floor where it touches it.
```sh
{command}
```

## Scores
{scores}

## Licence
The code that made it is Apache-2.0. The pictures it learned from are not all free: SBI's sequences
are CC BY-NC 4.0 for their authors' part, COCO's and Penn-Fudan's photographs keep their owners'
rights, and several collections state no licence. Whether that binds the weights is not settled:
for commercial use train your own, for instance on rendered scenes and pictures that you may use.
"""


def card(network: str, step: dict[str, Any], results: Results) -> str:
    """The card as Markdown.

    step: of the zoo's journal: seconds, processor, cores, command, and `remark`, what else is to be
    known. results: `accuracy.json` of benchmarks.accuracy.
    """
    file = bundled(network)
    model = onnx.load(file)
    about = {entry.key: entry.value for entry in model.metadata_props}
    recipe = json.loads(about["training"])
    frame = split(model).frame
    return TEMPLATE.format(
        network=network,
        megabytes=file.stat().st_size / 1e6,
        whole=parameters(model),
        frame=parameters(frame),
        mmac=macs(frame) / 1e6,
        stride=about["stride"],
        pictures=recipe["epochs"] * recipe["pictures"],
        side=recipe["imgsz"],
        minutes=step["seconds"] / 60,
        cores=step["cores"],
        processor=step["processor"],
        remark=step.get("remark", ""),
        sources="\n".join(f"- `{source}`" for source in recipe["data"]),
        left_out=", ".join(recipe["leave_out"]),
        command=step["command"].replace(" --", " \\\n    --"),
        scores="\n".join(_scores(network, results)),
    )


def _scores(network: str, results: Results) -> list[str]:
    by = results["networks"][network]
    fp32, int8 = by["fp32"], by["int8"]
    scenes = list(fp32["f_measure"])
    left_out = [scene for scene in scenes if scene in fp32["left_out"]]
    lines = [
        "`make accuracy`; probability 0.5, at the sequences' own size. What was left out was never"
        " trained on; the last one of them chose the best weights.",
        "",
        "| F-measure | FP32 | INT8 | best absolute difference |",
        "| --- | --- | --- | --- |",
    ]
    for scene in [*left_out, *(s for s in scenes if s not in left_out)]:
        word = " (left out)" if scene in left_out else ""
        lines.append(
            f"| {scene}{word} | {fp32['f_measure'][scene]:.4f} | {int8['f_measure'][scene]:.4f} |"
            f" {results['absolute_difference'][scene]:.4f} |"
        )
    worst = sorted(int8["lost"], key=lambda name: -int8["lost"][name])[:3]
    lines += [
        "",
        "Most mean F-measure (INT8) is lost when the picture is "
        + ", ".join(f"{name} ({int8['lost'][name]:.4f})" for name in worst)
        + f"; {100 * int8['still']:.3f} % of the pixels of a still scene change from picture to"
        " picture.",
        "",
        "| depth | AbsRel | delta1 | INT8 AbsRel | INT8 delta1 |",
        "| --- | --- | --- | --- | --- |",
    ]
    for source, scores in fp32["depth"].items():
        other = int8["depth"][source]
        lines.append(
            f"| {source} | {scores['abs_rel']:.4f} | {scores['delta1']:.4f} |"
            f" {other['abs_rel']:.4f} | {other['delta1']:.4f} |"
        )
    return lines
