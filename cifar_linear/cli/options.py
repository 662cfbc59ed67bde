"""Options that several commands share."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

PATH = click.Path(path_type=Path, readable=False)
"""A path, unchecked: the code that uses it says what is wrong with it."""

_Function = TypeVar("_Function", bound=Callable[..., Any])
_DEBUG = "cifar_linear.debug"


def _note_debug(ctx: click.Context, _parameter: click.Parameter, value: bool) -> None:
    if value:
        ctx.meta[_DEBUG] = True


def is_debugging(ctx: click.Context) -> bool:
    """Whether --debug was given, before or after the name of the command."""
    return bool(ctx.meta.get(_DEBUG))


def debug_option(function: _Function) -> _Function:
    """--debug, known to every command."""
    return click.option(
        "--debug", is_flag=True, expose_value=False, callback=_note_debug, help="Show the traceback of an error."
    )(function)


def config_option(required: bool) -> Callable[[_Function], _Function]:
    """--config, the experiment."""
    text = "The experiment, a YAML file."
    return click.option("--config", "config_path", type=PATH, metavar="FILE", required=required, help=text)


def sweep_config_option(function: _Function) -> _Function:
    """--config, a sweep."""
    text = "The sweep, a YAML file with base and grid."
    return click.option("--config", "config_path", type=PATH, metavar="FILE", required=True, help=text)(function)


def seeds_option(function: _Function) -> _Function:
    """--seeds, to repeat."""
    text = "Repeat with so many seeds, counted up from the config's; tells mean and 95 % interval."
    return click.option("--seeds", type=click.IntRange(min=2, max=1000), help=text)(function)


def no_figures_option(function: _Function) -> _Function:
    """--no-figures."""
    return click.option("--no-figures", is_flag=True, help="Leave out the figures and the report.")(function)


def quiet_option(function: _Function) -> _Function:
    """--quiet."""
    return click.option("--quiet", is_flag=True, help="No progress, only the result.")(function)


def set_option(function: _Function) -> _Function:
    """--set, changes to the config."""
    return click.option(
        "--set",
        "overrides",
        multiple=True,
        metavar="KEY=VALUE",
        help="Override a key of the config, with dots between levels: --set eta=0.01. May be repeated.",
    )(function)


def runs_dir_option(function: _Function) -> _Function:
    """--runs-dir, also as an environment variable."""
    return click.option(
        "--runs-dir",
        type=PATH,
        envvar="CIFAR_LINEAR_RUNS",
        show_envvar=True,
        default="runs",
        show_default=True,
        metavar="DIR",
        help="Where run folders are.",
    )(function)


def format_option(function: _Function) -> _Function:
    """--format of figures."""
    formats = click.Choice(["png", "pdf", "svg"])
    return click.option(
        "--format", "form", type=formats, default="png", show_default=True, help="Format of the figures' files."
    )(function)


def data_dir_option(function: _Function) -> _Function:
    """--data-dir, also as an environment variable."""
    return click.option(
        "--data-dir",
        type=PATH,
        envvar="CIFAR_LINEAR_DATA",
        show_envvar=True,
        metavar="DIR",
        help="Where the unpacked data is.",
    )(function)


def best_option(function: _Function) -> _Function:
    """--best, the weights with the lowest validation loss."""
    text = "The best weights instead of the last; a run with early stopping keeps them."
    return click.option("--best", is_flag=True, help=text)(function)


def split_option(default: str) -> Callable[[_Function], _Function]:
    """--split, one of the three."""
    splits = click.Choice(["train", "validation", "test"])
    return click.option("--split", type=splits, default=default, show_default=True, help="Which images.")
