"""``cifar-linear data``: install images, check them, look at them."""

from __future__ import annotations

import shlex
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cifar_linear.cli.doubts import doubts
from cifar_linear.cli.duplicates import duplicates
from cifar_linear.cli.import_folder import import_folder
from cifar_linear.cli.options import (
    PATH,
    PUBLISHED,
    config_option,
    data_dir_option,
    debug_option,
    example,
    figure_option,
    quiet_option,
    set_option,
    split_option,
)
from cifar_linear.cli.printing import printable

if TYPE_CHECKING:
    from cifar_linear.data.dataset import SplitName


@click.group(short_help="Get, check and look at the images.")
def data() -> None:
    """Install the images, check them, look at them and at their labels."""


data.add_command(doubts)
data.add_command(duplicates)
data.add_command(import_folder)

_dataset_argument = click.argument("dataset", type=click.Choice(PUBLISHED), default="cifar10")


@data.command(short_help="Download a published data set.", epilog=example("data download mnist --data-dir ~/data"))
@_dataset_argument
@data_dir_option
@click.option(
    "--mirror",
    "mirrors",
    multiple=True,
    envvar="CIFAR_LINEAR_MIRROR",
    show_envvar=True,
    metavar="URL",
    help="Address of a folder with the archives, instead of the known mirrors. May be repeated.",
)
@quiet_option
@debug_option
def download(dataset: str, data_dir: Path | None, mirrors: tuple[str, ...], quiet: bool) -> None:
    """Download CIFAR-10, CIFAR-100, MNIST or Fashion-MNIST from the first mirror that has it."""
    from cifar_linear.cli.progress import Progress
    from cifar_linear.data.download import DownloadListener, fetch
    from cifar_linear.data.install import install_dataset
    from cifar_linear.data.registry import PUBLICATIONS
    from cifar_linear.data.sources import default_folder

    for mirror in mirrors:
        if not mirror.startswith(("http://", "https://")):
            raise click.BadParameter(
                f"{mirror!r} is not an address that begins with http:// or https://", param_hint="--mirror"
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
        addresses = mirrors or publication.mirrors
        install_dataset(dataset, folder, lambda archive, to: fetch(archive, addresses, to, listener), say)
    _report(dataset, folder)


@data.command(
    name="import",
    short_help="Import archives you already have.",
    epilog=example("data import ~/Downloads/cifar-10-python.tar.gz"),
)
@click.argument("files", type=PATH, nargs=-1, required=True)
@data_dir_option
@click.option(
    "--unpublished",
    is_flag=True,
    help="Also read archives whose SHA-256 sum is not the published one; without it they are refused unread.",
)
@click.option(
    "--dataset",
    type=click.Choice(PUBLISHED),
    help="Which data set unpublished archives hold, if their names do not say it.",
)
@debug_option
def import_(files: tuple[Path, ...], data_dir: Path | None, unpublished: bool, dataset: str | None) -> None:
    """Install a data set from archives that you already have.

    FILES is cifar-10-python.tar.gz, cifar-100-python.tar.gz, or the four archives of MNIST or Fashion-MNIST. Published
    archives are known by their SHA-256 sums, whatever they are called. Archives that were packed again have other sums:
    with --unpublished they are read, and their files compared with the published ones.
    """
    from cifar_linear.data.install import install_dataset, recognize_archives
    from cifar_linear.data.sources import default_folder

    dataset, archives = recognize_archives(files, dataset, unpublished=unpublished)
    folder = data_dir or default_folder()
    install_dataset(dataset, folder, lambda archive, _: archives[archive.name], lambda text: click.echo(text, err=True))
    _report(dataset, folder)


@data.command(short_help="Check the images against the published.", epilog=example("data verify mnist --data-dir ."))
@_dataset_argument
@data_dir_option
@click.option("--strict", is_flag=True, help="Exit with code 5 unless every batch is as published.")
@debug_option
def verify(dataset: str, data_dir: Path | None, strict: bool) -> None:
    """Compare a data set with the published one.

    Every batch is read and compared byte for byte. Batches with other bytes are good data as long as they can be read;
    damaged or missing ones end in exit code 3.
    """
    from cifar_linear.data.sources import default_folder
    from cifar_linear.errors import CheckError

    folder = data_dir or default_folder()
    if not _report(dataset, folder) and strict:
        raise CheckError(f"{folder}: not every batch of {dataset} is as published")


def _report(dataset: str, folder: Path) -> bool:
    """Print the state of every batch; returns whether all are as published. Raises `DataError` if one is damaged."""
    from cifar_linear.data.install import verify as verified
    from cifar_linear.errors import DataError

    batches = verified(dataset, folder)
    for batch in batches:
        click.echo(printable(f"{batch.name:14}{batch.state}{batch.remark and f': {batch.remark}'}"))
    count, total = Counter(batch.state for batch in batches), len(batches)
    readable, published = total - count["damaged"], count["as published"]
    click.echo(f"{dataset} in {folder}: {readable} of {total} batches readable, {published} as published")
    if readable < total:
        raise DataError(
            f"{folder}: {total - readable} of {total} batches of {dataset} are damaged or missing; "
            f"to replace them: cifar-linear data download {dataset} --data-dir {shlex.quote(str(folder))}"
        )
    return published == total


@data.command(
    short_help="Draw images of a split.",
    epilog=example("data show --config configs/quickstart.yaml --augment --set augmentation.flip=0.5 -o images.png"),
)
@config_option(required=False)
@set_option
@data_dir_option
@split_option(default="train")
@click.option("--count", type=click.IntRange(1, 200), default=20, show_default=True, help="How many images.")
@click.option("--random", "at_random", is_flag=True, help="Random images, by the config's seed, not the first ones.")
@click.option("--augment", is_flag=True, help="Below each image, the same image augmented as the config says.")
@figure_option("images.png", "File")
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
    """Draw images of a split with their classes.

    They are the images of a config or, without one, generated ones.
    """
    from cifar_linear.config.reading import config_or_default
    from cifar_linear.experiments.loading import load_dataset
    from cifar_linear.experiments.samples import draw_images
    from cifar_linear.figures.style import format_of, rendered
    from cifar_linear.storage.atomic import write_whole

    config = config_or_default(config_path, overrides)
    figure = draw_images(config, load_dataset(config, data_dir), split, count, at_random, augment)
    write_whole(output, rendered(figure, format_of(output)))
    click.echo(f"images: {output}")
