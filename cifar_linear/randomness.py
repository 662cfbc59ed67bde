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
    """The generator of one purpose in one epoch: streams of different seeds, purposes or epochs are independent.

    Args:
        seed: of the experiment, from 0.
        purpose: what the numbers are for.
        epoch: from 0, below 2**32.

    >>> rng_for(400, Purpose.ORDER, 3).permutation(4).tolist() == rng_for(400, Purpose.ORDER, 3).permutation(4).tolist()
    True
    """
    address = [seed, purpose, epoch]
    if seed >= 2**32:
        # NumPy cuts a seed like this into words of 32 bits, the second of which would be read as a purpose: a fifth
        # word keeps its streams apart from those of small seeds, which have three.
        address.append(1)
    return np.random.default_rng(address)
