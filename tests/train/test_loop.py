"""Training runs: repeatable, and exact after a kill."""

from __future__ import annotations

import copy
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from subprocess import CompletedProcess

import pytest
import torch
from lightning_fabric import Fabric
from lightning_fabric.plugins import MixedPrecision
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from edge.errors import EdgeError
from edge.files import claimed
from edge.train.checkpoint import load, load_run, network_of, save
from edge.train.data.weights import SHADOW
from edge.train.distill import divergence
from edge.train.loop import BACKGROUND_LOGIT, Run
from edge.train.networks import create, normalised
from edge.train.recipe import Recipe

from ..command import edge, interruptible
from . import interrupted

OPTIONS = [
    "--network=nano", "--data=rendered:8", "--epochs=1", "--pictures=32", "--batch=4",
    "--every=2", "--workers=1", "--validate=rendered:4:77", "--accelerator=cpu", "--imgsz=64",
]  # fmt: skip


def edge_train(out: Path, *more: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "edge", "train", *OPTIONS, "--out", str(out), *more]
    return subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )


def here(out: Path, *more: str) -> CompletedProcess[str]:
    """A run in this process, with one thread as those of `edge_train` have."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return edge("train", *OPTIONS, "--workers=0", "--out", out, *more)
    finally:
        torch.set_num_threads(threads)


def trained(out: Path, *more: str) -> str:
    """A run to its end in this process; what it printed."""
    done = here(out, *more)
    assert done.returncode == 0, done.stderr
    return done.stdout


def refused(out: Path, *more: str) -> CompletedProcess[str]:
    """A run that ends before it begins."""
    done = here(out, *more)
    assert done.returncode != 0
    return done


def killed(out: Path, *more: str) -> None:
    done = subprocess.run(
        [sys.executable, interrupted.__file__, "train", *OPTIONS, "--out", str(out), *more],
        env={**os.environ, "OMP_NUM_THREADS": "1"}, check=False,
    )  # fmt: skip
    assert done.returncode == -signal.SIGKILL


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that was never stopped."""
    out = tmp_path_factory.mktemp("runs") / "whole"
    trained(out)
    return out


def weights(run: Path, name: str = "last.pt") -> dict[str, torch.Tensor]:
    return dict(load(run / name)["weights"])


