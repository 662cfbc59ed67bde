"""``cifar-linear data duplicates``: test images that the training images contain already."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cifar_linear.cli.options import config_source, data_dir_option, debug_option, example, figure_option, set_option
from cifar_linear.cli.printing import printable
from cifar_linear.wording import counted

if TYPE_CHECKING:
    from cifar_linear.data.dataset import SplitName


@click.command(
    short_help="Find test images that are training images.",
    epilog=example("data duplicates configs/quickstart.yaml -s data.images_per_batch=100"),
)
@config_source("The experiment whose images are compared, a YAML file. Also as an argument.", "a YAML file")
@set_option
@data_dir_option
@click.option(
    "--split",
    type=click.Choice(["validation", "test"]),
    default="test",
    show_default=True,
    help="Which images to look for among the training images.",
)
@click.option(
    "--threshold",
    type=click.FloatRange(0, 1, min_open=True),
    default=0.65,
    show_default=True,
    help="The least correlation of edges in a pair; 1 is the same picture.",
)
@click.option("--count", type=click.IntRange(1, 100), default=25, show_default=True, help="How many pairs to draw.")
@figure_option("duplicates.png", "Figure", "; the table is written beside it, as .csv")
@click.option("--json", "as_json", is_flag=True, help="Print the table as JSON.")
@debug_option
def duplicates(
    config_path: Path,
    overrides: tuple[str, ...],
    data_dir: Path | None,
    split: SplitName,
    threshold: float,
    count: int,
    output: Path,
    as_json: bool,
) -> None:
    """Find images of a split that are nearly the same as a training image.

    Pictures with other brightness or colours, moved by a pixel or mirrored are found. Look at the pairs: what is
    nearly the same is a matter of the threshold. `evaluate --without` takes the table.
    """
    from cifar_linear.config.reading import read_config
    from cifar_linear.experiments.duplicates import OTHERS, draw_duplicates, find_duplicates, rows
    from cifar_linear.experiments.loading import load_dataset
    from cifar_linear.figures.style import format_of, rendered
    from cifar_linear.storage.atomic import write_whole
    from cifar_linear.storage.csv_tables import rows_as_csv

    dataset = load_dataset(read_config(config_path, overrides), data_dir)
    pairs = find_duplicates(dataset, split, threshold)
    table, found = output.with_suffix(".csv"), rows(pairs, dataset, split)
    write_whole(table, rows_as_csv(found, (split, *OTHERS)).encode())
    if found:
        write_whole(output, rendered(draw_duplicates(pairs, dataset, split, count), format_of(output)))
    if as_json:
        click.echo(json.dumps({"split": split, "images": len(dataset.splits[split]), "pairs": found}, indent=2))
        return
    differing = sum(row["label"] != row["train_label"] for row in found)
    images = counted(len(dataset.splits[split]), f"{split} image")
    click.echo(f"{len(found)} of {images} are nearly the same as a training image, {differing} with another label")
    click.echo(printable(f"table: {table}" + (f", pairs: {output}" if found else "")))
