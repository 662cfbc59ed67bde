"""Losses as functions of the scores (before softmax or sigmoid), in nats, finite for scores of +-1e4 and far beyond.

Each takes ``scores`` of shape (n, K) or (n, R, K) and ``labels`` (n,), integers from 0 to K - 1, and keeps the
dtype of the scores. There is one loss value per image (and run): the caller takes the mean over a batch.
"""

from collections.abc import Callable
from types import EllipsisType
from typing import NamedTuple

import numpy as np

from cifar_linear.arrays import Floats, Labels


class Loss(NamedTuple):
    """A loss with its gradient and the predictions that belong to it.

    Attributes:
        probabilities: class probabilities (..., K), from scores.
        values: loss of each image, from scores and labels.
        score_gradient: derivatives of the values with respect to the scores, from scores and labels.
        class_scores: one number for each class, (..., K), from scores; a larger one means a larger probability.
        scores_for: number of scores that K classes need, from K.
        exclusive: whether the derivatives of a value by its scores sum to 0, as with softmax; else every score has a
            binary loss of its own.
        curvature: the largest second derivative of a value along any direction of the scores, from K.
    """

    probabilities: Callable[[Floats], Floats]
    values: Callable[[Floats, Labels], Floats]
    score_gradient: Callable[[Floats, Labels], Floats]
    class_scores: Callable[[Floats], Floats]
    scores_for: Callable[[int], int]
    curvature: Callable[[int], float]
    exclusive: bool = False

    def predicted(self, scores: Floats) -> Labels:
        """Return the most probable class, (...), from scores (..., K); the first one if several are equal.

        Scores are compared instead of probabilities: two large scores differ even if both probabilities round to 1.
        """
        classes: Labels = self.class_scores(scores).argmax(axis=-1)
        return classes


def softmax(scores: Floats) -> Floats:
    """Return the class probabilities exp(s_k) / sum_j exp(s_j), (..., K); they sum to 1 along the last axis."""
    # The largest score becomes 0: exp cannot overflow, and the quotient does not change.
    powers: Floats = np.exp(scores - scores.max(axis=-1, keepdims=True))
    powers /= powers.sum(axis=-1, keepdims=True)
    return powers


def softmax_cross_entropy(scores: Floats, labels: Labels) -> Floats:
    """Return -log softmax(scores)[label] = log sum_j exp(s_j) - s_label, (n,) or (n, R).

    >>> softmax_cross_entropy(np.zeros((1, 10)), np.array([3])).round(4)  # ln 10
    array([2.3026])
    """
    # From scores, not from probabilities: the log of a probability that has underflowed would be -inf.
    shifted = scores - scores.max(axis=-1, keepdims=True)
    losses: Floats = np.log(np.exp(shifted).sum(axis=-1)) - shifted[_true_class(labels)]
    return losses


def softmax_cross_entropy_gradient(scores: Floats, labels: Labels) -> Floats:
    """Return d loss / d scores = softmax(scores) - onehot(label), the shape of ``scores``; each row sums to 0."""
    gradient = softmax(scores)
    gradient[_true_class(labels)] -= 1
    return gradient


def sigmoid(scores: Floats) -> Floats:
    """Return 1 / (1 + exp(-s)) elementwise; the K values of an image need not sum to 1."""
    # exp(-softplus(-s)) overflows for no score, and keeps small probabilities to full relative precision.
    return np.exp(-np.logaddexp(0, -scores))


def sigmoid_bce(scores: Floats, labels: Labels) -> Floats:
    """Return the multiple binary cross-entropy, the *mean* over the K classes, (n,) or (n, R).

    (1/K) [softplus(-s_label) + sum over the other classes of softplus(s_k)], with softplus(s) = log(1 + exp(s)).

    >>> sigmoid_bce(np.zeros((1, 10)), np.array([3])).round(4)  # ln 2
    array([0.6931])
    """
    # -log p = softplus(-s) and -log(1 - p) = softplus(s): no logarithm of a rounded probability.
    signed = scores.copy()
    signed[_true_class(labels)] *= -1
    losses: Floats = np.logaddexp(0, signed).mean(axis=-1)
    return losses


def sigmoid_bce_gradient(scores: Floats, labels: Labels) -> Floats:
    """Return d loss / d scores = (sigmoid(scores) - onehot(label)) / K, the shape of ``scores``."""
    gradient = sigmoid(scores)
    gradient[_true_class(labels)] -= 1
    gradient /= scores.shape[-1]
    return gradient


def logistic_probabilities(scores: Floats) -> Floats:
    """Return sigmoid(s) and sigmoid(-s), the probabilities (..., 2) of two classes, from the first's score (..., 1)."""
    return sigmoid(_both_ways(scores))


def logistic(scores: Floats, labels: Labels) -> Floats:
    """Return the binary cross-entropy of two classes, (n,) or (n, R), from the first's score (n, 1) or (n, R, 1).

    softplus(-s) = -log p for an image of class 0, softplus(s) = -log(1 - p) for one of class 1.

    >>> logistic(np.zeros((1, 1)), np.array([0])).round(4)  # ln 2
    array([0.6931])
    """
    losses: Floats = np.logaddexp(0, _signed(scores[..., 0], labels))
    return losses


def logistic_gradient(scores: Floats, labels: Labels) -> Floats:
    """Return d loss / d scores = sigmoid(s) - 1 for class 0, sigmoid(s) for class 1, the shape of ``scores``."""
    gradient = sigmoid(scores)
    gradient[labels == 0] -= 1
    return gradient


def _signed(scores: Floats, labels: Labels) -> Floats:
    """Return the scores (n, ...), with the opposite sign where the label is 0."""
    signs = np.where(labels == 0, -1, 1).astype(scores.dtype)
    signed: Floats = (scores.T * signs).T
    return signed


def _as_they_are(scores: Floats) -> Floats:
    return scores


def _both_ways(scores: Floats) -> Floats:
    """Return scores (..., 2) of both classes from the score (..., 1) of the first: s and -s."""
    return np.concatenate([scores, -scores], axis=-1)


def _true_class(labels: Labels) -> tuple[Labels, EllipsisType, Labels]:
    """Return an index that selects each image's true class: (n, K) -> (n,), (n, R, K) -> (n, R)."""
    return np.arange(len(labels)), ..., labels


LOSSES = {
    "softmax": Loss(
        softmax,
        softmax_cross_entropy,
        softmax_cross_entropy_gradient,
        _as_they_are,
        scores_for=lambda classes: classes,
        curvature=lambda _classes: 1 / 2,
        exclusive=True,
    ),
    "sigmoid_bce": Loss(
        sigmoid,
        sigmoid_bce,
        sigmoid_bce_gradient,
        _as_they_are,
        scores_for=lambda classes: classes,
        curvature=lambda classes: 1 / (4 * classes),
    ),
    "logistic": Loss(
        logistic_probabilities,
        logistic,
        logistic_gradient,
        _both_ways,
        scores_for=lambda _classes: 1,
        curvature=lambda _classes: 1 / 4,
    ),
}
