"""Mini-batches of a split as they are stored, and chunks of a split as floats, in buffers that are reused."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import DTypeLike

from cifar_linear.arrays import Examples, Floats, Labels
from cifar_linear.data.augment import Augmentation
from cifar_linear.data.dataset import Split
from cifar_linear.data.rows import Rows
from cifar_linear.randomness import Purpose, rng_for

_CHUNK = 500
"""Examples in a matrix product: few enough for their pixels to stay in the processor's cache."""
_PART = 5000
"""Examples that are evaluated at once: many, so that little time is spent between the operations on arrays."""


class Batch(NamedTuple):
    """A mini-batch.

    Attributes:
        examples: raw pixels or features, (n, d).
        labels: their classes, (n,).
        weights: how much each example counts, (n,), or (n, R) with one for each run; None for 1.
    """

    examples: Examples
    labels: Labels
    weights: Floats | None = None


class Batches:
    """The mini-batches of any epoch: call it with the epoch's number.

    The last batch holds what is left when ``n_batch`` does not divide the number of examples, or is left out with
    ``drop_last``. The order of an epoch follows from seed and epoch alone. With ``block``, an epoch reads ``block``
    neighbouring rows at a time and uses all of them, so that little more than a block of a mapped file is in memory.
    """

    def __init__(
        self,
        split: Split,
        *,
        n_batch: int,
        shuffle: bool,
        seed: int,
        block: int | None = None,
        drop_last: bool = False,
        augmentation: Augmentation | None = None,
    ) -> None:
        if not 1 <= n_batch <= len(split):
            raise ValueError(f"n_batch is {n_batch}; with {len(split)} training images it must be 1 to {len(split)}")
        if augmentation and split.images.dtype != np.uint8:
            raise ValueError(f"only uint8 images can be augmented; these are {split.images.dtype}")
        self._split, self._n_batch, self._shuffle, self._seed = split, n_batch, shuffle, seed
        self._augmentation, self._block = augmentation, block
        self.steps = len(split) // n_batch if drop_last else -(-len(split) // n_batch)
        self._held: set[int] = set()
        self._gathered = np.empty((n_batch, split.images.shape[1]), split.images.dtype)

    def __call__(self, epoch: int, first: int = 0) -> Iterator[Batch]:
        """Yield batches of raw examples in the dtype of the split, which the next batch overwrites.

        Batches before the one numbered ``first`` are left out.
        """
        order = self.order(epoch)
        if self._augmentation:
            flipped, moved = self._augmentation.draw(epoch, len(self._split))
        for step in range(first, self.steps):
            rows = order[step * self._n_batch : (step + 1) * self._n_batch]
            if self._block:
                self._move_on(rows // self._block)
            gathered = self._gathered[: len(rows)]
            # mode="clip" lets take write straight into the buffer; the rows are valid by construction.
            np.take(self._split.images, rows, axis=0, out=gathered, mode="clip")
            if self._augmentation:
                self._augmentation.apply(gathered, flipped[rows], moved[:, rows])
            weights = self._split.weights
            yield Batch(gathered, self._split.labels[rows], None if weights is None else weights[rows])

    def order(self, epoch: int) -> Labels:
        """The indices of all examples in the order of an epoch, (n,)."""
        if not self._shuffle:
            return np.arange(len(self._split))
        rng, n = rng_for(self._seed, Purpose.ORDER, epoch), len(self._split)
        if self._block is None:
            return rng.permutation(n)
        starts = self._block * rng.permutation(-(-n // self._block))
        return np.concatenate([start + rng.permutation(min(self._block, n - start)) for start in starts])

    def _move_on(self, blocks: Labels) -> None:
        """Have the blocks of the next batch in memory, and no others."""
        images, wanted = self._split.images, set(np.unique(blocks).tolist())
        if isinstance(images, Rows) and self._block:
            for block in self._held ^ wanted:
                rows = images[block * self._block : (block + 1) * self._block]
                rows.will_need() if block in wanted else rows.release()
            self._held = wanted


def parts(split: Split) -> Iterator[Split]:
    """A split in pieces of some thousand examples."""
    for start in range(0, len(split), _PART):
        yield split.part(slice(start, start + _PART))


def pixel_chunks(split: Split, dtype: DTypeLike) -> Iterator[Floats]:
    """All examples of a split in order: raw pixels or features as floats (n, d), overwritten by the next chunk."""
    buffer = np.empty((min(_CHUNK, len(split)), split.images.shape[1]), dtype)
    for start in range(0, len(split), _CHUNK):
        images = split.images[start : start + _CHUNK]
        pixels = buffer[: len(images)]
        np.copyto(pixels, images)
        yield pixels
