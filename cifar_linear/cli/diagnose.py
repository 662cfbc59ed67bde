"""``cifar-linear diagnose``: what the numbers of a run, or of a config, say."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import click

from cifar_linear.cli.options import config_option, data_dir_option, debug_option, runs_dir_option, set_option


@click.command(short_help="Say what is wrong with a run, or will be.")
@click.argument("run", metavar="[RUN]", required=False)
@runs_dir_option
@config_option(required=False, text="A config that has not been trained yet, instead of RUN.")
@set_option
@data_dir_option
@click.option("--json", "as_json", is_flag=True, help="Print the numbers as JSON.")
@debug_option
def diagnose(
    run: str | None,
    runs_dir: Path,
    config_path: Path | None,
    overrides: tuple[str, ...],
    data_dir: Path | None,
    as_json: bool,
) -> None:
    """Compare eta with the largest stable rate, and look for noise, saturation, over-fitting and unfinished training.

    Each sentence has a number behind it; a run of which nothing can be said gets none.

    RUN is the path of a run folder, the name of a run in --runs-dir, sweep/cell, or last.
    """
    from cifar_linear.config.reading import read_config
    from cifar_linear.experiments.diagnosis import facts_after, facts_before, sentences, stable_rate
    from cifar_linear.experiments.loading import load_dataset
    from cifar_linear.runs.discovery import find_run
    from cifar_linear.runs.folder import RunFolder

    if (run is None) == (config_path is None):
        raise click.UsageError("RUN is diagnosed after, --config before a training; give one of them")
    if run is not None and overrides:
        raise click.UsageError("--set belongs to --config: a run is as it is")
    if config_path is not None:
        config = read_config(config_path, overrides)
        facts = facts_before(config, load_dataset(config, data_dir))
    else:
        folder = RunFolder(find_run(runs_dir, str(run)))
        facts = facts_after(folder, load_dataset(folder.config(), data_dir))
    if as_json:
        click.echo(json.dumps(asdict(facts), indent=2))
        return
    click.echo(f"largest stable rate at the start: {stable_rate(facts.curvature_at_start):.3g}; eta is {facts.eta:g}")
    for sentence in sentences(facts):
        click.echo(sentence)
