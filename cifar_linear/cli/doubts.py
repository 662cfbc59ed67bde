"""``cifar-linear data doubts``: which labels does a config's own model doubt?"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cifar_linear.cli.options import (
    config_source,
    data_dir_option,
    debug_option,
    example,
    figure_option,
    quiet_option,
    set_option,
)
from cifar_linear.cli.printing import printable
from cifar_linear.signals import SafeStop

if TYPE_CHECKING:
    from cifar_linear.training.evaluation import Evaluation


@click.command(
    short_help="Find labels that a config's model doubts.",
    epilog=example("data doubts configs/quickstart.yaml -s data.images_per_batch=100 -s epochs=5 --flip 0.1 -q"),
)
@config_source(
    "The experiment whose model and training images are used, a YAML file. Also as an argument.", "a YAML file"
)
@set_option
@data_dir_option
@click.option("--folds", type=click.IntRange(2, 20), default=5, show_default=True, help="In how many parts to split.")
@click.option("--count", type=click.IntRange(1, 200), default=50, show_default=True, help="How many images to draw.")
@click.option(
    "--flip",
    type=click.FloatRange(0, 0.5, max_open=True),
    default=0.0,
    metavar="PART",
    help="Make this part of the labels wrong first, and say how many of these are found.",
)
@figure_option("doubts.png", "Sheet", "; the table is written beside it, as .csv")
@click.option("--json", "as_json", is_flag=True, help="Print numbers and table as one JSON document.")
@quiet_option
@debug_option
def doubts(
    config_path: Path,
    overrides: tuple[str, ...],
    data_dir: Path | None,
    folds: int,
    count: int,
    flip: float,
    output: Path,
    as_json: bool,
    quiet: bool,
) -> None:
    """Find the training images whose labels a model doubts that was trained without them.

    The config is trained once for each fold, all folds in one pass over the images. Confident learning compares their
    probabilities with the labels. The table has every doubted label, the sheet the strongest doubts; they are for
    looking at, not for deleting. `evaluate --split train --without` takes the table.
    """
    from cifar_linear.cli.progress import Progress
    from cifar_linear.config.reading import read_config
    from cifar_linear.experiments.doubts import COLUMNS, draw_doubts, find_doubts, sentences
    from cifar_linear.experiments.loading import load_dataset
    from cifar_linear.figures.style import format_of, rendered
    from cifar_linear.storage.atomic import write_whole
    from cifar_linear.storage.csv_tables import rows_as_csv

    config = read_config(config_path, overrides)
    dataset, unit = load_dataset(config, data_dir), config.unit
    with Progress(config.length, quiet, unit=unit) as progress, SafeStop() as stop:

        def watch(evaluation: Evaluation) -> None:
            progress.show(evaluation.reached(unit), f"{folds} folds")

        found = find_doubts(config, dataset, folds, flip, watch, stop.check)
    rows, table = found.rows(), output.with_suffix(".csv")
    write_whole(table, rows_as_csv(rows, (*COLUMNS, *["flipped"] * bool(flip))).encode())
    if rows:
        write_whole(output, rendered(draw_doubts(found, count, dataset.image_shape), format_of(output)))
    if as_json:
        numbers = {"images": len(found.labels), "folds": folds, "accuracy": found.accuracy, "found": found.found}
        click.echo(json.dumps({**numbers, "doubts": rows}, indent=2))
        return
    for sentence in sentences(found):
        click.echo(sentence)
    click.echo(printable(f"table: {table}" + (f", sheet: {output}" if rows else "")))
