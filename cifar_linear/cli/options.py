"""Options that several commands share."""

from pathlib import Path
from typing import Any

import click

_DEBUG = "cifar_linear.debug"


def _note_debug(ctx: click.Context, _parameter: click.Parameter, value: bool) -> None:
    if value:
        ctx.meta[_DEBUG] = True


def is_debugging(ctx: click.Context) -> bool:
    """Whether --debug was given, before or after the name of the command."""
    return bool(ctx.meta.get(_DEBUG))


class PathType(click.Path):
    """A path, without checks: the code that uses it says what is wrong with it."""

    def __init__(self) -> None:
        super().__init__(path_type=Path)


debug_option: Any = click.option(
    "--debug", is_flag=True, expose_value=False, callback=_note_debug, help="Show the traceback of an error."
)
config_option: Any = click.option("--config", "config_path", type=PathType(), metavar="FILE", help="The experiment, a YAML file.")
set_option: Any = click.option(
    "--set",
    "overrides",
    multiple=True,
    metavar="KEY=VALUE",
    help="Override a key of the config, with dots between levels: --set eta=0.01. May be repeated.",
)
data_dir_option: Any = click.option(
    "--data-dir",
    type=PathType(),
    envvar="CIFAR_LINEAR_DATA",
    show_envvar=True,
    metavar="DIR",
    help="Where the unpacked data is.",
)
