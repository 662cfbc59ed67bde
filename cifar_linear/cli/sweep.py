"""``cifar-linear sweep``: a grid becomes run folders, a table, and a choice."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cifar_linear.cli.command_lines import written
from cifar_linear.cli.options import (
    Output,
    config_source,
    data_dir_option,
    debug_option,
    example,
    name_option,
    output_options,
    runs_dir_option,
    seeds_option,
    set_option,
)
from cifar_linear.cli.sweep_output import ClusterOptions, run_and_print
from cifar_linear.wording import counted, duration

if TYPE_CHECKING:
    from cifar_linear.sweep.plan import Plan


@click.command(short_help="Train a grid of settings and choose one.", epilog=example("sweep grid.yaml -q --no-figures"))
@config_source(
    "The sweep, a YAML file with base and grid; - for standard input. Also as an argument.",
    "a YAML file with base and grid",
)
@set_option
@data_dir_option
@runs_dir_option
@name_option("Name of the sweep's folder; the same name continues it.  [default: the file's]")
@seeds_option
@click.option("--plan", "--dry-run", "plan", is_flag=True, help="Print cells and estimated time; train nothing.")
@click.option("-j", "--workers", type=click.IntRange(min=1), metavar="N", help="Groups to train at once.  [default: 1]")
@click.option("--scheduler", metavar="ADDRESS", help="Train on a dask cluster; local starts one here.")
@click.option("--insecure", is_flag=True, help="Let tcp:// to a scheduler leave this machine, without encryption.")
@click.option(
    "--shard", metavar="I/N", help="Train share I of N first, then what others have left; auto in a SLURM array."
)
@click.option("--sbatch", is_flag=True, help="Print a SLURM script that trains the sweep as an array; train nothing.")
@click.option("--retry-failed", is_flag=True, help="Train failed cells again.")
@click.option("--with-test", is_flag=True, help="Evaluate every setting on the test set, not only the selected one.")
@output_options("Print one JSON document.")
@debug_option
def sweep(
    config_path: Path,
    overrides: tuple[str, ...],
    data_dir: Path | None,
    runs_dir: Path,
    name: str | None,
    seeds: int | None,
    plan: bool,
    workers: int | None,
    scheduler: str | None,
    insecure: bool,
    shard: str | None,
    sbatch: bool,
    retry_failed: bool,
    with_test: bool,
    output: Output,
) -> None:
    """Train all cells of a grid, in one pass where they can share it, and choose one by its validation metric.

    A second call trains only what is missing.
    """
    from cifar_linear.config.sweeps import read_sweep
    from cifar_linear.experiments.dataset_cache import DatasetCache
    from cifar_linear.experiments.jobs import chosen_name
    from cifar_linear.sweep.folder import SweepFolder
    from cifar_linear.sweep.plan import plan_sweep
    from cifar_linear.sweep.shards import read_shard
    from cifar_linear.sweep.slurm import array_script

    if sbatch and str(config_path) == "-":
        raise click.UsageError("--sbatch needs a file, which every job reads; found standard input")
    share = read_shard(shard, os.environ) if shard else None
    wanted, images = read_sweep(config_path, overrides, seeds), DatasetCache(data_dir)
    path = runs_dir / chosen_name(name, config_path)
    if plan or sbatch:
        planned = plan_sweep(wanted, SweepFolder(path), images, retry_failed)
    cluster = ClusterOptions(scheduler, insecure) if scheduler else None
    if sbatch:
        options = {
            "runs_dir": runs_dir.resolve(),
            "name": path.name,
            "data_dir": data_dir and data_dir.resolve(),
            "seeds": seeds,
            "workers": workers,
            "retry_failed": retry_failed,
            "with_test": with_test,
        }
        words = [*_started(config_path, overrides), *written(options)]
        click.echo(array_script(planned, words, workers or 1), nl=False)
    elif plan:
        click.echo(json.dumps(planned.to_tree(), indent=2) if output.as_json else "\n".join(_plan_lines(planned)))
    else:
        run_and_print(wanted, path, images, output, workers, cluster, share, retry_failed, with_test)


def _started(config_path: Path, overrides: Sequence[str]) -> list[str]:
    """The command in the words of any folder and any shell: Python by its path, and the file as well."""
    sets = [word for override in overrides for word in ("--set", override)]
    return [sys.executable, "-m", "cifar_linear", "sweep", "--config", str(config_path.resolve()), *sets]


def _plan_lines(plan: Plan) -> Iterator[str]:
    """Each group with its cells, then what there is to do in all."""
    from cifar_linear.config.formatting import as_text

    for number, (group, seconds) in enumerate(plan.groups, start=1):
        length = counted(group[0].config.length, group[0].config.unit)
        yield f"group {number}: {counted(len(group), 'run')}, {length}, about {duration(seconds)}"
        yield from (f"  {as_text(cell.settings) or 'the base as it is'}" for cell in group)
    wanted = sum(len(group) for group, _ in plan.groups)
    total = duration(sum(seconds for _, seconds in plan.groups))
    yield f"{counted(plan.there + wanted, 'cell')}, {plan.there} of them already done"
    yield f"{wanted} to run; groups: {len(plan.groups)}, one after another about {total}"
