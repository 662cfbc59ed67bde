"""``cifar-linear diagnose``: what the numbers of a run, or of a config, say."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cifar_linear.cli.options import (
    config_option,
    data_dir_option,
    debug_option,
    example,
    quiet_option,
    runs_dir_option,
    set_option,
)
from cifar_linear.signals import SafeStop

if TYPE_CHECKING:
    from cifar_linear.config.models import Config
    from cifar_linear.data.dataset import Dataset
    from cifar_linear.experiments.facts import Facts
    from cifar_linear.runs.record import Sensitivity
    from cifar_linear.training.evaluation import Evaluation

_NOISES = ("noise_at_start", "noise_at_end")


@click.command(short_help="Say what is wrong with a run, or will be.", epilog=example("diagnose mine"))
@click.argument("run", metavar="[RUN]", required=False)
@runs_dir_option
@config_option(required=False, text="A config that has not been trained yet, instead of RUN.")
@set_option
@data_dir_option
@click.option(
    "--sensitivity",
    is_flag=True,
    help="Train twice, with one bit of one first weight changed, and compare; for RUN the result is kept for reports.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the numbers as JSON.")
@quiet_option
@debug_option
def diagnose(
    run: str | None,
    runs_dir: Path,
    config_path: Path | None,
    overrides: tuple[str, ...],
    data_dir: Path | None,
    sensitivity: bool,
    as_json: bool,
    quiet: bool,
) -> None:
    """Compare eta with the largest stable rate and with the noise of batches, and look for other trouble.

    Other trouble is saturation, over- and under-fitting, dead filters, a large penalty, unfinished training, and
    metrics that depend on rounding. Each sentence has a number behind it; if nothing is wrong, nothing is printed.

    RUN is the path of a run folder, the name of a run in --runs-dir, sweep/cell, or last.
    """
    from cifar_linear.config.reading import read_config
    from cifar_linear.experiments.facts import facts_after, facts_before
    from cifar_linear.experiments.loading import load_dataset
    from cifar_linear.runs.discovery import find_run
    from cifar_linear.runs.folder import RunFolder

    if (run is None) == (config_path is None):
        raise click.UsageError("give RUN (after training) or --config (before)")
    if run is not None and overrides:
        raise click.UsageError("--set belongs to --config: a finished run's settings cannot change")
    if config_path is not None:
        config = read_config(config_path, overrides)
        dataset = load_dataset(config, data_dir)
        facts = facts_before(config, dataset, _measured(config, dataset, quiet) if sensitivity else None)
    else:
        folder = RunFolder(find_run(runs_dir, str(run)))
        config = folder.config()
        dataset = load_dataset(config, data_dir)
        facts = facts_after(folder, dataset)
        if sensitivity:
            with folder.locked():
                folder.write_sensitivity(measured := _measured(config, dataset, quiet))
            facts = replace(facts, sensitivity=measured)
    print_facts(facts, as_json)


def print_facts(facts: Facts, as_json: bool) -> None:
    """Print the numbers as JSON, or what they say."""
    from cifar_linear.experiments.diagnosis import sentences, stable_rate

    if as_json:
        click.echo(json.dumps(plain(facts), indent=2))
        return
    stable = stable_rate(facts.curvature_at_start, facts.momentum)
    click.echo(f"largest stable rate at the start: {stable:.3g}; eta is {facts.eta:g}")
    for sentence in sentences(facts):
        click.echo(sentence)


def plain(facts: Facts) -> dict[str, object]:
    """The numbers as plain values for JSON."""
    noises = {name: noise and noise._asdict() for name in _NOISES if (noise := getattr(facts, name)) is not None}
    measured = facts.sensitivity.model_dump() if facts.sensitivity else None
    return {**asdict(facts), **noises, "sensitivity": measured}


def _measured(config: Config, dataset: Dataset, quiet: bool) -> Sensitivity:
    """The training and its twin."""
    from cifar_linear.cli.progress import Progress
    from cifar_linear.experiments.sensitivity import sensitivity

    with Progress(config.length, quiet, unit=config.unit) as progress, SafeStop() as stop:

        def watch(evaluation: Evaluation) -> None:
            progress.show(evaluation.reached(config.unit), "two trainings that differ in one bit")

        return sensitivity(config, dataset, watch, stop.check)
