"""`edge`: the commands, and the one place where an error becomes a sentence and an exit code."""

from __future__ import annotations

import io
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from edge import __version__
from edge.cli import (
    adapt,
    background,
    bench,
    build,
    calibrate,
    calibrate_scene,
    compare,
    dataset,
    demo,
    doctor,
    export,
    inspect,
    networks,
    prune,
    run,
    sensitivity,
    train,
    tune,
    watch,
)
from edge.errors import EXTRAS, EdgeError, missing

SIGPIPE_EXIT = 128 + signal.SIGPIPE
STDOUT = "stdout"


class Output(io.TextIOWrapper):
    """stdout whose errors name it, as those of files do."""

    def write(self, text: str) -> int:
        with self._named():
            return super().write(text)

    def flush(self) -> None:
        with self._named():
            super().flush()

    @contextmanager
    def _named(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            error.filename = STDOUT
            raise


@contextmanager
def _named_stdout() -> Iterator[None]:
    """Put an Output in the place of stdout; the stream itself stays open for whoever calls main."""
    given = sys.stdout
    if not isinstance(given, io.TextIOWrapper):
        yield
        return
    given.flush()
    output = Output(given.buffer, given.encoding, given.errors, line_buffering=given.line_buffering)
    sys.stdout = output
    try:
        yield
    finally:
        sys.stdout = given
        with suppress(OSError):  # told already, or about a stdout that nobody reads any more
            output.detach()


class Commands(TyperGroup):
    """The commands. A closed stdout, as after `| head`, ends them quietly with SIGPIPE's code."""

    def invoke(self, ctx: typer.Context) -> Any:  # type: ignore[override]
        try:
            result = super().invoke(ctx)  # type: ignore[arg-type]
            sys.stdout.flush()
            return result
        except BrokenPipeError:
            _drop_output()
            raise typer.Exit(SIGPIPE_EXIT) from None


app = typer.Typer(
    cls=Commands,
    help="Masks and depth from fixed cameras: train, calibrate, build, measure and run engines.",
    no_args_is_help=True,
    invoke_without_command=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


@app.callback()
def _app(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", is_eager=True)
    ] = False,
) -> None:
    if version:
        print(f"edge {__version__}")
        raise typer.Exit


app.command("doctor")(doctor.doctor)
app.add_typer(dataset.app, name="dataset")
app.command("networks")(networks.networks)
app.command("train")(train.train)
app.command("adapt")(adapt.adapt)
app.command("prune")(prune.prune)
app.command("export")(export.export)
app.command("calibrate")(calibrate.calibrate)
app.command("sensitivity")(sensitivity.sensitivity)
app.command("build")(build.build)
app.command("inspect")(inspect.inspect)
app.command("bench")(bench.bench)
app.command("compare")(compare.compare)
app.command("tune")(tune.tune)
app.command("background")(background.background)
app.command("run")(run.run)
app.command("watch", cls=watch.WithView)(watch.watch)
app.command("demo", cls=watch.WithView)(demo.demo)
app.command("calibrate-scene")(calibrate_scene.calibrate_scene)


def main() -> None:
    # SIGTERM unwinds like Ctrl-C, so that no half-written file stays behind.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        with _named_stdout():
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
        if module == "edge":
            raise
        # OpenCV without libGL or built for another numpy, or CUDA without its driver.
        subject = f"`{module}`" if module else "a module"
        sys.exit(
            _fail(
                f"{subject} is installed, but cannot be loaded: {error}; edge doctor says more", 1
            )
        )
    except OSError as error:
        if error.filename == STDOUT:
            _drop_output()
        sys.exit(_fail(f"{error.strerror or error}: {error.filename or ''}".rstrip(": "), 1))
    except MemoryError as error:
        # NumPy says how much it asked for.
        needed = f": {error}" if str(error) else ""
        sys.exit(_fail(f"the memory of this machine or of its limit is not enough{needed}", 1))
    except KeyboardInterrupt:
        sys.exit(_fail("stopped", 130))


def _drop_output() -> None:
    """Python flushes stdout again at exit, which would fail again."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _fail(message: str, code: int) -> int:
    print(f"error: {message}", file=sys.stderr)
    return code
