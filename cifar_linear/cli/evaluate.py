"""``cifar-linear evaluate``: the metrics again, from the stored weights."""

import json
from pathlib import Path

import click

from cifar_linear.cli.options import PATH, data_dir_option, debug_option

_CLOSE = 1e-6
"""Relative difference that another machine's rounding may make."""


@click.command()
@click.argument("run", type=PATH)
@click.option(
    "--split",
    type=click.Choice(["train", "validation", "test"]),
    default="test",
    show_default=True,
    help="Which images.",
)
@data_dir_option
@click.option("--json", "as_json", is_flag=True, help="Print the metrics as JSON.")
@debug_option
def evaluate(run: Path, split: str, data_dir: Path | None, as_json: bool) -> None:
    """Compute a run's metrics anew, and compare them with those that it recorded."""
    from cifar_linear.classifier import Classifier
    from cifar_linear.errors import CheckError
    from cifar_linear.runs import RunFolder

    folder = RunFolder(run)
    recorded = folder.read_record()["metrics"].get(split)
    figures = Classifier.of(folder).evaluate(split, data_dir)
    if as_json:
        click.echo(json.dumps({"split": split, "metrics": figures, "recorded": recorded}, indent=2))
    else:
        click.echo(f"{split}: " + ", ".join(f"{name} {value:.6f}" for name, value in figures.items()))
    if recorded is None:
        click.echo(f"{run}: recorded no figures of the {split} images; nothing to compare", err=True)
        return
    differing = [name for name, value in figures.items() if abs(value - recorded[name]) > _CLOSE * abs(recorded[name])]
    if differing:
        said = ", ".join(f"{name} {recorded[name]:.6f}" for name in differing)
        raise CheckError(f"{run}: recorded {said}; are the images those that it was trained with?")
    click.echo("agrees with run.json", err=True)
