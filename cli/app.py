"""`edge`: the commands, and the one place where an error becomes a sentence and an exit code."""

from __future__ import annotations

import signal
import sys

import typer

from edge.cli import (
    bench,
    build,
    calibrate,
    compare,
    dataset,
    doctor,
    export,
    inspect,
    networks,
    prune,
    run,
    sensitivity,
    train,
    tune,
)
from edge.errors import EXTRAS, EdgeError, missing

app = typer.Typer(
    help="Masks and depth from fixed cameras: train, calibrate, build, measure and run engines.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.command("doctor")(doctor.doctor)
app.add_typer(dataset.app, name="dataset")
app.command("networks")(networks.networks)
app.command("train")(train.train)
app.command("prune")(prune.prune)
app.command("export")(export.export)
app.command("calibrate")(calibrate.calibrate)
app.command("sensitivity")(sensitivity.sensitivity)
app.command("build")(build.build)
app.command("inspect")(inspect.inspect)
app.command("bench")(bench.bench)
app.command("compare")(compare.compare)
app.command("tune")(tune.tune)
app.command("background")(run.background)
app.command("run")(run.run)


OURS = ("edge",)


def main() -> None:
    # A polite kill unwinds like Ctrl-C, so that nothing half-written stays behind.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        app()
    except EdgeError as error:
        sys.exit(_fail(str(error), error.exit_code))
    except ModuleNotFoundError as error:
        module = (error.name or "").partition(".")[0]
        if module not in EXTRAS:
            raise
        sys.exit(_fail(str(missing(module)), EdgeError.exit_code))
    except ImportError as error:
        module = (error.name or "").partition(".")[0]
        if module in OURS:
            raise
        # As of OpenCV without libGL, or CUDA without its driver.
        sys.exit(_fail(f"`{module}` is installed, but cannot be loaded: {error}", 1))
    except OSError as error:
        sys.exit(_fail(f"{error.strerror or error}: {error.filename or ''}".rstrip(": "), 1))
    except KeyboardInterrupt:
        sys.exit(_fail("stopped", 130))


def _fail(message: str, code: int) -> int:
    print(f"error: {message}", file=sys.stderr)
    return code
