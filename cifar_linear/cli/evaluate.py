"""``cifar-linear evaluate``: the metrics again, from the stored weights."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cifar_linear.cli.options import PATH, best_option, data_dir_option, debug_option, split_option

if TYPE_CHECKING:
    from cifar_linear.data.dataset import SplitName


@click.command()
@click.argument("run", type=PATH)
@split_option(default="test")
@best_option
@data_dir_option
@click.option("--json", "as_json", is_flag=True, help="Print the metrics as JSON.")
@debug_option
def evaluate(run: Path, split: SplitName, best: bool, data_dir: Path | None, as_json: bool) -> None:
    """Compute a run's metrics anew, and compare them with those that it recorded."""
    from cifar_linear.errors import CheckError
    from cifar_linear.experiments.assembly import load_split
    from cifar_linear.experiments.classifier import Classifier, disagreements
    from cifar_linear.runs.folder import RunFolder

    folder = RunFolder(run)
    record = folder.read_record()
    recorded = (record.outcome if best else record.metrics).get(split)
    classifier = Classifier.of(folder, best)
    found = classifier.evaluate(load_split(classifier.config, split, data_dir))
    figures = found.model_dump()
    if as_json:
        told = recorded.model_dump() if recorded else None
        click.echo(json.dumps({"split": split, "metrics": figures, "recorded": told}, indent=2))
    else:
        click.echo(f"{split}: " + ", ".join(f"{name} {value:.6f}" for name, value in figures.items()))
    if recorded is None:
        click.echo(f"{run}: recorded no figures of the {split} images; nothing to compare", err=True)
    elif differing := disagreements(found, recorded):
        said = ", ".join(f"{name} {value:.6f}" for name, value in differing.items())
        raise CheckError(f"{run}: recorded {said}; are the images those that it was trained with?")
    else:
        click.echo("agrees with run.json", err=True)
