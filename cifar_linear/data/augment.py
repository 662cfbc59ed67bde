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
        self._source_rows = _source_rows(image_shape, shift)
        # Work space that is used again: fresh memory of this size costs more than the work itself.
        self._spare = np.empty((3, 0, 0), np.uint8)

    def draw(self, epoch: int, images: int) -> tuple[Bools, Integers]:
        """For each image of an epoch whether it is flipped, (n,), and by how much it moves down and right, (2, n)."""
        rng = rng_for(self._seed, Purpose.AUGMENTATION, epoch)
        return rng.random(images) < self._flip, rng.integers(-self._shift, self._shift + 1, (2, images))

    def apply(self, images: Images, flipped: Bools, moved: Integers) -> None:
        """Flip and then move each image (n, d) as drawn for it, in place."""
        if self._spare.shape[1] < len(images):
            self._spare = np.empty((3, *images.shape), np.uint8)
        if self._flip:
            self._turn(images, np.flatnonzero(flipped))
        if self._shift:
            down, right = moved
            self._move_down(images, down)
            for distance in range(-self._shift, self._shift + 1):
                if distance:
                    self._move_right(images, np.flatnonzero(right == distance), distance)

    def _turn(self, images: Images, chosen: Labels) -> None:
        """Exchange left and right."""
        before, after = self._taken(images, chosen)
        np.copyto(self._rows(after), self._rows(before)[:, :, ::-1])
        images[chosen] = after

    def _move_right(self, images: Images, chosen: Labels, distance: int) -> None:
        """Move by ``distance`` pixels, to the left if it is negative."""
        before, after = self._taken(images, chosen)
        old, new = self._rows(before), self._rows(after)
        if distance > 0:
            new[:, :, distance:] = old[:, :, :-distance]
            new[:, :, :distance] = old[:, :, :1]
        else:
            new[:, :, :distance] = old[:, :, -distance:]
            new[:, :, distance:] = old[:, :, -1:]
        images[chosen] = after

    def _move_down(self, images: Images, down: Integers) -> None:
        """Each row of pixels is copied at once, as one item, from where it comes from."""
        result = self._spare[2, : len(images)]
        sources = self._source_rows[down + self._shift]
        sources += np.arange(len(images))[:, None] * sources.shape[1]
        row = f"V{self._shape[2]}"
        np.take(images.view(row).ravel(), sources, out=result.view(row), mode="clip")
        np.copyto(images, result)

    def _taken(self, images: Images, chosen: Labels) -> tuple[Images, Images]:
        """The chosen images, and room for what becomes of them."""
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
