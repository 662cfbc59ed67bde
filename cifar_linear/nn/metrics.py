"""What a classifier is judged by, computed from its scores or probabilities."""

from typing import NamedTuple

import numpy as np

from cifar_linear.arrays import Bools, Doubles, Floats, Integers, Labels


class Metrics(NamedTuple):
    """Figures of R runs on one split, each (R,): loss and cost in nats, accuracy as a fraction."""

    loss: Doubles
    cost: Doubles
    accuracy: Doubles


def count_correct(predicted: Labels, labels: Labels) -> Doubles:
    """How many images each run classifies correctly, (R,), from its predictions (n, R)."""
    counts: Doubles = (predicted == labels[:, None]).sum(axis=0, dtype=np.float64)
    return counts


def is_correct(probabilities: Floats, labels: Labels) -> Bools:
    """Which images are classified correctly, (n,), from probabilities (n, K)."""
    found: Bools = probabilities.argmax(axis=1) == labels
    return found


def true_class_probability(probabilities: Floats, labels: Labels) -> Floats:
    """The probability that each image's true class gets, (n,), from probabilities (n, K)."""
    return probabilities[np.arange(len(labels)), labels]


def confusion(probabilities: Floats, labels: Labels) -> Integers:
    """How often each true class (row) is predicted as each class (column), (K, K)."""
    classes = probabilities.shape[1]
    pairs = labels * classes + probabilities.argmax(axis=1)
    return np.bincount(pairs, minlength=classes**2).reshape(classes, classes)


def precision_and_recall(confusion: Integers) -> tuple[Doubles, Doubles]:
    """Of each class, (K,): which part of its predictions is right, and which part of its images is found.

    A class that is never predicted has precision NaN; one without images has recall NaN.
    """
    right = np.diag(confusion).astype(np.float64)
    predicted, present = confusion.sum(axis=0), confusion.sum(axis=1)
    nothing = np.full(len(right), np.nan)
    precision = np.divide(right, predicted, out=nothing.copy(), where=predicted > 0)
    return precision, np.divide(right, present, out=nothing.copy(), where=present > 0)


def most_confident_mistakes(probabilities: Floats, labels: Labels, count: int) -> Labels:
    """Up to ``count`` wrongly classified images, (m,), the surest first; equally sure ones in their order."""
    wrong = np.flatnonzero(~is_correct(probabilities, labels))
    surest: Labels = wrong[np.argsort(-probabilities[wrong].max(axis=1), kind="stable")[:count]]
    return surest
