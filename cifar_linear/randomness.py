"""Every random number of a run comes from its seed, a purpose and an epoch; no generator state is ever stored."""

from enum import IntEnum

import numpy as np


class Purpose(IntEnum):
    """What the numbers are for. The values are part of every result: never renumber them."""

    WEIGHTS = 1
    ORDER = 2
    HELD_OUT = 3
    SYNTHETIC_IMAGES = 4
    GRADIENT_CHECK = 5
    AUGMENTATION = 6
    SHOWN_IMAGES = 7


def rng_for(seed: int, purpose: Purpose, epoch: int = 0) -> np.random.Generator:
    """The generator of one purpose in one epoch: streams of different purposes or epochs are independent.

    >>> rng_for(400, Purpose.ORDER, 3).permutation(4).tolist() == rng_for(400, Purpose.ORDER, 3).permutation(4).tolist()
    True
    """
    return np.random.default_rng([seed, purpose, epoch])
