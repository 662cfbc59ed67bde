"""``cifar-linear certify``: how far is a run from the lowest cost that its config allows?"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from decimal import ROUND_CEILING, ROUND_FLOOR, Context, Decimal
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cifar_linear.cli.options import data_dir_option, debug_option, example, quiet_option, run_argument
from cifar_linear.cli.terminal import percent
from cifar_linear.signals import SafeStop

if TYPE_CHECKING:
    from cifar_linear.nn.certificate import Bracket
    from cifar_linear.runs.record import Certificate


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
    from cifar_linear.experiments.certificate import certifiable
    from cifar_linear.experiments.certificate import certify as certify_run
    from cifar_linear.experiments.loading import load_dataset
    from cifar_linear.runs.folder import RunFolder

    folder = RunFolder(run)
    config = certifiable(folder).config
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


def part_done(gap: float, tolerance: float) -> int:
    """How much of the way from bounds that say nothing has been gone, in percent."""
    return int(100 * min(1.0, max(0.0, math.log(min(gap, 1.0)) / math.log(tolerance)))) if gap > 0 else 100


def sentences(certificate: Certificate) -> Iterator[str]:
    """Yield what a certificate says. Bounds are rounded outwards, so that the digits are true."""
    digits = 2 - math.floor(math.log10(certificate.tolerance))
    lower, upper = (
        Context(prec=digits, rounding=rounding).create_decimal(Decimal(bound))
        for bound, rounding in ((certificate.lower, ROUND_FLOOR), (certificate.upper, ROUND_CEILING))
    )
    yield f"The optimum lies between {lower} and {upper}: proved."
    cost = f"{certificate.cost:.{digits}g}"
    if certificate.cost - certificate.lower <= certificate.tolerance * certificate.cost:
        yield f"This run's cost is {cost}: the optimum, to within the tolerance."
    else:
        distance = certificate.cost - certificate.upper
        yield f"This run's cost is {cost}: {distance:.3g} above, or {_percent(certificate.above)}."
        if certificate.bias_alone > certificate.tolerance * certificate.cost:
            yield f"Of that, {certificate.bias_alone:.2g} is the bias alone."
    for split in ("validation", "test"):
        if split in certificate.optimum:
            there, here = certificate.optimum[split].accuracy, certificate.run[split].accuracy
            yield f"{split.capitalize()} accuracy at the optimum: {percent(there)} (run: {percent(here)})."


def _percent(part: float) -> str:
    """A part of the optimum with two digits.

    >>> _percent(0.0430), _percent(0.00317)
    ('4.3 %', '0.32 %')
    """
    return f"{100 * part:.2g} %" if part < 0.995 else f"{100 * part:.0f} %"
