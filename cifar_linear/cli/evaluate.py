"""``cifar-linear evaluate``: metrics computed again from the stored weights."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cifar_linear.cli.options import (
    PATH,
    best_option,
    data_dir_option,
    debug_option,
    example,
    optimum_option,
    refuse_both,
    run_argument,
    split_option,
)
from cifar_linear.wording import counted, percent

if TYPE_CHECKING:
    from cifar_linear.data.dataset import SplitName


@click.command(short_help="Recompute and check a run's metrics.", epilog=example("evaluate mine --split validation"))
@run_argument
@split_option(default="test")
@best_option
@optimum_option
@data_dir_option
@click.option(
    "--without",
    type=PATH,
    metavar="FILE",
    help="Evaluate without the images that a file lists as well: a table of data duplicates, or a number in each line.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the metrics as JSON, also those of each class.")
@debug_option
def evaluate(
    run: Path,
    split: SplitName,
    best: bool,
    optimum: bool,
    data_dir: Path | None,
    without: Path | None,
    as_json: bool,
) -> None:
    """Compute a run's metrics from its stored weights and compare them with those that it recorded.

    It also says how far the probabilities can be relied on, as they are and with scores divided by the temperature that
    suits the validation images best.

    RUN is the path of a run folder, the name of a run in --runs-dir, sweep/cell, or last.
    """
    from cifar_linear.errors import CheckError, DataError
    from cifar_linear.experiments.calibration import calibration_on, sentences, stored_or_fitted_temperature
    from cifar_linear.experiments.classifier import Classifier, by_class, disagreements, recorded_metrics
    from cifar_linear.experiments.image_lists import parted
    from cifar_linear.experiments.loading import load_split
    from cifar_linear.runs.folder import RunFolder

    refuse_both(best, optimum)
    folder = RunFolder(run)
    recorded = recorded_metrics(folder, best, optimum).get(split)
    classifier = Classifier.of(folder, best, optimum)
    scored = classifier.scored(load_split(classifier.config, split, data_dir))
    found, parts = scored.metrics, parted(scored, without, split) if without else {}
    try:
        temperature = stored_or_fitted_temperature(folder, classifier, best, optimum, data_dir)
    except DataError as error:
        click.echo(f"no temperature without the validation images: {error}", err=True)
        temperature = None
    calibration = calibration_on(scored, temperature)
    if as_json:
        before = recorded.model_dump() if recorded else None
        classes = by_class(scored.predicted().predicted, scored.split.labels, classifier.class_names)
        document = {"split": split, "metrics": found.model_dump(), "recorded": before, "classes": classes}
        trust = {"temperature": temperature, "calibration": calibration.model_dump()}
        subsets = {name: {"images": len(part.split), **part.metrics.model_dump()} for name, part in parts.items()}
        click.echo(json.dumps({**document, **trust, **subsets}, indent=2))
    else:
        click.echo(f"{split}: {_in_words(found.model_dump())}")
        for name, part in parts.items():
            what = f"{name.replace('_', ' ')}, {counted(len(part.split), 'image')}"
            click.echo(f"{what}: {_in_words(part.metrics.model_dump())}")
        click.echo("\n".join(sentences(calibration, temperature)))
    if recorded is None:
        click.echo(f"{run}: recorded no metrics of the {split} images; nothing to compare", err=True)
    elif differing := disagreements(found, recorded):
        raise CheckError(f"{run}: recorded {_in_words(differing)}; are these the images it was trained with?")
    else:
        click.echo(f"agrees with {'certificate.json' if optimum else 'run.json'}", err=True)


def _in_words(metrics: Mapping[str, float]) -> str:
    return ", ".join(
        f"{name} {percent(value)}" if name == "accuracy" else f"{name} {value:.6f}" for name, value in metrics.items()
    )
