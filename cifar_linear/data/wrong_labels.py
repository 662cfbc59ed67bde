"""Labels that are wrong on purpose, to see who finds them."""

from dataclasses import replace

import numpy as np

from cifar_linear.arrays import Bools
from cifar_linear.data.dataset import Split


def with_wrong_labels(split: Split, part: float, classes: int, rng: np.random.Generator) -> tuple[Split, Bools]:
    """Change the labels of random images, each to any other class with the same chance.

    Args:
        split: of n images.
        part: how many of them, 0 to 1.
        classes: the number of classes, at least 2.
        rng: draws images and labels.

    Returns:
        The split with these labels, and which images have a wrong one, (n,).
    """
    wrong = np.zeros(len(split), np.bool_)
    wrong[rng.permutation(len(split))[: round(part * len(split))]] = True
    others = rng.integers(1, classes, len(split))
    return replace(split, labels=np.where(wrong, (split.labels + others) % classes, split.labels)), wrong
