"""``cifar-linear data``: the images themselves."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from cifar_linear.cli.options import PATH, config_option, data_dir_option, debug_option, set_option, split_option

if TYPE_CHECKING:
    from cifar_linear.data.dataset import SplitName


@click.group()
def data() -> None:
    """Look at the images that a config trains on."""


@data.command()
@config_option(required=False)
@set_option
@data_dir_option
@split_option(default="train")
@click.option("--count", type=click.IntRange(1, 200), default=20, show_default=True, help="How many images.")
@click.option("--random", "at_random", is_flag=True, help="Random images, by the config's seed, not the first ones.")
@click.option("--augment", is_flag=True, help="Below each image, what the config's augmentation makes of it.")
@click.option(
    "-o",
    "--output",
    type=PATH,
    default="images.png",
    show_default=True,
    metavar="FILE",
    help="Where the picture goes: .png, .pdf or .svg.",
)
@debug_option
def show(
    config_path: Path | None,
    overrides: tuple[str, ...],
    data_dir: Path | None,
    split: SplitName,
    count: int,
    at_random: bool,
    augment: bool,
    output: Path,
) -> None:
    """Draw images of a split with their classes, of a config or, without one, generated ones."""
    from cifar_linear.config.reading import config_or_default
    from cifar_linear.data_figure import draw_images
    from cifar_linear.figures.style import format_of, rendered
    from cifar_linear.files import write_whole
    from cifar_linear.unpacking import load_dataset

    form = format_of(output)
    config = config_or_default(config_path, overrides)
    figure = draw_images(config, load_dataset(config, data_dir), split, count, at_random, augment)
    write_whole(output, rendered(figure, form))
    click.echo(f"images: {output}")
