"""``cifar-linear gradcheck``: analytic gradients against numeric ones."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from cifar_linear.cli.options import config_option, data_dir_option, debug_option, set_option

if TYPE_CHECKING:
    from cifar_linear.experiments.gradient_check import Case


@click.command(short_help="Check the gradients numerically.")
@config_option(required=False)
@set_option
@data_dir_option
@debug_option
def gradcheck(config_path: Path | None, overrides: tuple[str, ...], data_dir: Path | None) -> None:
    """Compare analytic with numeric gradients, on generated images or a config's own.

    The cases are every loss, lambda 0 and 0.1, a penalised bias, batches of 1 and 20 images, all in float64. The first
    20 dimensions are compared entry by entry, all of them along random directions. A network's parameters are compared
    along random directions by a complex step, for batches of 1 and 8 images. The relative error is
    |ga - gn| / max(eps, |ga| + |gn|).
    """
    from cifar_linear.config.reading import config_or_default
    from cifar_linear.errors import CheckError
    from cifar_linear.experiments.assembly import load_dataset
    from cifar_linear.experiments.gradient_check import EPS, check_gradients

    config = config_or_default(config_path, overrides)
    dataset = load_dataset(config, data_dir)
    click.echo(f"images: {config.data.dataset}; relative error |ga - gn| / max(eps, |ga| + |gn|), eps = {EPS:g} * cost")
    click.echo(
        _row("loss", "lambda", "bias", "images", "dims", "differences", "of", "max abs", "max rel", "allowed", "")
    )
    cases = []
    for case in check_gradients(config, dataset):
        cases.append(case)
        click.echo(_case_row(case))
    failed = sum(not case.passed for case in cases)
    if failed:
        raise CheckError(f"{failed} of {len(cases)} gradient checks failed")
    click.echo(f"all {len(cases)} gradient checks passed")


def _case_row(case: Case) -> str:
    return _row(
        case.loss,
        f"{case.lam:g}",
        case.bias,
        str(case.images),
        str(case.dimensions),
        case.differences,
        case.parameter,
        f"{case.deviation.absolute:.1e}",
        f"{case.deviation.relative:.1e}",
        f"{case.threshold:.0e}",
        "ok" if case.passed else "FAILED",
    )


def _row(*cells: str) -> str:
    widths = (12, 7, 10, 7, 7, 13, 10, 9, 9, 9, 7)
    return "".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)).rstrip()
