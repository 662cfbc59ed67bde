"""``cifar-linear evaluate``: metrics computed again from the stored weights."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cifar_linear.cli.options import best_option, data_dir_option, debug_option, run_argument, split_option
from cifar_linear.cli.terminal import percent

if TYPE_CHECKING:
    from cifar_linear.data.dataset import SplitName


@click.command(short_help="Recompute and check a run's metrics.")
@run_argument
@split_option(default="test")
@best_option
@data_dir_option
@click.option("--json", "as_json", is_flag=True, help="Print the metrics as JSON, also those of each class.")
@debug_option
def evaluate(run: Path, split: SplitName, best: bool, data_dir: Path | None, as_json: bool) -> None:
    """Compute a run's metrics from its stored weights and compare them with those that it recorded.

    RUN is the path of a run folder, the name of a run in --runs-dir, sweep/cell, or last.
    """
    from cifar_linear.errors import CheckError
    from cifar_linear.experiments.assembly import load_split
    from cifar_linear.experiments.classifier import Classifier, by_class, disagreements
    from cifar_linear.runs.folder import RunFolder

    folder = RunFolder(run)
    record = folder.read_record()
    recorded = (record.outcome if best else record.metrics).get(split)
    classifier = Classifier.of(folder, best)
    images = load_split(classifier.config, split, data_dir)
    found = classifier.evaluate(images)
    if as_json:
        before = recorded.model_dump() if recorded else None
        classes = by_class(classifier.predict(images.images).predicted, images.labels, classifier.class_names)
        document = {"split": split, "metrics": found.model_dump(), "recorded": before, "classes": classes}
        click.echo(json.dumps(document, indent=2))
    else:
        click.echo(f"{split}: {_in_words(found.model_dump())}")
    if recorded is None:
        click.echo(f"{run}: recorded no metrics of the {split} images; nothing to compare", err=True)
    elif differing := disagreements(found, recorded):
        raise CheckError(f"{run}: recorded {_in_words(differing)}; are these the images it was trained with?")
    else:
        click.echo("agrees with run.json", err=True)


def _in_words(metrics: Mapping[str, float]) -> str:
    return ", ".join(
        f"{name} {percent(value)}" if name == "accuracy" else f"{name} {value:.6f}" for name, value in metrics.items()
    )
