"""What a classifier is judged by, computed from its scores."""

from typing import NamedTuple

import numpy as np

from cifar_linear.arrays import Doubles, Floats, Labels


class Metrics(NamedTuple):
    """Figures of R runs on one split, each (R,): loss and cost in nats, accuracy as a fraction."""

    loss: Doubles
    cost: Doubles
    accuracy: Doubles


def correct(scores: Floats, labels: Labels) -> Doubles:
    """How many images each run classifies correctly, (R,), from scores (n, R, K); ties go to the lower class."""
    return np.count_nonzero(scores.argmax(axis=-1) == labels[:, None], axis=0).astype(np.float64)
