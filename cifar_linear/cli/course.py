"""``cifar-linear course``: for teachers, the run folders that students hand in."""

from __future__ import annotations

import json
from pathlib import Path

import click

from cifar_linear.cli.options import FOLDER, PATH, data_dir_option, debug_option, example, quiet_option
from cifar_linear.cli.printing import printable
from cifar_linear.signals import SafeStop


@click.group(short_help="Check what students hand in.")
def course() -> None:
    """For courses: check what students hand in."""


@course.command(short_help="Flag hand-ins that do not hold.", epilog=example("course check handins --sample 0 -q"))
@click.argument("folder", type=PATH)
@click.option("--asked", type=PATH, metavar="PATH", help="The config that was asked for, or a folder of them.")
@data_dir_option
@click.option(
    "--sample",
    type=click.IntRange(min=0),
    default=10,
    show_default=True,
    metavar="N",
    help="In how many hand-ins, drawn at random, a run is trained again.",
)
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Draws the sample.")
@click.option(
    "--limit",
    type=click.FloatRange(min=0, min_open=True),
    default=60,
    show_default=True,
    metavar="SECONDS",
    help="For training a run again.",
)
@click.option(
    "-o", "--output", type=FOLDER, default="course-check", show_default=True, metavar="DIR", help="For page and tables."
)
@click.option(
    "--gradescope", type=PATH, metavar="DIR", help="Also write a results file of Gradescope for each hand-in."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@quiet_option
@debug_option
def check(
    folder: Path,
    asked: Path | None,
    data_dir: Path | None,
    sample: int,
    seed: int,
    limit: float,
    output: Path,
    gradescope: Path | None,
    as_json: bool,
    quiet: bool,
) -> None:
    """Flag hand-ins whose numbers do not hold, each flag with its evidence; nothing is marked.

    FOLDER has a run folder, a folder of them or a zip archive of either for each student. Metrics are computed again
    from the weights and your images; files, curves, preprocessing and the start of the training are compared with the
    config and seed; a sample is trained again; and hand-ins are compared with each other. The page says what each check
    can prove and what it cannot.
    """
    from cifar_linear.cli.progress import Progress
    from cifar_linear.course.handins.asked import read_asked
    from cifar_linear.course.handins.checking import Plan, check_hand_ins, flagged
    from cifar_linear.course.handins.reading import hand_ins
    from cifar_linear.course.handins.results import document, lines, summary, write_results
    from cifar_linear.errors import CheckError

    plan = Plan(read_asked(asked) if asked else {}, data_dir, sample, seed, limit)
    with Progress(len(hand_ins(folder)), quiet, unit="hand-in") as progress, SafeStop() as stop:

        def watch(number: int, name: str) -> None:
            progress.show(number, name)

        rows = check_hand_ins(folder, plan, watch, stop.check)
    facts = {"folder": str(folder), "asked": ", ".join(plan.asked) or "nothing", "sample": f"{sample}, seed {seed}"}
    page = write_results(rows, output, facts, gradescope)
    if as_json:
        click.echo(json.dumps(document(rows), indent=2))
    else:
        for line in [*lines(rows), summary(rows), f"page: {page}"]:
            click.echo(printable(line))
    if names := flagged(rows):
        raise CheckError(f"{folder}: {len(names)} hand-ins are flagged: {', '.join(names)}")
