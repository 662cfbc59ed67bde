"""``cifar-linear evaluate``: metrics computed again from the stored weights."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
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
from cifar_linear.cli.terminal import counted, percent

if TYPE_CHECKING:
    from cifar_linear.data.dataset import SplitName
    from cifar_linear.experiments.classifier import Classifier, Scored
    from cifar_linear.runs.folder import RunFolder
    from cifar_linear.runs.record import Honesty, SplitCalibration, SplitMetrics


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
    from cifar_linear.errors import CheckError
    from cifar_linear.experiments.calibration import calibration_on
    from cifar_linear.experiments.classifier import Classifier, by_class, disagreements
    from cifar_linear.experiments.loading import load_split
    from cifar_linear.runs.folder import RunFolder

    refuse_both(best, optimum)
    folder = RunFolder(run)
    recorded = _recorded(folder, best, optimum).get(split)
    classifier = Classifier.of(folder, best, optimum)
    scored = classifier.scored(load_split(classifier.config, split, data_dir))
    found, parts = scored.metrics, _parts(scored, without, split)
    temperature = _temperature(folder, classifier, best, optimum, data_dir)
    calibration = calibration_on(scored, temperature)
    if as_json:
        before = recorded.model_dump() if recorded else None
        classes = by_class(scored.predicted().predicted, scored.split.labels, classifier.class_names)
        document = {"split": split, "metrics": found.model_dump(), "recorded": before, "classes": classes}
        honesty = {"temperature": temperature, "calibration": calibration.model_dump()}
        subsets = {name: {"images": len(part.split), **part.metrics.model_dump()} for name, part in parts.items()}
        click.echo(json.dumps({**document, **honesty, **subsets}, indent=2))
    else:
        click.echo(f"{split}: {_in_words(found.model_dump())}")
        for name, part in parts.items():
            what = f"{name.replace('_', ' ')}, {counted(len(part.split), 'image')}"
            click.echo(f"{what}: {_in_words(part.metrics.model_dump())}")
        click.echo("\n".join(calibration_sentences(calibration, temperature)))
    if recorded is None:
        click.echo(f"{run}: recorded no metrics of the {split} images; nothing to compare", err=True)
    elif differing := disagreements(found, recorded):
        raise CheckError(f"{run}: recorded {_in_words(differing)}; are these the images it was trained with?")
    else:
        click.echo(f"agrees with {'certificate.json' if optimum else 'run.json'}", err=True)


def _parts(scored: Scored, without: Path | None, split: SplitName) -> dict[str, Scored]:
    """The images that a file does not list, and those that it lists; empty without a file."""
    from cifar_linear.experiments.listed import listed_images

    if without is None:
        return {}
    listed = listed_images(without, split, len(scored.split))
    return {"not_listed": scored.part(~listed), "listed": scored.part(listed)}


def _temperature(
    folder: RunFolder, classifier: Classifier, best: bool, optimum: bool, data_dir: Path | None
) -> float | None:
    """The one that is stored, or fitted now; None without the validation images."""
    from cifar_linear.errors import DataError
    from cifar_linear.experiments.calibration import temperature_of
    from cifar_linear.experiments.loading import load_split

    stored = folder.read_calibration()
    if stored and not optimum and (stored.weights == "best") == best:
        return stored.temperature
    try:
        return temperature_of(classifier.scored(load_split(classifier.config, "validation", data_dir)))
    except DataError as error:
        click.echo(f"no temperature without the validation images: {error}", err=True)
        return None


def calibration_sentences(calibration: SplitCalibration, temperature: float | None) -> Iterator[str]:
    """Yield what the numbers say of probabilities."""
    plain = calibration.plain
    if calibration.top_5 is not None:
        yield f"top-5 accuracy {percent(calibration.top_5)}"
    yield f"probabilities: {_honest(plain)}; calibrated perfectly, ECE would be about {plain.ece_if_calibrated:.3f}"
    if plain.ece > plain.ece_limit and abs(plain.over_confidence) > plain.ece_limit:
        way = "over" if plain.over_confidence > 0 else "under"
        yield f"{way}-confident: mean confidence is {abs(plain.over_confidence):.3f} {way} the accuracy"
    if plain.ece <= plain.ece_limit:
        yield f"this ECE is what chance allows, up to {plain.ece_limit:.3f}: nothing speaks against these probabilities"
    if calibration.tempered is not None:
        yield f"with temperature {temperature:.3g}: {_honest(calibration.tempered)}"


def _honest(of: Honesty) -> str:
    return f"NLL {of.nll:.4f}, Brier score {of.brier:.4f}, expected calibration error (ECE) {of.ece:.3f}"


def _recorded(folder: RunFolder, best: bool, optimum: bool) -> Mapping[SplitName, SplitMetrics]:
    """The metrics of these weights that a run folder has."""
    if optimum:
        certificate = folder.read_certificate()
        return certificate.optimum if certificate else {}
    record = folder.read_record()
    return record.outcome if best else record.metrics


def _in_words(metrics: Mapping[str, float]) -> str:
    return ", ".join(
        f"{name} {percent(value)}" if name == "accuracy" else f"{name} {value:.6f}" for name, value in metrics.items()
    )
