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
    hits: Doubles = (scores.argmax(axis=-1) == labels[:, None]).sum(axis=0, dtype=np.float64)
    return hits
