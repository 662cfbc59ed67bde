"""``cifar-linear data import-folder``: folders of pictures become arrays."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from cifar_linear.cli.options import PATH, debug_option, example, quiet_option
from cifar_linear.cli.printing import printable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cifar_linear.data.image_folder import Imported

_LARGEST_SIDE = 4096


def _size(_ctx: click.Context, _param: click.Parameter, value: str | None) -> tuple[int, int] | None:
    """Width and height, from two numbers or one for both."""
    if value is None:
        return None
    sides = value.lower().split("x")
    if len(sides) > 2 or not all(side.isdecimal() and 1 <= int(side) <= _LARGEST_SIDE for side in sides):
        raise click.BadParameter(f"{value!r} is not a size such as 64 or 64x48, of 1 to {_LARGEST_SIDE} pixels a side")
    return int(sides[0]), int(sides[-1])


@click.command(
    name="import-folder",
    short_help="Turn folders of pictures into arrays.",
    epilog=example("data import-folder pictures -o colours --size 16"),
)
@click.argument("folder", type=PATH)
@click.option("-o", "--output", "out", type=PATH, required=True, metavar="DIR", help="A new folder for the arrays.")
@click.option(
    "--size",
    callback=_size,
    metavar="WIDTHxHEIGHT",
    help="Size of the images, such as 64x48, or 64 for both; needed if the pictures differ.",
)
@click.option("--grey", is_flag=True, help="One channel instead of three.")
@click.option("--skip-broken", is_flag=True, help="Leave out pictures that cannot be read; without it none is written.")
@quiet_option
@debug_option
def import_folder(
    folder: Path, out: Path, size: tuple[int, int] | None, grey: bool, skip_broken: bool, quiet: bool
) -> None:
    """Turn folders of pictures, one for each class, into arrays to train on.

    FOLDER holds a folder for each class, with PNG and JPEG files in it. They are turned upright, put on white where
    they are transparent, squeezed to --size, and written as images.npy; labels.npy has the names of their classes, and
    files.csv the file of each row. What is printed at the end is the part of a config that reads them.
    """
    from cifar_linear.cli.progress import Progress
    from cifar_linear.data.image_folder import ImportListener, find_pictures
    from cifar_linear.data.image_folder import import_folder as import_pictures

    found = find_pictures(folder)
    with Progress(len(found.pictures), quiet, unit="picture") as progress:
        listener = ImportListener(progress.say, lambda done: progress.show(done, ""))
        imported = import_pictures(found, out, size, listener, grey=grey, skip_broken=skip_broken)
    _say_what_is_missing(imported.left_out, found.others)
    _print_what_is_there(imported, out)


def _say_what_is_missing(left_out: int, others: Mapping[str, int]) -> None:
    if left_out:
        click.echo(f"left out: {left_out} pictures that cannot be read", err=True)
    if others:
        endings = ", ".join(ending or "none" for ending in sorted(others))
        count = sum(others.values())
        click.echo(printable(f"passed over: {count} files that are not called .png or .jpg ({endings})"), err=True)


def _print_what_is_there(imported: Imported, out: Path) -> None:
    """Print the classes, and the config that reads them."""
    from cifar_linear.config.yaml_tree import as_yaml
    from cifar_linear.data.image_folder import IMAGES, LABELS

    for name, count in imported.images.items():
        click.echo(printable(f"{count:8}  {name}"))
    total, (channels, height, width) = sum(imported.images.values()), imported.image_shape
    classes = len(imported.images)
    click.echo(printable(f"{total} images of {classes} classes, {channels} x {height} x {width}, in {out}"))
    # Complete paths: others would begin at the data folder, if there is one.
    files = {"features": str(out.resolve() / IMAGES), "labels": str(out.resolve() / LABELS)}
    data = {
        "dataset": "features",
        "train": files,
        "validation": {"size": max(1, total // 10)},
        "class_names": list(imported.images),
        "image_shape": list(imported.image_shape),
    }
    click.echo(f"\n{as_yaml({'data': data}, flow=None)}", nl=False)
