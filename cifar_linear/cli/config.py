"""``cifar-linear config``: write, check and show config files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cifar_linear.cli.options import PATH, PUBLISHED, debug_option, example, set_option

if TYPE_CHECKING:
    from cifar_linear.config.starter import DatasetName


@click.group(short_help="Write, check and show config files.")
def config() -> None:
    """Write, check and show config files, and print their schema."""


@config.command(short_help="Write a commented config to begin with.", epilog=example("config new first.yaml"))
@click.argument("file", metavar="[FILE]", type=PATH, default="-")
@click.option(
    "--dataset",
    type=click.Choice([*PUBLISHED, "synthetic", "features"]),
    default="synthetic",
    show_default=True,
    help="The images; synthetic ones need no download.",
)
@debug_option
def new(file: Path, dataset: DatasetName) -> None:
    """Write a config with every key, its default and its meaning.

    Without FILE, or with -, it is printed. A file that exists is never overwritten.
    """
    from cifar_linear.config.starter import starter, write_starter

    if file == Path("-"):
        click.echo(starter(dataset), nl=False)
    else:
        write_starter(file, dataset)
        click.echo(f"config: {file}")


@config.command(short_help="Print the JSON Schema for editors.", epilog=example("config schema > schema.json"))
@click.option("--sweep", "kind", flag_value="sweep", help="Print the schema of sweep files.")
@click.option("--questions", "kind", flag_value="questions", help="Print the schema of files of questions.")
@debug_option
def schema(kind: str | None) -> None:
    """Print the JSON Schema of config files, for editors."""
    from pydantic import BaseModel

    from cifar_linear.config.models import Config, schema
    from cifar_linear.config.questions import Questions
    from cifar_linear.config.sweeps import SweepFile

    kinds: dict[str | None, type[BaseModel]] = {None: Config, "sweep": SweepFile, "questions": Questions}
    click.echo(json.dumps(schema(kinds[kind]), indent=2))


@config.command(short_help="Check a config and print it complete.", epilog=example("config show first.yaml"))
@click.argument("config_path", metavar="FILE", type=PATH)
@set_option
@debug_option
def show(config_path: Path, overrides: tuple[str, ...]) -> None:
    """Check a config file and print it complete, with every default filled in.

    The layers of a network follow as comments: their output shapes, parameters, receptive fields and multiplications.
    FILE may be - for standard input.
    """
    from cifar_linear.config.formatting import layers_as_comments
    from cifar_linear.config.reading import read_config

    config = read_config(config_path, overrides)
    network = config.network()
    click.echo(config.to_yaml() + (layers_as_comments(network) if network else ""), nl=False)
