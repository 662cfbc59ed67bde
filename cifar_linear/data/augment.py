"""Random flips and shifts of images, drawn again for each image in each epoch."""

import numpy as np

from cifar_linear.arrays import Bools, Images, Integers, Labels
from cifar_linear.randomness import Purpose, rng_for


class Augmentation:
    """Left-right flips, and shifts that repeat the edge, of uint8 images (n, d) with d = channels * height * width.

    The augmentation of an image depends on seed, epoch and the image's index, not on the order or the size of batches.
    The images of the data set are never changed: batches are copies.

    Args:
        image_shape: (channels, height, width).
        flip: the probability of a flip, 0 to 1.
        shift: the largest number of pixels by which an image moves in each direction.
        seed: of the experiment.
    """

    def __init__(self, image_shape: tuple[int, ...], *, flip: float, shift: int, seed: int) -> None:
        self._shape, self._flip, self._shift, self._seed = image_shape, flip, shift, seed
        self._source_rows = _source_rows(image_shape, shift)
        # Memory that is reused: allocating this much costs more than the work itself.
        self._spare = np.empty((3, 0, 0), np.uint8)

    def draw(self, epoch: int, images: int) -> tuple[Bools, Integers]:
        """Draw for each image of an epoch whether it is flipped, (n,), and how far it moves down and right, (2, n)."""
        rng = rng_for(self._seed, Purpose.AUGMENTATION, epoch)
        return rng.random(images) < self._flip, rng.integers(-self._shift, self._shift + 1, (2, images))

    def apply(self, images: Images, flipped: Bools, moved: Integers) -> None:
        """Flip and then move each image (n, d) in place, as `draw` decided for it."""
        if self._spare.shape[1] < len(images):
            self._spare = np.empty((3, *images.shape), np.uint8)
        if self._flip:
            self._flip_rows(images, np.flatnonzero(flipped))
        if self._shift:
            down, right = moved
            self._move_down(images, down)
            for distance in range(-self._shift, self._shift + 1):
                if distance:
                    self._move_right(images, np.flatnonzero(right == distance), distance)

    def _flip_rows(self, images: Images, chosen: Labels) -> None:
        """Exchange left and right."""
        before, after = self._gather(images, chosen)
        np.copyto(self._rows(after), self._rows(before)[:, :, ::-1])
        images[chosen] = after

    def _move_right(self, images: Images, chosen: Labels, distance: int) -> None:
        """Move by ``distance`` pixels, to the left if it is negative."""
        before, after = self._gather(images, chosen)
        old, new = self._rows(before), self._rows(after)
        if distance > 0:
            new[:, :, distance:] = old[:, :, :-distance]
            new[:, :, :distance] = old[:, :, :1]
        else:
            new[:, :, :distance] = old[:, :, -distance:]
            new[:, :, distance:] = old[:, :, -1:]
        images[chosen] = after

    def _move_down(self, images: Images, down: Integers) -> None:
        """Copy each row of pixels as one item from its source row."""
        result = self._spare[2, : len(images)]
        sources = self._source_rows[down + self._shift]
        sources += np.arange(len(images))[:, None] * sources.shape[1]
        row = f"V{self._shape[2]}"
        np.take(images.view(row).ravel(), sources, out=result.view(row), mode="clip")
        np.copyto(images, result)

    def _gather(self, images: Images, chosen: Labels) -> tuple[Images, Images]:
        """The chosen images, and memory for the changed ones."""
        before, after = self._spare[:2, : len(chosen)]
        np.take(images, chosen, axis=0, out=before, mode="clip")
        return before, after

    def _rows(self, images: Images) -> Images:
        """As rows of pixels, (n, channels * height, width)."""
        channels, height, width = self._shape
        return images.reshape(len(images), channels * height, width)


def _source_rows(image_shape: tuple[int, ...], shift: int) -> Labels:
    """For each move down, from -shift to shift, which row each row of the result comes from, (2 shift + 1, c * h)."""
    channels, height, _ = image_shape
    moves = np.arange(-shift, shift + 1)
    within = np.clip(np.arange(height) - moves[:, None], 0, height - 1)
    rows: Labels = np.arange(channels)[:, None] * height + within[:, None, :]
    return rows.reshape(len(moves), -1)
