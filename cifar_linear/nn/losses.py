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
    """What training needs to know of a loss; prediction is by the largest probability with either."""

    probabilities: Callable[[Floats], Floats]
    values: Callable[[Floats, Labels], Floats]
    score_gradient: Callable[[Floats, Labels], Floats]


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


def _true_class(labels: Labels) -> tuple[Labels, EllipsisType, Labels]:
    """Index that picks each image's true class: (n, K) -> (n,), (n, R, K) -> (n, R)."""
    return np.arange(len(labels)), ..., labels


LOSSES = {
    "softmax": Loss(softmax, softmax_cross_entropy, softmax_cross_entropy_gradient),
    "sigmoid_bce": Loss(sigmoid, sigmoid_bce, sigmoid_bce_gradient),
}
