"""``cifar-linear verify``: is a run reproduced to the last bit?"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cifar_linear.cli.options import data_dir_option, debug_option, example, quiet_option, run_argument
from cifar_linear.cli.printing import printable
from cifar_linear.signals import SafeStop

if TYPE_CHECKING:
    from cifar_linear.training.evaluation import Evaluation


@click.command(short_help="Train a run again, compare bit for bit.", epilog=example("verify mine -q"))
@run_argument
@data_dir_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@quiet_option
@debug_option
def verify(run: Path, data_dir: Path | None, as_json: bool, quiet: bool) -> None:
    """Train a run again from its folder, compare weights and metrics bit for bit, and report what differs.

    RUN is the path of a run folder, the name of a run in --runs-dir, sweep/cell, or last.
    """
    from cifar_linear.cli.progress import Progress
    from cifar_linear.errors import CheckError
    from cifar_linear.experiments.loading import load_dataset
    from cifar_linear.experiments.verify import recorded_run, verify_run
    from cifar_linear.runs.folder import RunFolder

    recorded = recorded_run(RunFolder(run))
    if recorded.record.status == "running":
        click.echo(
            "the run was killed: only its checkpoint is compared; train --resume completes the other files", err=True
        )
    dataset = load_dataset(recorded.config, data_dir)
    with Progress(recorded.config.length, quiet, recorded.config.unit) as progress, SafeStop() as stop:

        def watch(evaluation: Evaluation) -> None:
            progress.show(evaluation.reached(recorded.config.unit), "")

        verification = verify_run(recorded, dataset, watch, stop.check)
    if as_json:
        outcome = {"confirmed": verification.confirmed, "epoch": verification.epoch, "changes": verification.changes}
        parts = {comparison.part: comparison.difference for comparison in verification.comparisons}
        click.echo(json.dumps({"run": str(run), **outcome, "differences": parts}, indent=2))
    else:
        for part, difference in verification.comparisons:
            click.echo(printable(f"{part:28}{difference or 'the same, bit for bit'}"))
    if not verification.confirmed:
        changes = "; ".join(verification.changes) or "data, versions, BLAS, threads and code are unchanged"
        raise CheckError(f"{run}: not reproduced (compared up to epoch {verification.epoch}); {changes}")
    if not as_json:
        click.echo(f"confirmed up to epoch {verification.epoch}")
