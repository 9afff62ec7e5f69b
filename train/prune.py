"""Structured pruning: whole channels go, those that matter least for what they cost.

Torch-Pruning's dependency graph (Fang et al., "DepGraph", CVPR 2023) says which channels of which
layers belong together: both encoders, the skips and the layers that read them. A block of such
channels goes at a time, as many as the target's kernels work on at once: fewer would save nothing.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch_pruning as tp
from torch import Tensor, nn

from edge.errors import EdgeError
from edge.manifest import sha256
from edge.progress import note
from edge.train.checkpoint import load, network_of, save
from edge.train.data.mix import Batch
from edge.train.learner import loss_parts
from edge.train.losses import usual_depth
from edge.train.networks import normalised
from edge.train.networks.scene import kept_scenes
from edge.train.profile import macs

Costs = Callable[[Sequence[nn.Module]], list[float]]
"""What each of some networks costs per frame, in one unit."""

SIDE = 64
"""Height and width at which dependencies are traced; they do not depend on it."""


@dataclass(frozen=True)
class Group:
    """Channels of several layers that can only go together.

    layer: name of one of them; scores: importance of each channel, float [channels].
    """

    layer: str
    scores: Tensor

    def weakest(self, count: int) -> list[int]:
        """The `count` channels that matter least."""
        return sorted(self.scores.argsort()[:count].tolist())

    def block(self, number: int, size: int) -> float:
        """Importance of the block of `size` channels that goes as the number-th."""
        return float(self.scores.sort().values[number * size : (number + 1) * size].sum())


def arithmetic(networks: Sequence[nn.Module]) -> list[float]:
    """Costs in multiplications."""
    return [float(macs(network)) for network in networks]


def _graph(network: nn.Module) -> Any:
    pair = tuple(torch.rand(2, 1, 3, SIDE, SIDE))
    return tp.DependencyGraph().build_dependency(network, example_inputs=pair)


def groups(network: nn.Module, batches: Iterable[Batch]) -> list[Group]:
    """What can be pruned, with the importance of each channel on `batches`.

    Importance is the change of the loss when a channel is set to zero, to first order (Molchanov
    et al. 2019), summed over all layers that the channel is part of.
    """
    network = copy.deepcopy(network).eval()
    for batch in batches:
        logits, depth = network(normalised(batch["bg"]), normalised(batch["fg_bg"]))
        usual = usual_depth(batch["bg"].shape[1])
        parts = loss_parts(logits, depth, batch, depth_loss=usual)
        loss = torch.stack(list(parts.values())).sum()
        loss.backward()  # type: ignore[no-untyped-call]
    names = {module: name for name, module in network.named_modules()}
    heads = [network.get_submodule(name) for name in network.heads]  # type: ignore[union-attr]
    taylor = tp.importance.GroupTaylorImportance(group_reduction="sum", normalizer=None)
    found = []
    for group in _graph(network).get_all_groups(
        ignored_layers=heads, root_module_types=[nn.Conv2d, nn.ConvTranspose2d]
    ):
        scores = taylor(group)
        if scores is not None:
            found.append(Group(names[group[0].dep.target.module], scores.detach()))
    return found


def without(network: nn.Module, layer: str, channels: list[int]) -> nn.Module:
    """A copy of the network without some output channels of a layer, and what depends on them."""
    pruned = copy.deepcopy(network).eval()
    module = pruned.get_submodule(layer)
    # Of a transposed convolution this takes the output channels as well.
    _graph(pruned).get_pruning_group(module, tp.prune_conv_out_channels, idxs=channels).prune()
    return pruned


def thinned(
    network: nn.Module, candidates: Sequence[Group], costs: Costs, goal: float, block: int
) -> nn.Module:
    """A copy of the network that costs about `goal` or less per frame, where that can be had.

    A first block of each group is taken away to see what it saves; then blocks go, the least
    important for what it saves first, until the goal is met.
    block: channels that go at a time; at least as many stay in each group.
    """
    whole = macs(network)
    lighter = {
        group.layer: tried
        for group in candidates
        if len(group.scores) >= 2 * block
        and macs(tried := without(network, group.layer, group.weakest(block))) < whole
    }
    here, *there = costs([network, *lighter.values()])
    # A saving too small to be measured still counts as something: blocks are compared by it.
    saves = {n: max(here - cost, 0.002 * here) for n, cost in zip(lighter, there, strict=True)}
    gone = dict.fromkeys(lighter, 0)
    open_ = {group.layer: group for group in candidates if group.layer in lighter}
    expected = here
    while expected > goal and open_:
        name = min(open_, key=lambda n: open_[n].block(gone[n], block) / saves[n])
        gone[name] += 1
        expected -= saves[name]
        if len(open_[name].scores) - (gone[name] + 1) * block < block:
            del open_[name]
    for group in candidates:
        if gone.get(group.layer):
            network = without(network, group.layer, group.weakest(gone[group.layer] * block))
    return network


@dataclass(frozen=True)
class Goal:
    """What a frame may cost, and in what unit.

    share: of what it cost before, or None; most: in the unit of `costs`, or None.
    """

    costs: Costs
    unit: str
    block: int
    share: float | None = None
    most: float | None = None

    def claim(self, checkpoint: Path, steps: int) -> list[str]:
        """What a step belongs to: one of another goal or network is not gone on with."""
        asked = f"{self.most} {self.unit}" if self.share is None else f"{self.share} of {self.unit}"
        network = f"{checkpoint}, sha256 {sha256(checkpoint)[:12]}"
        return [network, asked, f"blocks of {self.block}", f"{steps} steps"]

    def limit(self, before: float) -> float:
        return self.most if self.most is not None else before * (self.share or 1.0)


def prune(
    checkpoint: Path,
    out: Path,
    goal: Goal,
    steps: int,
    batches: Callable[[], Iterable[Batch]],
    train: Callable[[Path, Path], Path],
) -> Path:
    """Prune the network of a checkpoint in `steps`, training between; returns the last best.pt.

    train(start, folder): trains from a checkpoint into a folder, goes on with what is there, and
    returns its best.pt. A killed run goes on where it was: each step is a folder of `out`.
    """
    original, state = network_of(checkpoint)
    if any(
        isinstance(m, nn.Conv2d | nn.ConvTranspose2d) and m.groups > 1 for m in original.modules()
    ):
        raise EdgeError(
            f"{checkpoint} is a {state['network']}, whose layers come in groups; only networks"
            " without groups can be pruned"
        )
    (before,) = goal.costs([original])
    limit = goal.limit(before)
    if limit >= before:
        raise EdgeError(
            f"{checkpoint} already costs {before:.4g} {goal.unit} a frame,"
            f" asked for are {limit:.4g}: nothing to prune"
        )
    best, network, claim = checkpoint, original, goal.claim(checkpoint, steps)
    for step in range(1, steps + 1):
        place = out / f"step-{step}"
        start = place / "start.pt"
        if start.is_file():
            if (found := load(start).get("claim")) != claim:
                raise EdgeError(
                    f"{place} was made from {found}, now asked for is {claim};"
                    " give the same options or another --out"
                )
        else:
            stage = before * (limit / before) ** (step / steps)
            network = thinned(network, groups(network, batches()), goal.costs, stage, goal.block)
            place.mkdir(parents=True, exist_ok=True)
            save(
                {
                    "network": state["network"],
                    "variant": state.get("variant", {}),
                    "weights": network.state_dict(),
                    "recipe": state.get("recipe", {}),
                    "scores": {},
                    "scene_kept": bool(kept_scenes(network)),
                    "claim": claim,
                },
                start,
            )
        best = train(start, place)
        network, _ = network_of(best)
        first, cost = goal.costs([original, network])
        note(
            f"step {step}/{steps}: {cost:.4g} {goal.unit} a frame, {100 * cost / first:.0f} % of"
            f" {first:.4g}"
        )
    if cost > goal.limit(first):
        note(
            f"asked for were {goal.limit(first):.4g}: no more can go in blocks of {goal.block}"
            " channels; take a smaller network, or prune the result again"
        )
    return best
