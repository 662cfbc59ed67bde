"""Metrics of a classifier, computed from its predictions and probabilities."""

from typing import NamedTuple

import numpy as np

from cifar_linear.arrays import Bools, Doubles, Floats, Integers, Labels


class Metrics(NamedTuple):
    """Metrics of R runs on one split, each (R,): loss and cost in nats, accuracy as a fraction."""

    loss: Doubles
    cost: Doubles
    accuracy: Doubles


def count_correct(predicted: Labels, labels: Labels, weights: Floats | None = None) -> Doubles:
    """Return how many images each run classifies correctly, (R,), from predictions (n, R) and labels (n,).

    Each image counts as often as its weight (n,) says; None for once.

    >>> count_correct(np.array([[0], [1], [1]]), np.array([0, 1, 0]), np.array([2.0, 1.0, 1.0]))
    array([3.])
    """
    return weighted_sum(predicted == labels[:, None], weights)


def weighted_sum(values: Floats | Bools, weights: Floats | None) -> Doubles:
    """Return the sum over all images, (R,), of ``values`` (n, R), each times its image's weight (n,); None for 1."""
    counted = values if weights is None else values * weights[:, None]
    total: Doubles = counted.sum(axis=0, dtype=np.float64)
    return total


def true_class_probability(probabilities: Floats, labels: Labels) -> Floats:
    """Return the probability of each image's true class, (n,), from probabilities (n, K) and labels (n,)."""
    return probabilities[np.arange(len(labels)), labels]


def confusion(predicted: Labels, labels: Labels, classes: int) -> Integers:
    """Return the confusion matrix (K, K): how often each true class (row) is predicted as each class (column).

    Args:
        predicted: predicted classes, (n,).
        labels: true classes, (n,).
        classes: number of classes, K.
    """
    pairs = labels * classes + predicted
    return np.bincount(pairs, minlength=classes**2).reshape(classes, classes)


def precision_and_recall(confusion: Integers) -> tuple[Doubles, Doubles]:
    """Return precision and recall of each class, two arrays (K,), from a confusion matrix (K, K).

    Precision is NaN for a class that is never predicted, recall is NaN for a class without images.
    """
    right = np.diag(confusion).astype(np.float64)
    predicted, present = confusion.sum(axis=0), confusion.sum(axis=1)
    nothing = np.full(len(right), np.nan)
    precision = np.divide(right, predicted, out=nothing.copy(), where=predicted > 0)
    return precision, np.divide(right, present, out=nothing.copy(), where=present > 0)


def most_confident_mistakes(probabilities: Floats, predicted: Labels, labels: Labels, count: int) -> Labels:
    """Return the indices (m,) of misclassified images, the most confident first; ties keep their order.

    Args:
        probabilities: class probabilities, (n, K).
        predicted: predicted classes, (n,).
        labels: true classes, (n,).
        count: maximum number of indices.
    """
    wrong = np.flatnonzero(predicted != labels)
    confidence = probabilities[wrong, predicted[wrong]]
    surest: Labels = wrong[np.argsort(-confidence, kind="stable")[:count]]
    return surest
