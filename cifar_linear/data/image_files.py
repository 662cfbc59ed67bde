"""Reading pictures of any size as images of a data set."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from cifar_linear.arrays import Images
from cifar_linear.errors import ConfigError, DataError

_LARGEST = 50_000_000
"""Pixels; what a camera makes, but not what a bomb unpacks to."""
_TURNED = (5, 6, 7, 8)
"""Values of the EXIF orientation that exchange width and height."""
_OTHER_FORMATS = {
    "GIF": rb"GIF8",
    "BMP": rb"BM",
    "TIFF": rb"II\*\0|MM\0\*",
    "WEBP": rb"RIFF....WEBP",
    "HEIC or AVIF": rb"....ftyp",
}
"""How files begin that are refused by the name of their format."""


def read_picture(path: Path, image_shape: tuple[int, ...]) -> Images:
    """Read a PNG or JPEG as an image of a data set.

    The picture is turned upright, put on white where it is transparent, and squeezed to the size of the images.

    Args:
        path: of the file.
        image_shape: (channels, height, width) of the data set's images; one channel makes the picture grey.

    Returns:
        One channel-major row of 0 to 255, (d,). Of 16 bits per channel the upper 8 are kept.

    Raises:
        DataError: the file is not a whole PNG or JPEG of at most 50 million pixels.
    """
    with _no_warnings():
        return _read(path, image_shape, squeeze=True)


def read_pictures(paths: Sequence[Path], image_shape: tuple[int, ...], *, squeeze: bool) -> list[Images | DataError]:
    """Read pictures as `read_picture` does, several at once.

    Args:
        paths: of the files.
        image_shape: (channels, height, width) of the images.
        squeeze: whether a picture of another size is squeezed to that of the images; otherwise it is refused.

    Returns:
        A row for each picture, or the error that says why it cannot be read.

    Raises:
        ConfigError: a picture has another size, and must not be squeezed.
    """

    def read(path: Path) -> Images | DataError:
        try:
            return _read(path, image_shape, squeeze)
        except DataError as error:
            return error

    with _no_warnings(), ThreadPoolExecutor() as threads:
        return list(threads.map(read, paths))


def picture_size(path: Path) -> tuple[int, int]:
    """Return the width and height of a PNG or JPEG as it is read, upright; only the header is read.

    Raises `DataError` if the file has no such header.
    """
    with _no_warnings(), _opened(path) as picture:
        width, height = picture.size
        return (height, width) if picture.getexif().get(ExifTags.Base.Orientation) in _TURNED else (width, height)


def _no_warnings() -> warnings.catch_warnings[None]:
    """Keep Pillow from warning of large pictures on stderr, which our own limit says better; not for use in threads."""
    return warnings.catch_warnings(action="ignore", category=Image.DecompressionBombWarning)


def _read(path: Path, image_shape: tuple[int, ...], squeeze: bool) -> Images:
    channels, height, width = image_shape
    with _opened(path) as picture:
        upright = _on_white(ImageOps.exif_transpose(picture)).convert("RGB" if channels == 3 else "L")
    if upright.size != (width, height):
        if not squeeze:
            raise ConfigError(
                f"{path}: {upright.width} x {upright.height} pixels, but the pictures before it have "
                f"{width} x {height}: give all of them one size with --size, such as --size {width}x{height}"
            )
        upright = upright.resize((width, height), Image.Resampling.LANCZOS)
    pixels = np.asarray(upright, np.uint8).reshape(height, width, channels)
    return pixels.transpose(2, 0, 1).reshape(-1)


@contextmanager
def _opened(path: Path) -> Iterator[Image.Image]:
    """Open a picture, and raise `DataError` for whatever is wrong with it then or in the block."""
    try:
        with Image.open(path, formats=["PNG", "JPEG"]) as picture:
            if picture.width * picture.height > _LARGEST:
                raise DataError(f"{path}: {picture.width} x {picture.height} pixels; at most {_LARGEST} are read")
            yield picture
    except UnidentifiedImageError as error:
        raise DataError(f"{path}: {_kind(path)}; only PNG and JPEG are read") from error
    except OSError as error:  # what Pillow raises for a file that is missing, of another kind, or cut off
        reason = error.strerror or "not a whole PNG or JPEG picture"
        raise DataError(f"{path}: cannot be read: {reason}") from error
    except (ValueError, SyntaxError, Image.DecompressionBombError) as error:  # and for a damaged one
        raise DataError(f"{path}: not a whole PNG or JPEG picture: {error}") from error


def _kind(path: Path) -> str:
    """What a file that is neither PNG nor JPEG is instead."""
    with path.open("rb") as file:
        start = file.read(16)
    known = [kind for kind, pattern in _OTHER_FORMATS.items() if re.match(pattern, start, re.DOTALL)]
    return f"a {known[0]} picture" if known else "not a picture of a known format"


def _on_white(picture: Image.Image) -> Image.Image:
    """The picture in eight bits per channel, with white behind what is transparent."""
    if picture.mode.startswith("I"):  # grey of sixteen bits, which Pillow would clip
        return Image.fromarray((np.asarray(picture).astype(np.int64) >> 8).astype(np.uint8))
    if not picture.has_transparency_data:
        return picture
    white = Image.new("RGBA", picture.size, "white")
    return Image.alpha_composite(white, picture.convert("RGBA"))
