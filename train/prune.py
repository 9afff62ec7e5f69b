"""Structured pruning: remove whole channels, those of least importance for what they save.

Torch-Pruning's dependency graph (Fang et al., "DepGraph", CVPR 2023) finds which channels of which
layers belong together: the encoder, the skips and the layers that read them. Channels go in blocks
as large as those that the target's kernels work on: smaller ones would save nothing.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
import torch_pruning as tp
from torch import Tensor, nn

from edge.errors import EdgeError
from edge.files import atomic_write
from edge.manifest import sha256
from edge.progress import note
from edge.train.checkpoint import load, locate, network_of, save
from edge.train.data.mix import Batch
from edge.train.importance import IMPORTANCES
from edge.train.networks.scene import SceneDepth, kept_scenes
from edge.train.profile import macs

Measure = Callable[[Sequence[nn.Module]], list[float]]
"""MACs or milliseconds per frame of each of several networks."""

RESULT = "pruned.json"
"""File beside the steps."""
TRACE_SIDE = 64
"""Height and width at which dependencies are traced; they do not depend on it."""
MIN_SAVING = 0.002
"""Share of a frame that a block saves at least: savings too small to measure are still compared."""
TOLERANCE = 0.03
"""How far from its goal a pruned network may end, as a share of the goal."""
NEAR = 1.5
"""Times the goal below which a network is measured after every block, not estimated."""


@dataclass(frozen=True)
class ChannelGroup:
    """Channels of several layers that can only be removed together.

    Attributes:
        layer: Name of one of the layers.
        scores: Importance of each channel, float [channels].
    """

    layer: str
    scores: Tensor

    def weakest(self, count: int) -> list[int]:
        """Indices of the `count` channels of least importance."""
        return sorted(self.scores.argsort()[:count].tolist())

    def importance(self, count: int) -> float:
        """Importance of the `count` channels of least importance."""
        return float(self.scores.sort().values[:count].sum())

    def without_weakest(self, count: int) -> ChannelGroup:
        """The group after its `count` channels of least importance were removed."""
        gone = set(self.weakest(count))
        return ChannelGroup(
            self.layer, self.scores[[i for i in range(len(self.scores)) if i not in gone]]
        )


def measure_macs(networks: Sequence[nn.Module]) -> list[float]:
    """MACs per frame of each network."""
    return [float(macs(network)) for network in networks]


def _dependency_graph(network: nn.Module) -> Any:
    pair = tuple(torch.rand(2, 1, 3, TRACE_SIDE, TRACE_SIDE))
    return tp.DependencyGraph().build_dependency(
        network,
        example_inputs=pair,
        # A network without mask or without depth gives None for it.
        output_transform=lambda outputs: [output for output in outputs if output is not None],
    )


def channel_groups(
    network: nn.Module, batches: Iterable[Batch], importance: str = "taylor"
) -> list[ChannelGroup]:
    """Find the channels that can be removed, and their importance.

    Args:
        network: Left unchanged.
        batches: What importance is measured on.
        importance: A name of edge.train.importance.
    """
    network = copy.deepcopy(network).eval()
    in_scene = _layers_of_scenes(network)
    for scene in in_scene:
        if isinstance(scene, SceneDepth):
            scene.keep()
            scene.train()  # a single pass of frozen weights: they are no candidates
    scorer = IMPORTANCES[importance](network, batches)
    names = {module: name for name, module in network.named_modules()}
    heads = [network.get_submodule(name) for name in network.heads]  # type: ignore[union-attr]
    groups = []
    for group in _dependency_graph(network).get_all_groups(
        ignored_layers=heads + in_scene, root_module_types=[nn.Conv2d, nn.ConvTranspose2d]
    ):
        scores = scorer(group)
        if scores is not None:
            groups.append(ChannelGroup(names[group[0].dep.target.module], scores.detach()))
    return groups


def _layers_of_scenes(network: nn.Module) -> list[nn.Module]:
    """What the depth of a scene is made of: a frame takes none of it."""
    scenes = [part for part in network.modules() if isinstance(part, SceneDepth)]
    return [layer for scene in scenes for layer in scene.modules()]


class MeanColour(nn.Module):
    """In the place of the depth of the scene: a frame takes nothing of it, and every trial would
    copy, trace and measure it."""

    def forward(self, bg: Tensor) -> Tensor:
        return bg.mean(1, keepdim=True)


def without(network: nn.Module, layer: str, channels: list[int]) -> nn.Module:
    """A copy of a network without some output channels of a layer, and without what depends on
    them."""
    pruned = copy.deepcopy(network).eval()
    module = pruned.get_submodule(layer)
    # Of a transposed convolution this removes output channels as well.
    graph = _dependency_graph(pruned)
    graph.get_pruning_group(module, tp.prune_conv_out_channels, idxs=channels).prune()
    return pruned


def remove_channels(
    network: nn.Module,
    groups: Sequence[ChannelGroup],
    measure: Measure,
    goal: float,
    block: int,
    finest: int = 1,
) -> nn.Module:
    """Remove channels until a frame takes `goal`, or at most TOLERANCE less where blocks allow it.

    The first block of each group is removed by itself to measure its saving; then blocks go in the
    order of importance per saving, except those that would remove too much. Where no block fits any
    more, blocks of half the size do the rest.

    Args:
        network: Left unchanged.
        groups: Candidates.
        measure: MACs or milliseconds per frame.
        goal: In the unit of `measure`.
        block: Channels removed at a time; at least as many stay in each group.
        finest: Channels of the smallest block; the network that comes nearest from below is
            returned where that is still too large.
    """
    scene = getattr(network, "scene_depth", None)
    if scene is not None:
        network = copy.deepcopy(network)
        network.scene_depth = MeanColour()
    whole_macs = macs(network)
    left: dict[str, ChannelGroup] = {}
    sizes, trials = [], []
    for group in groups:
        size = block
        while size > finest and len(group.scores) < 2 * size:
            size //= 2
        if len(group.scores) >= 2 * size:
            trial = without(network, group.layer, group.weakest(size))
            if macs(trial) < whole_macs:
                left[group.layer] = group
                sizes.append(size)
                trials.append(trial)
    cost, *reduced = measure([network, *trials])
    least = MIN_SAVING * cost / block
    saves = {  # per channel
        layer: max((cost - value) / size, least)
        for layer, size, value in zip(left, sizes, reduced, strict=True)
    }
    size, measured = block, cost
    while cost > goal:
        nearest: tuple[float, str, nn.Module] | None = None
        divisible = [layer for layer in left if len(left[layer].scores) >= 2 * size]
        for layer in sorted(divisible, key=lambda n: left[n].importance(size) / saves[n]):
            value = cost - size * saves[layer]
            if size > finest and value < (1 - 2 * TOLERANCE) * goal:
                continue
            trial = without(network, layer, left[layer].weakest(size))
            if value < NEAR * goal:  # else the estimate will do
                (value,) = measure([trial])
            if value < cost and (nearest is None or value > nearest[0]):
                nearest = value, layer, trial
            if (1 - TOLERANCE) * goal <= value < cost:
                nearest = value, layer, trial
                break
        else:
            if nearest is None and cost < measured:
                # Less went than estimated: all that was estimated is corrected by as much.
                (value,) = measure([network])
                share = (measured - value) / (measured - cost)
                saves = {layer: max(share * saved, least) for layer, saved in saves.items()}
                cost = measured = value
                continue
            if size > finest:
                size = max(size // 2, finest)
                continue
            if nearest is None:
                break
        assert nearest is not None
        value, layer, network = nearest
        saves[layer] = max((cost - value) / size, least)
        cost, left[layer] = value, left[layer].without_weakest(size)
    if scene is not None:
        network.scene_depth = scene
    return network


@dataclass(frozen=True)
class Goal:
    """What a frame of the pruned network may take.

    Attributes:
        measure: MACs or milliseconds per frame.
        unit: Its unit.
        block: Channels removed at a time.
        finest: Channels of the smallest block, which is removed where larger ones miss the goal.
        share: Limit as a share of the original network's, or None.
        limit: Limit in the unit of `measure`, or None; one of both is given.
    """

    measure: Measure
    unit: str
    block: int
    finest: int = 1
    share: float | None = None
    limit: float | None = None

    def key(self, checkpoint: Path, steps: int, importance: str) -> list[str]:
        """What a step belongs to: a step of another goal or network is not resumed."""
        limit = (
            f"{self.limit} {self.unit}" if self.share is None else f"{self.share} of {self.unit}"
        )
        network = f"{checkpoint}, sha256 {sha256(locate(checkpoint))[:12]}"
        return [network, limit, f"blocks of {self.block}", f"{steps} steps", importance]

    def limit_from(self, original: float) -> float:
        """The limit, where the original network takes `original`."""
        return self.limit if self.limit is not None else original * (self.share or 1.0)


@dataclass(frozen=True)
class Reached:
    """What a pruned network takes, the content of RESULT.

    Attributes:
        unit: MACs or ms, of a frame.
        original: Of the network that was pruned.
        goal: What was asked for.
        reached: Of the pruned network.
        share: `reached` as a share of `original`.
        reason: Why it is further than TOLERANCE from the goal, else empty.
    """

    unit: str
    original: float
    goal: float
    reached: float
    share: float
    reason: str

    @classmethod
    def of(cls, goal: Goal, original: float, reached: float) -> Reached:
        limit, reason = goal.limit_from(original), ""
        if reached > (1 + TOLERANCE) * limit:
            reason = (
                f"no further block of {goal.finest} channels can be removed; take a smaller network"
            )
        elif reached < (1 - TOLERANCE) * limit:
            reason = f"blocks of {goal.finest} channels are too coarse to end nearer"
        return cls(goal.unit, original, limit, reached, round(reached / original, 4), reason)


def prune(
    checkpoint: Path,
    out: Path,
    goal: Goal,
    steps: int,
    batches: Callable[[], Iterable[Batch]],
    train: Callable[[Path, Path], Path],
    importance: str = "taylor",
) -> Path:
    """Prune the network of a checkpoint in steps, with training after each.

    A killed run resumes where it was: each step is a folder of `out`. RESULT in `out` says how near
    to its goal it ended.

    Args:
        checkpoint: As of `edge.train.checkpoint.load`.
        out: Folder of the steps.
        goal: What a frame may take.
        steps: Number of steps.
        batches: Gives the batches that importance is measured on.
        train: Trains from a checkpoint into a folder, resumes what lies there, and returns its
            best.pt.
        importance: A name of edge.train.importance.

    Returns:
        The best.pt of the last step.

    Raises:
        EdgeError: The network has grouped convolutions or meets the goal already, or `out` holds
            steps of another goal.
    """
    original, state = network_of(checkpoint)
    _check_prunable(original, f"{checkpoint} is a {state['network']}")
    (before,) = goal.measure([original])
    limit = goal.limit_from(before)
    if limit >= before:
        raise EdgeError(
            f"{checkpoint} takes {before:.4g} {goal.unit} a frame, the goal is {limit:.4g}:"
            " nothing to prune"
        )
    best, network, key = checkpoint, original, goal.key(checkpoint, steps, importance)
    for step in range(1, steps + 1):
        folder = out / f"step-{step}"
        start = folder / "start.pt"
        if start.is_file():
            _check_key(start, key)
        else:
            stage = before * (limit / before) ** (step / steps)
            groups = channel_groups(network, batches(), importance)
            network = remove_channels(network, groups, goal.measure, stage, goal.block, goal.finest)
            folder.mkdir(parents=True, exist_ok=True)
            _save_start(start, network, state, key)
        best = train(start, folder)
        network, _ = network_of(best)
        before_now, after = goal.measure([original, network])
        note(
            f"step {step}/{steps}: {after:.4g} {goal.unit} a frame,"
            f" {100 * after / before_now:.0f} % of {before_now:.4g}"
        )
    reached = Reached.of(goal, before_now, after)
    if reached.reason:
        note(f"the goal was {reached.goal:.4g} {goal.unit}: {reached.reason}")
    with atomic_write(out / RESULT) as draft:
        draft.write_text(json.dumps(asdict(reached), indent=1) + "\n")
    return best


def _check_prunable(network: nn.Module, described: str) -> None:
    in_scene = _layers_of_scenes(network)
    layers = [
        layer
        for layer in network.modules()
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d) and layer not in in_scene
    ]
    if not layers:
        raise EdgeError(f"{described}, of which a frame takes nothing: there is nothing to prune")
    if any(layer.groups > 1 for layer in layers):
        raise EdgeError(f"{described}, which has grouped convolutions; these cannot be pruned")


def _check_key(start: Path, key: list[str]) -> None:
    state = load(start)
    hint = "give the same options or another --out"
    if "key" not in state:
        raise EdgeError(f"{start} was made by an earlier version of `edge prune`", hint)
    if state["key"] != key:
        raise EdgeError(f"{start.parent} was made from {state['key']}, expected {key}", hint)


def _save_start(path: Path, network: nn.Module, state: dict[str, Any], key: list[str]) -> None:
    """Write a pruned network as the checkpoint that its training starts from."""
    save(
        {
            "network": state["network"],
            "variant": state.get("variant", {}),
            "weights": network.state_dict(),
            "recipe": state.get("recipe", {}),
            "scores": {},
            "scene_kept": bool(kept_scenes(network)),
            "key": key,
        },
        path,
    )
