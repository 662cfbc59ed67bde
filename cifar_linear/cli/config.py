"""``cifar-linear config``: what a config file may contain, and what one means."""

import json
from pathlib import Path

import click

from cifar_linear.cli.options import PATH, debug_option, set_option


@click.group()
def config() -> None:
    """Explain config files."""


@config.command()
@click.option("--sweep", "kind", flag_value="sweep", help="That of a sweep's file.")
@click.option("--questions", "kind", flag_value="questions", help="That of a file of questions.")
@debug_option
def schema(kind: str | None) -> None:
    """Print the JSON Schema of config files, for editors."""
    from pydantic import BaseModel

    from cifar_linear.config.models import Config, schema
    from cifar_linear.config.questions import Questions
    from cifar_linear.config.sweeps import SweepFile

    kinds: dict[str | None, type[BaseModel]] = {None: Config, "sweep": SweepFile, "questions": Questions}
    click.echo(json.dumps(schema(kinds[kind]), indent=2))


@config.command()
@click.argument("config_path", metavar="FILE", type=PATH)
@set_option
@debug_option
def show(config_path: Path, overrides: tuple[str, ...]) -> None:
    """Check a config file and print it complete, with every default filled in."""
    from cifar_linear.config.reading import read_config

    click.echo(read_config(config_path, overrides).to_yaml(), nl=False)
