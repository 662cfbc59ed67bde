"""``cifar-linear probe``: which linear classifier suits one's own features, and how near the optimum it is."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cifar_linear.cli.options import (
    PATH,
    Output,
    data_dir_option,
    debug_option,
    example,
    name_option,
    output_options,
    runs_dir_option,
    set_option,
)
from cifar_linear.cli.sweep_output import Conclusion, run_and_print
from cifar_linear.errors import CheckError
from cifar_linear.signals import SafeStop

if TYPE_CHECKING:
    from cifar_linear.experiments.dataset_cache import DatasetCache
    from cifar_linear.nn.certificate import Bracket
    from cifar_linear.runs.record import Certificate
    from cifar_linear.sweep.table import Row


_SHOWN = 10
"""Settings in the printed table; the report has them all."""


@click.command(
    short_help="Find the best linear classifier of features.", epilog=example("probe . -n half -q --no-figures")
)
@click.argument("features", type=PATH)
@set_option
@data_dir_option
@runs_dir_option
@name_option("Name of the sweep's folder; the same name continues it.  [default: that of FEATURES]")
@click.option("--no-certify", is_flag=True, help="Leave out the certificate of the selected setting.")
@output_options("Print one JSON document.")
@debug_option
def probe(
    features: Path,
    overrides: tuple[str, ...],
    data_dir: Path | None,
    runs_dir: Path,
    name: str | None,
    no_certify: bool,
    output: Output,
) -> None:
    """Train a hundred linear classifiers on features in one go: 10 values of lambda and 10 of eta.

    FEATURES is a folder with train.npy and train_labels.npy, and validation and test in the same way if there are any,
    or a config in YAML. One setting is selected on the validation images, it alone is evaluated on the test set, and
    a certificate proves how far it is from the optimum of its lambda.
    """
    from cifar_linear.experiments.dataset_cache import DatasetCache
    from cifar_linear.experiments.jobs import chosen_name
    from cifar_linear.sweep.probe import probe_of

    images = DatasetCache(data_dir)
    wanted = probe_of(features, overrides, images)
    path = runs_dir / chosen_name(name, features.resolve())

    def conclude(winner: Row) -> Conclusion:
        certificate = None if no_certify else _certificate(winner, images, output.quiet)
        return _conclusion(winner, images, certificate)

    run_and_print(wanted, path, images, output, conclude=conclude)


def _certificate(winner: Row, images: DatasetCache, quiet: bool) -> Certificate | None:
    """The certificate; None, with a line on stderr, if the bounds stay wide: the sweep is none the worse for it."""
    from cifar_linear.cli.progress import Progress
    from cifar_linear.experiments.certificate import part_done
    from cifar_linear.sweep.probe import TOLERANCE, certificate_of

    with Progress(100, quiet, unit="%") as progress, SafeStop() as stop:

        def watch(bracket: Bracket) -> None:
            progress.show(part_done(bracket.gap, TOLERANCE), f"bounds {bracket.gap:.1g} apart")
            stop.check()

        try:
            return certificate_of(winner, images, watch)
        except CheckError as error:
            progress.say(f"no certificate: {error}")
            return None


def _conclusion(winner: Row, images: DatasetCache, certificate: Certificate | None) -> Conclusion:
    from cifar_linear.sweep.probe import scikit_learn_C

    C = scikit_learn_C(winner, images)
    tree: dict[str, Any] = {"certificate": certificate.model_dump(mode="json") if certificate else None, "C": C}
    return Conclusion(tree, list(_lines(winner, certificate, C)), most_rows=_SHOWN)


def _lines(winner: Row, certificate: Certificate | None, C: float) -> Iterator[str]:  # as scikit-learn calls it
    from cifar_linear.experiments.certificate import sentences

    yield f"selected: {winner.folders[0].path}"
    if certificate:
        yield from sentences(certificate)
    yield f"scikit-learn's C for this lambda, 1 / (2 lambda n): {C:.4g}"
