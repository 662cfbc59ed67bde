"""Metrics of a classifier, computed from its predictions and probabilities."""

from typing import NamedTuple

import numpy as np

from cifar_linear.arrays import Bools, Doubles, Floats, Integers, Labels

Z_95 = 1.959963984540054
"""95 % of a normal distribution lie within this many standard deviations of the mean."""


class Metrics(NamedTuple):
    """Metrics of R runs on one split, each (R,): loss and cost in nats, accuracy as a fraction."""

    loss: Doubles
    cost: Doubles
    accuracy: Doubles


def count_correct(predicted: Labels, labels: Labels, weights: Floats | None = None) -> Doubles:
    """Return how many images each run classifies correctly, (R,), from predictions (n, R) and labels (n,).

    Each image counts as often as its weight says, (n,) or (n, R) with one for each run; None for once.

    >>> count_correct(np.array([[0], [1], [1]]), np.array([0, 1, 0]), np.array([2.0, 1.0, 1.0]))
    array([3.])
    """
    return weighted_sum(predicted == labels[:, None], weights)


def weighted_sum(values: Floats | Bools, weights: Floats | None) -> Doubles:
    """Return the sum over all images, (R,), of ``values`` (n, R), each times its weight, (n,) or (n, R); None for 1."""
    counted = values if weights is None else values * weights.reshape(len(weights), -1)
    total: Doubles = counted.sum(axis=0, dtype=np.float64)
    return total


def true_class_probability(probabilities: Floats, labels: Labels) -> Floats:
    """Return the probability of each image's true class, (n,), from probabilities (n, K) and labels (n,)."""
    return probabilities[np.arange(len(labels)), labels]


def top_accuracy(class_scores: Floats, labels: Labels, count: int) -> float:
    """The fraction of images whose class is among the ``count`` with the largest scores, of scores (n, K).

    Of equal scores the classes with the lower numbers come first, as for the predicted class.
    """
    true = class_scores[np.arange(len(labels)), labels][:, None]
    before = np.arange(class_scores.shape[1]) < labels[:, None]
    rank = (class_scores > true).sum(axis=1) + ((class_scores == true) & before).sum(axis=1)
    return float((rank < count).mean())


def ranks(values: Floats) -> Doubles:
    """Ranks from the smallest, 1, to the largest, of values of any shape, flat; equal ones share the mean of theirs.

    >>> ranks(np.array([0.3, 0.1, 0.3]))
    array([2.5, 1. , 2.5])
    """
    _, place, counts = np.unique(values.ravel(), return_inverse=True, return_counts=True)
    of_each: Doubles = (np.cumsum(counts) - (counts - 1) / 2)[place]
    return of_each


def area_under_curve(scores: Floats, positive: Bools) -> float:
    """The chance that a positive example has a higher score than a negative one; of equal scores, one half.

    It is the area under the curve of true over false positives (ROC); 0.5 is what scores drawn by lot have.

    Args:
        scores: (n,).
        positive: which examples are positive, (n,): at least one, and not all.

    >>> area_under_curve(np.array([0.1, 0.4, 0.8, 0.4]), np.array([False, False, True, True]))
    0.875
    """
    positives = int(positive.sum())
    above = ranks(scores)[positive].sum() - positives * (positives + 1) / 2
    return float(above / (positives * (len(scores) - positives)))


def confusion(predicted: Labels, labels: Labels, classes: int) -> Integers:
    """Return the confusion matrix (K, K): how often each true class (row) is predicted as each class (column).

    Args:
        predicted: predicted classes, (n,).
        labels: true classes, (n,).
        classes: number of classes, K.
    """
    pairs = labels * classes + predicted
    return np.bincount(pairs, minlength=classes**2).reshape(classes, classes)


class Proportion(NamedTuple):
    """A proportion of each class with its 95 % interval, each (K,); NaN where there is nothing to count."""

    value: Doubles
    low: Doubles
    high: Doubles


class ClassMetrics(NamedTuple):
    """How well each class is classified.

    Attributes:
        precision: which part of the predictions of a class is right.
        recall: which part of the images of a class is found.
        f1: the harmonic mean of the two, 2 TP / (2 TP + FP + FN).
    """

    precision: Proportion
    recall: Proportion
    f1: Proportion


def class_metrics(confusion: Integers) -> ClassMetrics:
    """Precision, recall and F1 of each class with intervals, from counts (K, K) by true and predicted class.

    The intervals of precision and recall are Wilson's. F1 is not a fraction of a number of images, but 2 J / (1 + J).
    J = TP / (TP + FP + FN) is one, of the images that are or are said to be of the class; its interval gives F1's.
    """
    right, predicted, present = np.diag(confusion), confusion.sum(axis=0), confusion.sum(axis=1)
    overlap = wilson(right, predicted + present - right)
    f1 = Proportion(*(2 * j / (1 + j) for j in overlap))
    return ClassMetrics(wilson(right, predicted), wilson(right, present), f1)


def wilson(successes: Integers, trials: Integers) -> Proportion:
    """The fraction of successes with its 95 % interval (E. Wilson, J. Am. Stat. Assoc. 22, 1927); NaN without trials.

    >>> [round(float(part[0]), 3) for part in wilson(np.array([8]), np.array([10]))]
    [0.8, 0.49, 0.943]
    """
    n = np.where(trials > 0, trials, np.nan)
    fraction = successes / n
    middle = fraction + Z_95**2 / (2 * n)
    reach = Z_95 * np.sqrt(fraction * (1 - fraction) / n + (Z_95 / (2 * n)) ** 2)
    scale = 1 + Z_95**2 / n
    # Where all or none succeed, one end is the fraction itself, but for rounding.
    return Proportion(
        fraction, np.clip((middle - reach) / scale, 0, fraction), np.clip((middle + reach) / scale, fraction, 1)
    )


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
