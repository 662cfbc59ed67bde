"""How honest the probabilities of a trained classifier are."""

from __future__ import annotations

import numpy as np

from cifar_linear.arrays import Doubles, Labels
from cifar_linear.data.dataset import Split
from cifar_linear.experiments.classifier import Classifier
from cifar_linear.nn.calibration import brier_score, fitted_temperature, reliability, top_accuracy
from cifar_linear.nn.losses import Loss
from cifar_linear.nn.metrics import true_class_probability
from cifar_linear.runs.folder import RunFolder
from cifar_linear.runs.record import Calibration, Honesty, Reliability, SplitCalibration

TOP = 5
"""With more classes than this, top-k accuracy is computed as well, with this k."""


def calibrate(folder: RunFolder, validation: Split, test: Split | None) -> Calibration:
    """Fit the temperature of a run's classifier, look at its probabilities of the test images, and store both."""
    best = folder.read_record().best is not None
    classifier = Classifier.of(folder, best)
    temperature = temperature_of(classifier, validation)
    on_test = calibration_on(classifier, test, temperature) if test else None
    calibration = Calibration(weights="best" if best else "last", temperature=temperature, test=on_test)
    folder.write_calibration(calibration)
    return calibration


def temperature_of(classifier: Classifier, validation: Split) -> float:
    """The temperature with the lowest loss on validation images."""
    return fitted_temperature(classifier.scores(validation.images), validation.labels, classifier.objective.loss)


def calibration_on(classifier: Classifier, split: Split, temperature: float | None) -> SplitCalibration:
    """How honest the probabilities of a split's images are, as they are and, if there is one, with a temperature."""
    scores, loss, labels = classifier.scores(split.images), classifier.objective.loss, split.labels
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
