"""Losses as functions of the scores (before softmax or sigmoid), in nats, finite for scores of +-1e4 and far beyond.

Each takes ``scores`` of shape (n, K) or (n, R, K) and ``labels`` (n,), integers from 0 to K - 1, and keeps the
dtype of the scores. A loss value belongs to one image (and run): the mean over a batch is taken by the caller.
"""

from collections.abc import Callable
from types import EllipsisType
from typing import NamedTuple

import numpy as np

from cifar_linear.arrays import Floats, Labels


class Loss(NamedTuple):
    """What training needs to know of a loss.

    Attributes:
        probabilities: of the classes, (..., K), from scores.
        values: of each image, from scores and labels.
        score_gradient: derivatives of the values with respect to the scores.
        class_scores: one number for each class, (..., K), in the order of their probabilities, from scores.
        scores_for: how many scores K classes need.
        curvature: the largest second derivative of a value along any direction of the scores of K classes.
    """

    probabilities: Callable[[Floats], Floats]
    values: Callable[[Floats, Labels], Floats]
    score_gradient: Callable[[Floats, Labels], Floats]
    class_scores: Callable[[Floats], Floats]
    scores_for: Callable[[int], int]
    curvature: Callable[[int], float]

    def predicted(self, scores: Floats) -> Labels:
        """The most probable class, (...), from scores (..., K); the first of equals.

        It is taken from the scores: large ones differ where their probabilities have both been rounded to 1.
        """
        classes: Labels = self.class_scores(scores).argmax(axis=-1)
        return classes


def softmax(scores: Floats) -> Floats:
    """Class probabilities exp(s_k) / sum_j exp(s_j), (..., K); they sum to 1 along the last axis."""
    # The largest score becomes 0: exp cannot overflow, and the quotient does not change.
    powers: Floats = np.exp(scores - scores.max(axis=-1, keepdims=True))
    powers /= powers.sum(axis=-1, keepdims=True)
    return powers


def softmax_cross_entropy(scores: Floats, labels: Labels) -> Floats:
    """-log softmax(scores)[label] = log sum_j exp(s_j) - s_label, (n,) or (n, R).

    >>> softmax_cross_entropy(np.zeros((1, 10)), np.array([3])).round(4)  # ln 10
    array([2.3026])
    """
    # From scores, not from probabilities: the log of a probability that has underflowed would be -inf.
    shifted = scores - scores.max(axis=-1, keepdims=True)
    losses: Floats = np.log(np.exp(shifted).sum(axis=-1)) - shifted[_true_class(labels)]
    return losses


def softmax_cross_entropy_gradient(scores: Floats, labels: Labels) -> Floats:
    """D loss / d scores = softmax(scores) - onehot(label), the shape of ``scores``; each row sums to 0."""
    gradient = softmax(scores)
    gradient[_true_class(labels)] -= 1
    return gradient


def sigmoid(scores: Floats) -> Floats:
    """1 / (1 + exp(-s)), elementwise; each class on its own, so the K values need not sum to 1."""
    # exp(-softplus(-s)) overflows for no score, and keeps small probabilities to full relative precision.
    return np.exp(-np.logaddexp(0, -scores))


def sigmoid_bce(scores: Floats, labels: Labels) -> Floats:
    """Multiple binary cross-entropy, the *mean* over the K classes, (n,) or (n, R).

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
    """D loss / d scores = (sigmoid(scores) - onehot(label)) / K, the shape of ``scores``."""
    gradient = sigmoid(scores)
    gradient[_true_class(labels)] -= 1
    gradient /= scores.shape[-1]
    return gradient


def logistic_probabilities(scores: Floats) -> Floats:
    """Of two classes, (..., 2), from the one score (..., 1) of the first: sigmoid(s) and sigmoid(-s)."""
    return sigmoid(_both_ways(scores))


def logistic(scores: Floats, labels: Labels) -> Floats:
    """Binary cross-entropy of two classes, (n,) or (n, R), from the one score (n, 1) or (n, R, 1) of the first.

    softplus(-s) = -log p for an image of class 0, softplus(s) = -log(1 - p) for one of class 1.

    >>> logistic(np.zeros((1, 1)), np.array([0])).round(4)  # ln 2
    array([0.6931])
    """
    losses: Floats = np.logaddexp(0, _turned(scores[..., 0], labels))
    return losses


def logistic_gradient(scores: Floats, labels: Labels) -> Floats:
    """D loss / d scores = sigmoid(s) - 1 for class 0, sigmoid(s) for class 1, the shape of ``scores``."""
    gradient = sigmoid(scores)
    gradient[labels == 0] -= 1
    return gradient


def _turned(scores: Floats, labels: Labels) -> Floats:
    """Scores (n, ...) with the sign turned where the label is 0."""
    signs = np.where(labels == 0, -1, 1).astype(scores.dtype)
    turned: Floats = (scores.T * signs).T
    return turned


def _as_they_are(scores: Floats) -> Floats:
    return scores


def _both_ways(scores: Floats) -> Floats:
    """The one score (..., 1) of the first class, and its opposite for the second, (..., 2)."""
    return np.concatenate([scores, -scores], axis=-1)


def _true_class(labels: Labels) -> tuple[Labels, EllipsisType, Labels]:
    """Index that picks each image's true class: (n, K) -> (n,), (n, R, K) -> (n, R)."""
    return np.arange(len(labels)), ..., labels


LOSSES = {
    "softmax": Loss(
        softmax,
        softmax_cross_entropy,
        softmax_cross_entropy_gradient,
        _as_they_are,
        scores_for=lambda classes: classes,
        curvature=lambda _classes: 1 / 2,
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
