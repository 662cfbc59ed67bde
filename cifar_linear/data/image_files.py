"""Pictures from outside, brought into the form of a data set."""

import warnings
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from cifar_linear.arrays import Images
from cifar_linear.errors import DataError

_LARGEST = 50_000_000
"""Pixels; what a camera makes, but not what a bomb unpacks to."""


def read_picture(path: Path, image_shape: tuple[int, ...]) -> Images:
    """A PNG or JPEG as one channel-major row (d,) of 0 to 255, squeezed to the height and width of ``image_shape``.

    Raises `DataError` for anything that is not a whole picture of at most 50 million pixels.
    """
    channels, height, width = image_shape
    try:
        # Pillow warns of large pictures on stderr; the limit below says it better.
        with (
            warnings.catch_warnings(action="ignore", category=Image.DecompressionBombWarning),
            Image.open(path, formats=["PNG", "JPEG"]) as picture,
        ):
            if picture.width * picture.height > _LARGEST:
                raise DataError(f"{path}: {picture.width} x {picture.height} pixels; at most {_LARGEST} are read")
            upright = _on_white(ImageOps.exif_transpose(picture)).convert("RGB" if channels == 3 else "L")
    except OSError as error:  # what Pillow raises for a file that is missing, of another kind, or cut off
        reason = error.strerror or "not a whole PNG or JPEG picture"
        raise DataError(f"{path}: cannot be read: {reason}") from error
    except (ValueError, SyntaxError, Image.DecompressionBombError) as error:  # and for a damaged one
        raise DataError(f"{path}: not a whole PNG or JPEG picture: {error}") from error
    if upright.size != (width, height):
        upright = upright.resize((width, height), Image.Resampling.LANCZOS)
    pixels = np.asarray(upright, np.uint8).reshape(height, width, channels)
    return pixels.transpose(2, 0, 1).reshape(-1)


def _on_white(picture: Image.Image) -> Image.Image:
    """The picture in eight bits per channel, with white behind what is transparent."""
    if picture.mode.startswith("I"):  # grey of sixteen bits, which Pillow would clip
        return Image.fromarray((np.asarray(picture).astype(np.int64) >> 8).astype(np.uint8))
    if not picture.has_transparency_data:
        return picture
    white = Image.new("RGBA", picture.size, "white")
    return Image.alpha_composite(white, picture.convert("RGBA"))
