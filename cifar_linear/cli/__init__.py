"""The command line: one module per command; each parses, calls one function and prints.

The modules import what is heavy only when their command runs, so that ``--help`` answers at once.
"""

from __future__ import annotations

import errno
import logging
import os
import signal
import sys
import traceback
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import click

from cifar_linear import __version__
from cifar_linear.cli.certify import certify
from cifar_linear.cli.config import config
from cifar_linear.cli.course import course
from cifar_linear.cli.data import data
from cifar_linear.cli.diagnose import diagnose
from cifar_linear.cli.evaluate import evaluate
from cifar_linear.cli.export import export
from cifar_linear.cli.gradcheck import gradcheck
from cifar_linear.cli.options import debug_option, is_debugging, written_after
from cifar_linear.cli.predict import predict
from cifar_linear.cli.printing import printable
from cifar_linear.cli.probe import probe
from cifar_linear.cli.report import report
from cifar_linear.cli.runs import runs
from cifar_linear.cli.sweep import sweep
from cifar_linear.cli.terminal import accept_all_text, give_up_on
from cifar_linear.cli.train import train
from cifar_linear.cli.verify import verify
from cifar_linear.cli.watch import watch
from cifar_linear.errors import CifarLinearError, not_enough_memory
from cifar_linear.signals import ENDING, Interrupted, handled, terminate

_PROGRAM = "cifar-linear"
_BROKEN_PIPE = 141
"""What a shell reports of a command that SIGPIPE ended."""


class _Commands(click.Group):
    """The one place where an error becomes a message and an exit code."""

    def main(self, args: Sequence[str] | None = None, *, standalone_mode: bool = True, **options: Any) -> Any:  # type: ignore[override]  # click calls it with keywords only
        if not standalone_mode:
            return super().main(args, standalone_mode=False, **options)
        try:
            status = super().main(args, standalone_mode=False, **options)
        except click.ClickException as error:
            _say_usage(error)
            status = error.exit_code
        except click.Abort as error:
            status = getattr(error.__cause__, "exit_code", 130)
        sys.exit(status if isinstance(status, int) else 0)

    def make_context(self, *arguments: Any, **options: Any) -> click.Context:
        try:
            return super().make_context(*arguments, obj=tuple(arguments[1]), **options)
        except OSError as error:  # The help and the version are printed here; nothing else is written.
            raise click.exceptions.Exit(_unwritable(error)) from error

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except CifarLinearError as error:
            _fail(ctx, error, f"error: {error}", error.exit_code)
        except Interrupted as error:
            _fail(ctx, error, str(error), error.exit_code)
        except KeyboardInterrupt as error:
            _fail(ctx, error, "stopped by Ctrl-C", 130)
        except MemoryError as error:
            _fail(ctx, error, f"error: {not_enough_memory(error)}", 1)
        except (click.ClickException, click.Abort, click.exceptions.Exit):
            raise
        except OSError as error:
            if not _is_of_printing(error):
                _fail(ctx, error, f"error: unexpected {type(error).__name__}: {error}; --debug shows where", 1)
            ctx.exit(_unwritable(error))
        except Exception as error:
            _fail(ctx, error, f"error: unexpected {type(error).__name__}: {error}; --debug shows where", 1)


def _fail(ctx: click.Context, error: BaseException, message: str, exit_code: int) -> None:
    """End the process with a message, and with --debug a traceback before it."""
    traced = "".join(traceback.format_exception(error)) if is_debugging(ctx) else ""
    _say(f"{traced}{message}")
    ctx.exit(exit_code)


def _say(text: str) -> None:
    with suppress(OSError):  # The exit code says it all the same.
        click.echo(printable(text, keep="\n"), err=True)


def _say_usage(error: click.ClickException) -> None:
    """Click's errors in the form of all others, with a line that leads to the help."""
    message = _about_a_key(error) or error.format_message()
    if message.startswith("Usage: "):  # Called with nothing at all: the message is the help.
        click.echo(message, err=True)
        return
    ctx = getattr(error, "ctx", None)
    hint = f"\ntry '{ctx.command_path} --help'" if ctx else ""
    start = message[:1].lower() if message[1:2].islower() else message[:1]
    _say(f"error: {start}{message[1:].rstrip('.')}{hint}")


def _about_a_key(error: click.ClickException) -> str | None:
    """The message about an option that is a key of the config, as in ``train --epochs 5``."""
    ctx = getattr(error, "ctx", None)
    if (
        not isinstance(error, click.NoSuchOption)
        or ctx is None
        or "overrides" not in {p.name for p in ctx.command.params}
    ):
        return None
    from cifar_linear.config.models import schema
    from cifar_linear.config.problems import key_called

    key = key_called(error.option_name.lstrip("-").replace("-", "_"), schema())
    value = written_after(ctx, error.option_name)
    return key and f"no such option '{error.option_name}': it is a config key: --set {key}={value}"


def _is_of_printing(error: OSError) -> bool:
    """Whether it was printing that failed, and not the writing of a file, whose errors may be the same."""
    return any(frame.f_code is click.echo.__code__ for frame, _ in traceback.walk_tb(error.__traceback__))


def _unwritable(error: OSError) -> int:
    """The exit code when stdout takes no more: in silence if its reader has left, as SIGPIPE ends others."""
    give_up_on(sys.stdout)
    if error.errno == errno.EPIPE:
        return _BROKEN_PIPE
    _say(f"error: the output cannot be written: {error.strerror}")
    return 1


@click.group(
    _PROGRAM,
    cls=_Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="\b\nTo begin:\n  cifar-linear config new mine.yaml\n  cifar-linear train mine.yaml",
)
@click.version_option(__version__, "-V", "--version", prog_name=_PROGRAM)
@debug_option
def cli() -> None:
    """Train linear classifiers and small networks on images, reproducibly, from a YAML file to a report."""
    # What Matplotlib says of its own folders on stderr is neither a result nor an error of a command.
    logging.getLogger("matplotlib").setLevel(logging.ERROR)


for _command in (
    train,
    sweep,
    probe,
    report,
    runs,
    watch,
    evaluate,
    predict,
    export,
    verify,
    certify,
    diagnose,
    gradcheck,
    course,
    data,
    config,
):
    cli.add_command(_command)


def main() -> None:
    """Run the command line in this process."""
    # Pydantic would read the metadata of every installed package to look for plug-ins; this program has none.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    for number in handled():
        if number in ENDING:
            signal.signal(number, terminate)
    accept_all_text()
    try:
        sys.exit(cli(prog_name=_PROGRAM))
    finally:
        # Everything is done and printed: a late signal could only stop Python's own clean-up.
        for number in (signal.SIGINT, *ENDING):
            signal.signal(number, signal.SIG_IGN)
