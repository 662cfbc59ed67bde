"""``cifar-linear data``: the images themselves, how they come and what they look like."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from cifar_linear.cli.options import (
    PATH,
    config_option,
    data_dir_option,
    debug_option,
    quiet_option,
    set_option,
    split_option,
)

if TYPE_CHECKING:
    from cifar_linear.data.dataset import SplitName


@click.group(short_help="Get, check and look at the images.")
def data() -> None:
    """Bring the images, check them, look at them."""


_dataset_argument = click.argument("dataset", type=click.Choice(["cifar10", "mnist"]), default="cifar10")


@data.command(short_help="Download CIFAR-10 or MNIST.")
@_dataset_argument
@data_dir_option
@click.option(
    "--mirror",
    "mirrors",
    multiple=True,
    envvar="CIFAR_LINEAR_MIRROR",
    show_envvar=True,
    metavar="URL",
    help="A folder on the net with the archives, instead of those known. May be repeated.",
)
@quiet_option
@debug_option
def download(dataset: str, data_dir: Path | None, mirrors: tuple[str, ...], quiet: bool) -> None:
    """Download a data set, CIFAR-10 or MNIST, from the first of several mirrors that has it."""
    from cifar_linear.cli.progress import Progress
    from cifar_linear.data.download import DownloadListener, fetch
    from cifar_linear.data.install import bring
    from cifar_linear.data.registry import PUBLICATIONS
    from cifar_linear.data.sources import default_folder

    for mirror in mirrors:
        if not mirror.startswith(("http://", "https://")):
            raise click.BadParameter(
                f"{mirror!r} is no address that begins with http:// or https://", param_hint="--mirror"
            )
    publication, folder = PUBLICATIONS[dataset], data_dir or default_folder()
    received: dict[str, int] = {}
    with Progress(sum(archive.size for archive in publication.archives), quiet, unit="B") as progress:

        def show(name: str, size: int) -> None:
            received[name] = size
            progress.show(sum(received.values()), name)

        def say(text: str) -> None:
            if not quiet:
                progress.say(text)

        listener = DownloadListener(say, show)
        bring(dataset, folder, lambda archive, to: fetch(archive, mirrors or publication.mirrors, to, listener), say)
    _tell(dataset, folder)


@data.command(name="import", short_help="Import archives you already have.")
@click.argument("files", type=PATH, nargs=-1, required=True)
@data_dir_option
@click.option("--unpublished", is_flag=True, help="Take images that are not the published ones, if they can be read.")
@debug_option
def import_(files: tuple[Path, ...], data_dir: Path | None, unpublished: bool) -> None:
    """Unpack the publisher's archives that came in another way: cifar-10-python.tar.gz, or the four of MNIST."""
    from cifar_linear.data.install import archives_in, bring
    from cifar_linear.data.sources import default_folder

    dataset, archives = archives_in(files)
    folder = data_dir or default_folder()
    bring(
        dataset, folder, lambda archive, _: archives[archive.name], lambda text: click.echo(text, err=True), unpublished
    )
    _tell(dataset, folder)


@data.command(short_help="Check the images against the published.")
@_dataset_argument
@data_dir_option
@debug_option
def verify(dataset: str, data_dir: Path | None) -> None:
    """Read all batches of a data set, and say which are, byte for byte, the published ones."""
    from cifar_linear.data.sources import default_folder

    _tell(dataset, data_dir or default_folder())


def _tell(dataset: str, folder: Path) -> None:
    """The batches that are there; raises `DataError` if one is damaged."""
    from cifar_linear.data.install import verify as verified
    from cifar_linear.errors import DataError

    batches = verified(dataset, folder)
    for batch in batches:
        click.echo(f"{batch.name:14}{batch.state}{batch.remark and f': {batch.remark}'}")
    damaged = [batch.name for batch in batches if batch.state == "damaged"]
    if damaged:
        raise DataError(f"{folder}: {len(damaged)} of {len(batches)} batches of {dataset} cannot be used")
    click.echo(f"{dataset} is complete in {folder}")


@data.command(short_help="Draw images of a split.")
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
    from cifar_linear.experiments.assembly import load_dataset
    from cifar_linear.experiments.samples import draw_images
    from cifar_linear.figures.style import format_of, rendered
    from cifar_linear.storage.atomic import write_whole

    form = format_of(output)
    config = config_or_default(config_path, overrides)
    figure = draw_images(config, load_dataset(config, data_dir), split, count, at_random, augment)
    write_whole(output, rendered(figure, form))
    click.echo(f"images: {output}")