def same(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


@pytest.mark.slow
def test_a_killed_run_goes_on_to_the_same_weights(whole: Path, tmp_path: Path) -> None:
    out = tmp_path / "killed"
    killed(out)
    assert load(out / "last.pt")["step"] == 4
    resumed = edge_train(out, "--resume")
    _, errors = resumed.communicate()
    assert resumed.returncode == 0, errors
    assert load(out / "last.pt")["step"] == 8
    assert same(weights(whole), weights(out))


@pytest.mark.slow
@pytest.mark.parametrize(("sent", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_run_that_was_stopped_in_a_step_goes_on_to_the_same_weights(
    sent: signal.Signals, code: int, whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "stopped"
    with monkeypatch.context() as patch, interruptible():
        patch.setattr(Run, "__init__", Run.__init__)
        patch.setattr(Fabric, "clip_gradients", Fabric.clip_gradients)
        interrupted.send_in_fifth_step(sent)
        done = here(out)
    assert done.returncode == code, done.stderr
    assert load(out / "last.pt")["step"] == 5
    trained(out, "--resume")
    assert same(weights(whole), weights(out))


def short_run(out: Path, fabric: Fabric, rate: float, steps: int) -> Run:
    """A run of a few steps on one batch of noise, outside any command."""
    recipe = Recipe("nano", ("rendered",), (), 1, 2 * steps, 2, 64, rate, 0, depth_loss="ssi")
    return Run(recipe, out, fabric, [])


def noise(seed: int) -> dict[str, torch.Tensor]:
    draw = torch.Generator().manual_seed(seed)
    picture = lambda: torch.randint(0, 256, (2, 64, 64, 3), generator=draw, dtype=torch.uint8)  # noqa: E731
    plane = lambda: torch.rand(2, 1, 64, 64, generator=draw)  # noqa: E731
    ones = torch.ones(2, 1, 64, 64)
    mask = (plane() > 0.5).float()
    return {"bg": picture(), "fg_bg": picture(), "spread": picture(),
            "mask": mask, "counts": ones, "depth": plane(), "known": ones}  # fmt: skip


def test_a_folder_has_one_run_at_a_time(tmp_path: Path) -> None:
    with claimed(tmp_path, "busy"):
        process = edge_train(tmp_path, "--data=rendered:1", "--validate=rendered:1")
        _, errors = process.communicate()
    assert process.returncode == 1
    assert errors.splitlines()[-1] == (
        f"error: another training is running in {tmp_path}; wait for its end, or give another --out"
    )
    assert [path.name for path in tmp_path.iterdir()] == [".lock"]


def test_a_run_that_diverges_says_so(tmp_path: Path) -> None:
    run = short_run(tmp_path, Fabric(accelerator="cpu", precision="32-true"), 1e-3, 4)
    with torch.no_grad():
        next(run.learners[0].plain.parameters()).fill_(float("inf"))
    with pytest.raises(
        EdgeError, match=r"step 1 of nano: the gradients are not finite .*a lower --rate"
    ):
        run.learn(noise(0))


def test_float16_leaves_out_a_step_that_overflows_and_resumes_its_scale(tmp_path: Path) -> None:
    """As on a GPU: PyTorch's own scaler, which begins far too high here."""

    def fabric() -> Fabric:
        scaler = torch.amp.GradScaler("cpu", init_scale=2.0**40)
        return Fabric(accelerator="cpu", plugins=MixedPrecision("16-mixed", "cpu", scaler))

    run = short_run(tmp_path, fabric(), 1e-3, 8)
    before = {name: value.clone() for name, value in run.learners[0].plain.named_parameters()}
    run.learn(noise(0))
    assert all(
        torch.equal(before[name], value) for name, value in run.learners[0].plain.named_parameters()
    )
    scale = run.fabric.strategy.precision.scaler.get_scale()  # type: ignore[union-attr]
    assert scale < 2.0**40
    run.checkpoint([])
    again = short_run(tmp_path, fabric(), 1e-3, 8)
    again.resume()
    assert again.fabric.strategy.precision.scaler.get_scale() == scale  # type: ignore[union-attr]


FAMILY = ["--network=nano,tiny", "--imgsz=64", "--batch=2", "--pictures=32"]


@pytest.mark.slow
def test_networks_learn_together_and_go_on_after_a_kill(tmp_path: Path) -> None:
    once, twice = tmp_path / "once", tmp_path / "twice"
    out = trained(once, *FAMILY)
    best = [once / name / "best.pt" for name in ("nano", "tiny")]
    assert out.split() == [str(path) for path in best]
    assert [load(path)["network"] for path in best] == ["nano", "tiny"]

    killed(twice, *FAMILY)
    # It was killed before and goes on after the networks begin to imitate each other.
    trained(twice, *FAMILY, "--resume")
    states = [load_run(run / "last.pt") for run in (once, twice)]
    assert [state["step"] for state in states] == [16, 16]
    for mine, other in zip(*(state["learners"] for state in states), strict=True):
        assert same(mine["weights"], other["weights"])
    with pytest.raises(EdgeError, match=r"resumes a run of nano, tiny; take .*/NETWORK/best.pt"):
        load(once / "last.pt")

    on = tmp_path / "on"
    trained(on, *FAMILY, f"--start={once}", "--rate=1e-9")
    start, end = weights(once / "tiny", "best.pt"), weights(on / "tiny", "best.pt")
    for options, says in (
        (["--network=nano,small", f"--start={once}"], "no checkpoint"),
        (["--network=nano,tiny", f"--start={once}", "--outputs=mask"], "asked for are spread and"),
        (["--network=nano,nano"], "must be different and have the same"),
        (["--network=nano,scene"], "must be different and have the same"),
        (["--network=nano,tiny", "--qat=openvino"], "--distill and --qat are for one network"),
    ):
        assert says in refused(tmp_path / "no", *options).stderr
    assert torch.allclose(start["mask.weight"], end["mask.weight"], atol=1e-5)


def together(out: Path, steps: int, start: str = "") -> Run:
    recipe = Recipe("nano,tiny", ("rendered",), (), 1, 2 * steps, 2, 64, 1e-3, 0, start=start)
    return Run(
        replace(recipe, depth_loss="ssi"), out, Fabric(accelerator="cpu", precision="32-true"), []
    )


def test_what_learns_together_imitates_the_masks_of_all(tmp_path: Path) -> None:
    run = together(tmp_path, 8)
    for step in range(8):
        means = [copy.deepcopy(learner.average.module) for learner in run.learners]
        batch = noise(step)
        pair = normalised(batch["bg"]), normalised(batch["fg_bg"])
        with torch.no_grad():
            said = [mean(*pair)[0] for mean in means]
        for terms, logits, _ in run.learn(batch):
            assert ("imitated_mask" in terms) == (step >= 2)  # a quarter of the run
            assert "imitated_depth" not in terms
            if step in (4, 6):  # each as it is in one step, mirrored in the next
                expected = divergence(logits, said[step // 2 % 2])
                assert torch.allclose(terms["imitated_mask"], expected)
    run.checkpoint([])
    again = together(tmp_path, 8)
    again.resume()
    for old, new in zip(run.learners, again.learners, strict=True):
        assert same(dict(old.network.state_dict()), dict(new.network.state_dict()))
        assert int(old.average.n_averaged) == int(new.average.n_averaged) == 8
        assert not new.average.module.training
    # Who begins with what was learned has something to say from the first step on.
    on = together(tmp_path / "on", 8, str(tmp_path))
    assert all("imitated_mask" in terms for terms, _, _ in on.learn(noise(0)))
    # Where a label knows a shadow, they imitate background, whatever they say of it.
    shaded = noise(1) | {"counts": torch.full((2, 1, 64, 64), SHADOW)}
    for terms, logits, _ in on.learn(shaded):
        background = torch.full_like(logits, BACKGROUND_LOGIT)
        assert torch.allclose(terms["imitated_mask"], divergence(logits, background))


def test_a_student_that_learns_the_scene_depth_gets_all_passes(tmp_path: Path) -> None:
    """A teacher's frozen scene depth makes all test-time passes, unless the student's is frozen."""
    teacher = tmp_path / "best.pt"
    state = {"network": "nano", "recipe": {}, "scores": {}, "scene_kept": True}
    save(state | {"weights": create("nano").state_dict()}, teacher)
    fabric = Fabric(accelerator="cpu", precision="32-true")
    recipe = Recipe("nano", ("rendered",), (), 1, 2, 2, 64, 1e-3, 0, depth_loss="ssi")
    for start, expected in (("", [4, 4]), (str(teacher), [2])):
        asked = replace(recipe, start=start, distill=(str(teacher),))
        run = Run(asked, tmp_path / "run", fabric, [])
        passes: list[int] = []
        scene = run.teachers[0].scene_depth
        scene.head.register_forward_hook(lambda *call, passes=passes: passes.append(len(call[2])))  # type: ignore[union-attr]
        run.learn(noise(0))
        assert passes == expected


@pytest.mark.slow
def test_another_seed_gives_other_weights(whole: Path, tmp_path: Path) -> None:
    trained(tmp_path / "other", "--seed=1")
    assert not same(weights(whole), weights(tmp_path / "other"))


@pytest.mark.slow
def test_two_processes_train_the_network_that_one_trains(tmp_path: Path) -> None:
    """The same batches, half on each: the same losses and, but for rounding, the same weights.

    At a low rate, because at a high one Adam makes something of every difference in rounding; and
    without MS-SSIM, whose roots of structures near 0 make something of it, too.
    """
    words = ["--imgsz=176", "--rate=1e-4", "--depth-loss=ssi"]
    trained(tmp_path / "one", *words)
    process = edge_train(tmp_path / "two", *words, "--devices=2")
    _, errors = process.communicate()
    assert process.returncode == 0, errors
    for name in ("one", "two"):
        assert load(tmp_path / name / "last.pt")["step"] == 8

    def curve(run: str, name: str) -> list[float]:
        events = EventAccumulator(str(tmp_path / run)).Reload()
        return [event.value for event in events.Scalars(f"loss/{name}")]

    for name in ("bce", "dice", "ssi"):
        one, two = curve("one", name), curve("two", name)
        assert len(one) == 4
        assert two == pytest.approx(one, rel=5e-3)  # separate statistics give a tenth
    start = create_weights()
    one, two = (
        torch.cat([(learned[name] - value).flatten() for name, value in start.items()])
        for learned in (weights(tmp_path / run) for run in ("one", "two"))
    )
    assert torch.nn.functional.cosine_similarity(one, two, dim=0) > 0.97


def create_weights() -> dict[str, torch.Tensor]:
    """What `edge train --network nano --seed 0` begins with."""
    torch.manual_seed(0)
    return dict(create("nano").named_parameters())


@pytest.mark.slow
def test_what_a_run_leaves(whole: Path, tmp_path: Path) -> None:
    best = load(whole / "best.pt")
    assert best["network"] == "nano"
    assert 0 <= best["scores"]["f_measure"] <= 1
    events = EventAccumulator(str(whole)).Reload()
    assert {"loss/bce", "loss/dice", "loss/ssi", "loss/ssim"} <= set(events.Tags()["scalars"])
    assert events.Tags()["images"]

    again = refused(whole)
    assert again.returncode == 1
    assert "holds a run already; --resume it" in again.stderr
    other = refused(whole, "--resume", "--seed=5")
    assert other.returncode == 1
    assert "was made by another recipe" in other.stderr


def test_a_full_disk_keeps_the_last_checkpoint(tmp_path: Path) -> None:
    path = tmp_path / "last.pt"
    save({"network": "nano", "weights": {}}, path)
    before = path.read_bytes()

    class Full:
        def __reduce__(self) -> object:
            raise OSError(28, "No space left on device")

    with pytest.raises(EdgeError, match="No space left on device"):
        save({"network": "nano", "weights": Full()}, path)
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["last.pt"]


@pytest.mark.slow
def test_a_run_can_begin_with_weights_and_imitate_a_network(whole: Path, tmp_path: Path) -> None:
    best = whole / "best.pt"
    out = tmp_path / "tuned"
    options = [f"--start={best}", f"--distill={best}", f"--distill={best}", "--rate=1e-9"]
    trained(out, *options)
    # At such a rate nothing is learned: the weights are still those that the run began with.
    start, end = weights(whole, "best.pt"), weights(out)
    assert torch.allclose(start["mask.weight"], end["mask.weight"], atol=1e-5)
    events = EventAccumulator(str(out)).Reload()
    assert {"loss/imitated_mask", "loss/imitated_depth"} <= set(events.Tags()["scalars"])

    other = refused(tmp_path / "no", "--network=small", f"--start={best}")
    assert other.returncode == 2
    assert "is a nano, --network says small" in other.stderr


@pytest.mark.slow
def test_a_run_can_take_over_the_depth_of_the_scene(whole: Path, tmp_path: Path) -> None:
    best, out = whole / "best.pt", tmp_path / "shared"
    trained(out, f"--scene={best}")
    theirs, ours = weights(whole, "best.pt"), weights(out)
    scene = [name for name in theirs if name.startswith("scene_depth.")]
    assert scene
    assert all(torch.equal(theirs[name], ours[name]) for name in scene)
    assert not torch.equal(theirs["mask.weight"], ours["mask.weight"])
    wrong = refused(tmp_path / "no", "--network=transposed", f"--scene={best}")
    assert wrong.returncode == 2
    assert "our own networks with both inputs and a depth output" in wrong.stderr


@pytest.mark.slow
def test_the_depth_of_the_scene_can_be_trained_alone(tmp_path: Path) -> None:
    alone, out = tmp_path / "scene", tmp_path / "sharing"
    few = ["--pictures=8", "--validate=rendered:2"]
    trained(alone, *few, "--network=scene")
    trained(out, *few, f"--scene={alone}/best.pt")
    ours, theirs = weights(out), weights(alone, "best.pt")
    assert all(torch.equal(ours[name], value) for name, value in theirs.items())
    # What was taken over stays in whatever goes on from there.
    best, picture = out / "best.pt", torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        _, expected = network_of(alone / "best.pt")[0](picture, picture)
    on, quantized, pruned = tmp_path / "on", tmp_path / "quantized", tmp_path / "pruned"
    trained(on, *few, f"--start={best}")
    trained(quantized, *few, f"--start={best}", "--qat=openvino")
    prune = ["prune", best, "--data=rendered:8", *few, "--target-macs=0.7", "--steps=1"]
    prune += ["--batch=4", "--imgsz=64", "--workers=0", f"--out={pruned}"]
    done = edge(*prune)
    assert done.returncode == 0, done.stderr
    for run in (on, quantized, pruned / "step-1"):
        # By what it finds: int8 training leaves BatchNorm folded into the weights before it.
        network, _ = network_of(run / "last.pt")
        with torch.no_grad():
            found = network.scene_depth(picture)  # type: ignore[operator]
        assert torch.allclose(found, expected, atol=1e-5), run
        assert not torch.equal(weights(run)["mask.weight"], ours["mask.weight"])
    for options, says in (
        (["--network=scene", "--outputs=mask"], "scene has inputs fg_bg and outputs depth only"),
        (["--outputs=mask", f"--distill={alone}/best.pt"], "they share no output"),
        (["--network=resunet", f"--scene={alone}/best.pt"], "--scene is for our own networks"),
        ([f"--start={alone}/best.pt", "--outputs=mask"], "asked for are fg_bg and mask"),
        (
            ["--inputs=bg"],
            "--network, --inputs, --outputs: inputs 'bg': expected one of spread, both",
        ),
    ):
        wrong = edge("train", "--imgsz=64", *few, f"--out={tmp_path / 'no'}", *options)
        assert wrong.returncode == 2, wrong.stderr
        assert says in wrong.stderr


@pytest.mark.slow
def test_int8_training_resumes_exactly_and_saves_a_plain_network(
    whole: Path, tmp_path: Path
) -> None:
    options = [f"--start={whole / 'best.pt'}", "--qat=openvino", "--rate=1e-4"]
    runs = {}
    for name in ("once", "twice"):
        out = tmp_path / name
        if name == "twice":
            killed(out, *options)
        trained(out, *options, "--resume")
        runs[name] = weights(out)
    assert same(runs["once"], runs["twice"])
    assert runs["once"].keys() == weights(whole).keys()


def test_int8_training_needs_something_to_start_from() -> None:
    done = edge("train", "--qat=openvino")
    assert done.returncode == 2
    assert "give it with --start" in done.stderr
