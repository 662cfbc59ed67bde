"""Whether probabilities mean what they say, and the one number that makes them more honest."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from cifar_linear.arrays import Doubles, Floats, Integers, Labels
from cifar_linear.nn.losses import Loss
from cifar_linear.nn.metrics import Z_95

BINS = 15
_OCTAVES = 20
"""Temperatures are looked for between 2**-20 and 2**20."""


class Bins(NamedTuple):
    """Images in groups of about the same size, from the least to the most confident prediction.

    Attributes:
        images: how many each has, (m,).
        confidence: the mean probability of the predicted class, (m,).
        accuracy: the fraction of right predictions, (m,).
        variance: the mean of p (1 - p) over the confidences p, (m,): what the tosses of a calibrated classifier have.
    """

    images: Integers
    confidence: Doubles
    accuracy: Doubles
    variance: Doubles

    @property
    def error(self) -> float:
        """The expected calibration error: how far confidence and accuracy are apart, on average over the images."""
        return float(np.average(np.abs(self.confidence - self.accuracy), weights=self.images))

    @property
    def over_confidence(self) -> float:
        """Mean confidence minus accuracy; negative for an under-confident classifier."""
        return float(np.average(self.confidence - self.accuracy, weights=self.images))

    @property
    def error_if_calibrated(self) -> tuple[float, float]:
        """The `error` that a perfectly calibrated classifier with these confidences shows.

        Its mean, and what it exceeds in one of forty cases only. The difference in a bin is then normal with mean 0,
        and of standard deviation s its absolute value has the mean s sqrt(2 / pi) and the variance s^2 (1 - 2 / pi).
        """
        spread = np.sqrt(self.variance / self.images)
        shares = self.images / self.images.sum()
        mean = float(shares @ spread) * np.sqrt(2 / np.pi)
        deviation = np.sqrt(float(shares**2 @ spread**2) * (1 - 2 / np.pi))
        return float(mean), float(mean + Z_95 * deviation)


def reliability(confidence: Floats, correct: Floats, bins: int = BINS) -> Bins:
    """Compare confidence with accuracy.

    Args:
        confidence: the probability of each predicted class, (n,).
        correct: whether each prediction is right, (n,).
        bins: how many groups of equal size to make; fewer, if there are fewer images.
    """
    order = np.argsort(confidence, kind="stable")
    groups = [group for group in np.array_split(order, bins) if len(group)]
    p, right = confidence.astype(np.float64), correct.astype(np.float64)
    return Bins(
        np.array([len(group) for group in groups]),
        np.array([p[group].mean() for group in groups]),
        np.array([right[group].mean() for group in groups]),
        np.array([(p[group] * (1 - p[group])).mean() for group in groups]),
    )


def brier_score(probabilities: Floats, labels: Labels) -> float:
    """The mean over the images of the sum over the classes of (p - target)^2, from probabilities (n, K)."""
    targets = labels[:, None] == np.arange(probabilities.shape[1])
    return float(np.square(probabilities.astype(np.float64) - targets).sum(axis=1).mean())


def fitted_temperature(scores: Floats, labels: Labels, loss: Loss) -> float:
    """The T for which scores / T have the lowest mean loss: above 1 for an over-confident classifier.

    Args:
        scores: (n, K), in double precision.
        labels: (n,).
        loss: convex in 1 / T, so that its derivative by 1 / T changes its sign once.

    Returns:
        T, from 2**-20 to 2**20; with scores that separate all images, so small that nothing is left of the loss.

    Source: C. Guo et al., On calibration of modern neural networks, ICML 2017.
    """
    low, high = -float(_OCTAVES), float(_OCTAVES)
    for _ in range(40):
        middle = (low + high) / 2
        inverse = 2.0**-middle
        # Where a larger 1 / T would lower the loss, T is too high.
        slope = float((loss.score_gradient(inverse * scores, labels) * scores).sum(axis=1).mean())
        low, high = (low, middle) if slope < 0 else (middle, high)
    return float(2.0 ** ((low + high) / 2))
