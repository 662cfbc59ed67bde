"""``cifar-linear verify``: does a run give the same numbers again?"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cifar_linear.cli.options import PATH, data_dir_option, debug_option
from cifar_linear.cli.printing import printable
from cifar_linear.signals import SafeStop

if TYPE_CHECKING:
    from cifar_linear.training.evaluation import Evaluation


@click.command()
@click.argument("run", type=PATH)
@data_dir_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@click.option("--quiet", is_flag=True, help="No progress, only the result.")
@debug_option
def verify(run: Path, data_dir: Path | None, as_json: bool, quiet: bool) -> None:
    """Train a run again from its folder, compare weights and figures bit for bit, and say what differs."""
    from cifar_linear.cli.progress import Progress
    from cifar_linear.errors import CheckError
    from cifar_linear.experiments.assembly import load_dataset
    from cifar_linear.experiments.verify import recorded_run, verify_run
    from cifar_linear.runs.folder import RunFolder

    recorded = recorded_run(RunFolder(run))
    if recorded.record.status == "running":
        click.echo(
            "the run was killed; only its checkpoint is compared, --resume brings the other files to it", err=True
        )
    dataset = load_dataset(recorded.config, data_dir)
    with Progress(recorded.config.epochs, quiet) as progress, SafeStop() as stop:

        def watch(evaluation: Evaluation) -> None:
            progress.show(evaluation.epoch, "")

        verification = verify_run(recorded, dataset, watch, stop.check)
    if as_json:
        told = {"confirmed": verification.confirmed, "epoch": verification.epoch, "changes": verification.changes}
        parts = {comparison.part: comparison.difference for comparison in verification.comparisons}
        click.echo(json.dumps({"run": str(run), **told, "differences": parts}, indent=2))
    else:
        for part, difference in verification.comparisons:
            click.echo(printable(f"{part:28}{difference or 'the same, bit for bit'}"))
    if not verification.confirmed:
        changes = "; ".join(verification.changes) or "data, versions, BLAS, its threads and the code are as they were"
        raise CheckError(f"{run}: gives other numbers, up to epoch {verification.epoch}. Then and now: {changes}")
    if not as_json:
        click.echo(f"confirmed up to epoch {verification.epoch}")
