"""The command line: one module per command; each parses, calls one function and prints.

The modules import what is heavy only when their command runs, so that ``--help`` answers at once.
"""

from __future__ import annotations

import signal
import sys
import traceback
from typing import Any

import click

from cifar_linear import __version__
from cifar_linear.cli.config import config
from cifar_linear.cli.data import data
from cifar_linear.cli.evaluate import evaluate
from cifar_linear.cli.gradcheck import gradcheck
from cifar_linear.cli.options import debug_option, is_debugging
from cifar_linear.cli.predict import predict
from cifar_linear.cli.printing import printable
from cifar_linear.cli.report import report
from cifar_linear.cli.runs import runs
from cifar_linear.cli.sweep import sweep
from cifar_linear.cli.train import train
from cifar_linear.cli.verify import verify
from cifar_linear.errors import CifarLinearError
from cifar_linear.signals import ENDING, Interrupted, handled, terminate


class _Commands(click.Group):
    """The one place where an error becomes a message and an exit code."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except (CifarLinearError, Interrupted) as error:
            _fail(ctx, error, str(error), error.exit_code)
        except KeyboardInterrupt as error:
            _fail(ctx, error, "interrupted", 130)
        except (click.ClickException, click.Abort, click.exceptions.Exit, BrokenPipeError):
            raise
        except Exception as error:
            _fail(ctx, error, f"unexpected {type(error).__name__}: {error}; --debug shows where", 1)


def _fail(ctx: click.Context, error: BaseException, message: str, exit_code: int) -> None:
    """End the process with a message, and with --debug a traceback before it."""
    if is_debugging(ctx):
        click.echo("".join(traceback.format_exception(error)), err=True, nl=False)
    click.echo(printable(f"error: {message}", keep="\n"), err=True)
    ctx.exit(exit_code)


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="cifar-linear")
@debug_option
def cli() -> None:
    """Train linear classifiers on images, reproducibly, from a YAML file to a run folder."""


for _command in (train, sweep, report, runs, evaluate, predict, verify, gradcheck, data, config):
    cli.add_command(_command)


def main() -> None:
    """Run the command line in this process."""
    for number in handled():
        if number in ENDING:
            signal.signal(number, terminate)
    try:
        sys.exit(cli())
    finally:
        # All is done and told: a late signal has nothing left to stop but Python's own clearing up.
        for number in (signal.SIGINT, *ENDING):
            signal.signal(number, signal.SIG_IGN)
