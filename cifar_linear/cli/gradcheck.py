"""``cifar-linear gradcheck``: analytic gradients against numeric ones, this program's or those of a student."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cifar_linear.cli.options import PATH, config_option, data_dir_option, debug_option, example, set_option
from cifar_linear.cli.printing import printable

if TYPE_CHECKING:
    from cifar_linear.experiments.gradient_check import Case


@click.command(short_help="Check the gradients numerically.", epilog=example("gradcheck"))
@config_option(required=False)
@set_option
@data_dir_option
@click.option("--module", type=PATH, metavar="FILE", help="Check the functions of a student's .py file or notebook.")
@click.option(
    "--map", "renamed", multiple=True, metavar="ROLE=NAME", help="A function's name: --map gradients=my_fn. Repeatable."
)
@click.option("--python", metavar="PATH", help="The Python that runs the module; it needs NumPy.")
@click.option("--require-sandbox", is_flag=True, help="Run nothing unless the system grants all guards.")
@click.option("--gradescope", type=PATH, metavar="FILE", help="Also write the verdicts as results.json of Gradescope.")
@click.option("--json", "as_json", is_flag=True, help="With --module, print one JSON document.")
@debug_option
def gradcheck(
    config_path: Path | None,
    overrides: tuple[str, ...],
    data_dir: Path | None,
    module: Path | None,
    renamed: tuple[str, ...],
    python: str | None,
    require_sandbox: bool,
    gradescope: Path | None,
    as_json: bool,
) -> None:
    """Compare analytic with numeric gradients, on generated images or a config's own.

    Every loss is checked with lambda 0 and 0.1, with a penalised bias, and on batches of 1 and 20 images, in float64:
    the first 20 dimensions entry by entry, then all dimensions along random directions. A network's parameters are
    checked along random directions by a complex step, on batches of 1 and 8 images. The relative error of an analytic
    gradient ga and a numeric one gn is |ga - gn| / max(eps, |ga| + |gn|).

    With --module, the functions of a student's file are checked instead: probabilities, loss and cost, and the gradient
    against finite differences of its own cost and against the right one. Mistakes are named. The file is not imported;
    its functions run in a process of their own.
    """
    if module is not None:
        if config_path is not None or overrides or data_dir is not None:
            raise click.UsageError("--module has a problem of its own; leave out --config, --set and --data-dir")
        _check_student(module, _names(renamed), python, require_sandbox, gradescope, as_json)
    elif renamed or python or require_sandbox or gradescope or as_json:
        raise click.UsageError("--map, --python, --require-sandbox, --gradescope and --json need --module")
    else:
        _check_own(config_path, overrides, data_dir)


def _names(renamed: tuple[str, ...]) -> dict[str, str]:
    pairs = [pair.partition("=") for pair in renamed]
    for role, _, name in pairs:
        if not role or not name:
            raise click.UsageError("--map needs ROLE=NAME, such as --map gradients=my_fn")
    return {role: name for role, _, name in pairs}


def _check_student(
    module: Path,
    renamed: dict[str, str],
    python: str | None,
    require_sandbox: bool,
    results: Path | None,
    as_json: bool,
) -> None:
    from cifar_linear.course.gradients.checking import check_module
    from cifar_linear.course.gradients.results import document, gradescope, gradescope_failure, lines
    from cifar_linear.errors import CheckError, ConfigError

    try:
        checked = check_module(module, renamed, python, require_sandbox=require_sandbox)
    except ConfigError as error:
        _write_results(results, gradescope_failure(str(error)))
        raise
    _write_results(results, gradescope(checked))
    if as_json:
        click.echo(json.dumps(document(checked), indent=2))
    else:
        for line in lines(checked):
            click.echo(printable(line))
    if not checked.passed:
        wrong = [verdict.question for verdict in checked.verdicts if verdict.status == "wrong"]
        raise CheckError(f"{module}: wrong: {'; '.join(wrong) or checked.ending}")


def _write_results(path: Path | None, results: dict[str, Any]) -> None:
    from cifar_linear.storage.atomic import write_whole

    if path is not None:
        write_whole(path, json.dumps(results, indent=2).encode())


def _check_own(config_path: Path | None, overrides: tuple[str, ...], data_dir: Path | None) -> None:
    from cifar_linear.config.reading import config_or_default
    from cifar_linear.errors import CheckError
    from cifar_linear.experiments.gradient_check import EPS, check_gradients
    from cifar_linear.experiments.loading import load_dataset

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
