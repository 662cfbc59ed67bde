"""How honest the probabilities of a trained classifier are."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import numpy as np

from cifar_linear.arrays import Doubles, Labels
from cifar_linear.errors import RunError
from cifar_linear.experiments.classifier import Classifier, Scored
from cifar_linear.experiments.loading import load_split
from cifar_linear.nn.calibration import brier_score, fitted_temperature, reliability
from cifar_linear.nn.losses import Loss
from cifar_linear.nn.metrics import top_accuracy, true_class_probability
from cifar_linear.runs.folder import RunFolder
from cifar_linear.runs.record import Calibration, CalibrationMetrics, Reliability, SplitCalibration
from cifar_linear.wording import percent

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
        plain=_metrics(scores, labels, loss),
        tempered=_metrics(scores / temperature, labels, loss) if temperature else None,
        top_5=top_accuracy(class_scores, labels, TOP) if class_scores.shape[1] > TOP else None,
    )


def _metrics(scores: Doubles, labels: Labels, loss: Loss) -> CalibrationMetrics:
    probabilities, predicted = loss.probabilities(scores), loss.predicted(scores)
    bins = reliability(true_class_probability(probabilities, predicted), predicted == labels)
    expected, limit = bins.error_if_calibrated
    return CalibrationMetrics(
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


def stored_temperature(folder: RunFolder, best: bool = False, optimum: bool = False) -> float:
    """The temperature of a run's weights. Raises `RunError` if it has none for these.

    Args:
        folder: of the run.
        best: whether these are its best weights.
        optimum: whether they are those of its certificate.
    """
    calibration = folder.read_calibration()
    if calibration is None:
        raise RunError(f"{folder.path}: no calibration.json: a run that finishes has one; leave out --calibrated")
    if not calibration.is_of(best, optimum):
        hint = "add --best" if calibration.weights == "best" else "leave out --best and --optimum"
        raise RunError(f"{folder.path}: its temperature is that of the {calibration.weights} weights; {hint}")
    return calibration.temperature


def stored_or_fitted_temperature(
    folder: RunFolder, classifier: Classifier, best: bool, optimum: bool, data_dir: Path | None
) -> float:
    """The temperature of a run's weights: the stored one, or one that is fitted now.

    Args:
        folder: of the run.
        classifier: its weights.
        best: whether these are its best weights.
        optimum: whether they are those of its certificate.
        data_dir: folder of the images; None for that of the config.

    Raises `DataError` if it has to be fitted, and the validation images are missing or damaged.
    """
    stored = folder.read_calibration()
    if stored and stored.is_of(best, optimum):
        return stored.temperature
    return temperature_of(classifier.scored(load_split(classifier.config, "validation", data_dir)))


def sentences(calibration: SplitCalibration, temperature: float | None) -> Iterator[str]:
    """Yield what the numbers say of probabilities.

    Args:
        calibration: of some images.
        temperature: by which scores are divided; None without one.
    """
    plain = calibration.plain
    if calibration.top_5 is not None:
        yield f"top-5 accuracy {percent(calibration.top_5)}"
    yield f"probabilities: {_in_words(plain)}; calibrated perfectly, ECE would be about {plain.ece_if_calibrated:.3f}"
    if plain.ece > plain.ece_limit and abs(plain.over_confidence) > plain.ece_limit:
        way = "over" if plain.over_confidence > 0 else "under"
        yield f"{way}-confident: mean confidence is {abs(plain.over_confidence):.3f} {way} the accuracy"
    if plain.ece <= plain.ece_limit:
        yield f"this ECE is what chance allows, up to {plain.ece_limit:.3f}: nothing speaks against these probabilities"
    if calibration.tempered is not None:
        yield f"with temperature {temperature:.3g}: {_in_words(calibration.tempered)}"


def _in_words(metrics: CalibrationMetrics) -> str:
    return f"NLL {metrics.nll:.4f}, Brier score {metrics.brier:.4f}, expected calibration error (ECE) {metrics.ece:.3f}"
