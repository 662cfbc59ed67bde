"""Random numbers that depend on a seed, a purpose and an epoch only, so that no generator state is ever stored."""

from enum import IntEnum

import numpy as np


class Purpose(IntEnum):
    """What the numbers are used for. Every result depends on the values: never renumber them."""

    WEIGHTS = 1
    ORDER = 2
    HELD_OUT = 3
    SYNTHETIC_IMAGES = 4
    GRADIENT_CHECK = 5
    AUGMENTATION = 6
    SHOWN_IMAGES = 7
    FOLDS = 8
    WRONG_LABELS = 9
    IMPORTED_PICTURES = 10


def rng_for(seed: int, purpose: Purpose, epoch: int = 0) -> np.random.Generator:
    """Return the generator for one purpose in one epoch.

    Generators that differ in seed, purpose or epoch give independent streams.

    Args:
        seed: seed of the experiment, 0 or more.
        purpose: what the numbers are used for.
        epoch: from 0 to 2**32 - 1.

    >>> rng_for(400, Purpose.ORDER, 3).permutation(4).tolist() == rng_for(400, Purpose.ORDER, 3).permutation(4).tolist()
    True
    """
    address = [seed, purpose, epoch]
    if seed >= 2**32:
        # NumPy splits such a seed into words of 32 bits, and would read the second one as a purpose. Small seeds use
        # three words in all; with a fifth word the streams stay different from theirs.
        address.append(1)
    return np.random.default_rng(address)
