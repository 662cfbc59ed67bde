"""Random flips and shifts of images, drawn afresh for each image each time it is met."""

import numpy as np

from cifar_linear.arrays import Bools, Images, Integers, Labels
from cifar_linear.randomness import Purpose, rng_for


class Augmentation:
    """Left-right flips, and shifts that repeat the edge, of uint8 images (n, d) with d = channels * height * width.

    What happens to an image in an epoch follows from seed, epoch and the image's index, not from the order or the size
    of batches. The images of the data set are never touched: batches are copies.
    """

    def __init__(self, image_shape: tuple[int, ...], *, flip: float, shift: int, seed: int) -> None:
        """``flip`` is the probability of a flip, ``shift`` the most pixels that an image moves each way."""
        self._shape, self._flip, self._shift, self._seed = image_shape, flip, shift, seed
        self._rows = _source_rows(image_shape, shift)

    def draw(self, epoch: int, images: int) -> tuple[Bools, Integers]:
        """For each image of an epoch whether it is flipped, (n,), and by how much it moves down and right, (2, n)."""
        rng = rng_for(self._seed, Purpose.AUGMENTATION, epoch)
        return rng.random(images) < self._flip, rng.integers(-self._shift, self._shift + 1, (2, images))

    def apply(self, images: Images, flipped: Bools, moved: Integers) -> None:
        """Flip and then move each image (n, d) as drawn for it, in place."""
        if self._flip:
            rows = images.reshape(len(images), -1, self._shape[2])
            rows[flipped] = rows[flipped][:, :, ::-1]
        if self._shift:
            self._move(images, moved)

    def _move(self, images: Images, moved: Integers) -> None:
        """Every row of pixels of the result is a stretch of one row of the image, lengthened at both ends."""
        channels, height, width = self._shape
        long = np.pad(
            images.reshape(len(images), channels * height, width), ((0, 0), (0, 0), (self._shift,) * 2), mode="edge"
        )
        # Any stretch of ``width`` bytes as one item, wherever it begins: a row is copied at once, not pixel by pixel.
        stretches = np.ndarray(long.size - width + 1, f"V{width}", long, strides=(1,))
        down, right = moved
        first_row = np.arange(len(images))[:, None] * channels * height
        starts = (first_row + self._rows[down + self._shift]) * long.shape[2] + (self._shift - right)[:, None]
        images[...] = stretches[starts].view(np.uint8).reshape(images.shape)


def _source_rows(image_shape: tuple[int, ...], shift: int) -> Labels:
    """For each move down, from -shift to shift, which row each row of the result comes from, (2 shift + 1, c * h)."""
    channels, height, _ = image_shape
    moves = np.arange(-shift, shift + 1)
    within = np.clip(np.arange(height) - moves[:, None], 0, height - 1)
    rows: Labels = np.arange(channels)[:, None] * height + within[:, None, :]
    return rows.reshape(len(moves), -1)
