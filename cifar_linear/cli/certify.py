"""``cifar-linear certify``: how far is a run from the lowest cost that its config allows?"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cifar_linear.cli.options import data_dir_option, debug_option, example, quiet_option, run_argument
from cifar_linear.signals import SafeStop

if TYPE_CHECKING:
    from cifar_linear.nn.certificate import Bracket


@click.command(short_help="Prove how far a run is from the optimum.", epilog=example("certify mine -q"))
@run_argument
@data_dir_option
@click.option(
    "--tolerance",
    type=click.FloatRange(min=0, max=1, min_open=True, max_open=True),
    default=1e-4,
    show_default=True,
    help="How far apart the two bounds of the optimum may be, relative to the cost.",
)
@click.option(
    "--evaluations",
    type=click.IntRange(min=1),
    default=1000,
    show_default=True,
    help="How many times cost and gradient of all training images may be computed.",
)
@click.option("--with-test", is_flag=True, help="Evaluate the optimum on the test set as well.")
@click.option("--json", "as_json", is_flag=True, help="Print certificate.json.")
@quiet_option
@debug_option
def certify(
    run: Path, data_dir: Path | None, tolerance: float, evaluations: int, with_test: bool, as_json: bool, quiet: bool
) -> None:
    """Prove between which bounds the lowest cost of a run's config lies, and say how far above it the run ended.

    The run must be of a linear model with lambda above 0. Bounds, accuracies and the weights of the optimum are
    written into the run folder, where reports find them; evaluate and predict use the weights with --optimum.

    RUN is the path of a run folder, the name of a run in --runs-dir, sweep/cell, or last.
    """
    from cifar_linear.cli.progress import Progress
    from cifar_linear.experiments.certificate import certifiable, part_done, sentences
    from cifar_linear.experiments.certificate import certify as certify_run
    from cifar_linear.experiments.loading import load_dataset
    from cifar_linear.runs.folder import RunFolder

    folder = RunFolder(run)
    config = certifiable(folder, folder.read_record()).config
    dataset = load_dataset(config, data_dir)
    with Progress(100, quiet, unit="%") as progress, SafeStop() as stop:

        def watch(bracket: Bracket) -> None:
            progress.show(part_done(bracket.gap, tolerance), f"bounds {bracket.gap:.1g} apart")
            stop.check()

        certificate = certify_run(
            folder, dataset, tolerance=tolerance, most=evaluations, with_test=with_test, watch=watch
        )
    if config.augmentation.flip or config.augmentation.shift:
        click.echo("the images were augmented in training; all costs here are of the images as they are", err=True)
    click.echo(
        json.dumps(certificate.model_dump(mode="json"), indent=2) if as_json else "\n".join(sentences(certificate))
    )
