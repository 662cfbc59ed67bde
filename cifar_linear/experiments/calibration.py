"""How honest the probabilities of a trained classifier are."""

from __future__ import annotations

from typing import Literal

import numpy as np

from cifar_linear.arrays import Doubles, Labels
from cifar_linear.experiments.classifier import Scored
from cifar_linear.nn.calibration import brier_score, fitted_temperature, reliability, top_accuracy
from cifar_linear.nn.losses import Loss
from cifar_linear.nn.metrics import true_class_probability
from cifar_linear.runs.record import Calibration, Honesty, Reliability, SplitCalibration

TOP = 5
"""With more classes than this, top-k accuracy is computed as well, with this k."""


def calibrated(weights: Literal["last", "best"], validation: Scored, test: Scored | None) -> Calibration:
    """Fit a temperature on the validation images, and look at the probabilities of the test images.

    Args:
        weights: which weights of the run the scores are of.
        validation: scores of the validation images.
        test: scores of the test images; None if there are none.
    """
    temperature = temperature_of(validation)
    on_test = calibration_on(test, temperature) if test else None
    return Calibration(weights=weights, temperature=temperature, test=on_test)


def temperature_of(validation: Scored) -> float:
    """The temperature with the lowest loss on validation images."""
    return fitted_temperature(validation.scores, validation.split.labels, validation.classifier.objective.loss)


def calibration_on(scored: Scored, temperature: float | None) -> SplitCalibration:
    """How honest the probabilities of a split's images are, as they are and, if there is one, with a temperature."""
    scores, loss, labels = scored.scores, scored.classifier.objective.loss, scored.split.labels
    class_scores = loss.class_scores(scores)
    return SplitCalibration(
        plain=_honesty(scores, labels, loss),
        tempered=_honesty(scores / temperature, labels, loss) if temperature else None,
        top_5=top_accuracy(class_scores, labels, TOP) if class_scores.shape[1] > TOP else None,
    )


def _honesty(scores: Doubles, labels: Labels, loss: Loss) -> Honesty:
    probabilities, predicted = loss.probabilities(scores), loss.predicted(scores)
    bins = reliability(true_class_probability(probabilities, predicted), predicted == labels)
    expected, limit = bins.error_if_calibrated
    return Honesty(
        nll=float(np.mean(loss.values(scores, labels))),
        brier=brier_score(probabilities, labels),
        ece=bins.error,
        ece_if_calibrated=expected,
        ece_limit=limit,
        over_confidence=bins.over_confidence,
        bins=[
            Reliability(images=int(images), confidence=float(confidence), accuracy=float(accuracy))
            for images, confidence, accuracy in zip(bins.images, bins.confidence, bins.accuracy, strict=True)
        ],
    )
