"""Options that several commands share."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import click

if TYPE_CHECKING:
    from cifar_linear.figures.style import Format

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


def config_option(required: bool, text: str = "The experiment, a YAML file.") -> Callable[[_Function], _Function]:
    """--config, the experiment, or whatever ``text`` says it is."""
    return click.option("--config", "config_path", type=PATH, metavar="FILE", required=required, help=text)


def seeds_option(function: _Function) -> _Function:
    """--seeds, to repeat."""
    text = "Repeat with so many seeds, counted up from the config's; tells mean and 95 % interval."
    return click.option("--seeds", type=click.IntRange(min=2, max=1000), help=text)(function)


class Output(NamedTuple):
    """What a training tells and draws."""

    no_figures: bool
    form: Format
    as_json: bool
    quiet: bool


def output_options(json_text: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """--no-figures, --format, --json and --quiet; the command gets them as one `Output`."""

    def decorate(function: Callable[..., None]) -> Callable[..., None]:
        @click.option("--no-figures", is_flag=True, help="Leave out the figures and the report.")
        @format_option
        @click.option("--json", "as_json", is_flag=True, help=json_text)
        @click.option("--quiet", is_flag=True, help="No progress, only the result.")
        @wraps(function)
        def with_output(no_figures: bool, form: Format, as_json: bool, quiet: bool, **others: Any) -> None:
            function(**others, output=Output(no_figures, form, as_json, quiet))

        return with_output

    return decorate


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
