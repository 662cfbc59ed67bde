"""The one evaluation on the test set: after training, never to choose anything; and the temperature beside it."""

from contextlib import suppress

import numpy as np

from cifar_linear.data.dataset import Split, as_pixels
from cifar_linear.errors import RunError
from cifar_linear.experiments.calibration import calibrated
from cifar_linear.experiments.classifier import Classifier, Scored
from cifar_linear.experiments.introspection import introspect
from cifar_linear.experiments.threads import blas_threads
from cifar_linear.nn.metrics import most_confident_mistakes
from cifar_linear.nn.network import Network
from cifar_linear.runs.artifacts import Predictions
from cifar_linear.runs.folder import RunFolder
from cifar_linear.runs.record import Record

_MISTAKES = 25
"""How many of a run's most confident mistakes are kept as images."""


def evaluate_on_test(folder: RunFolder, test: Split, validation: Split) -> Record:
    """Evaluate a finished run on the test set, and store predictions, metrics and calibration in its folder.

    The temperature is fitted on the validation images.
    A run that did not finish stays as it is. With early stopping the predictions are those of the best weights; there
    are metrics of the last weights as well. Of a network there is an `Introspection` besides.
    """
    record = folder.read_record()
    if record.status != "finished":
        return record
    try:
        with blas_threads(record.config):
            return _evaluate_on_test(folder, record, test, validation)
    except Exception as error:
        why = ": ".join(filter(None, (type(error).__name__, str(error))))
        message = f"not evaluated on the test set: {why}; train --resume does it"
        with suppress(RunError):  # a full disk, perhaps: the first failure says more
            folder.write_record(record.model_copy(update={"error": message}))
        raise


def calibrate(folder: RunFolder, validation: Split) -> None:
    """Fit the temperature of a finished run that has no test images, and store it; other runs stay as they are."""
    record = folder.read_record()
    if record.status == "finished":
        with blas_threads(record.config):
            _calibrate(folder, record, Classifier.judged(folder, record).scored(validation), None)


def _evaluate_on_test(folder: RunFolder, record: Record, test: Split, validation: Split) -> Record:
    chosen = Classifier.judged(folder, record)
    scored = chosen.scored(test)
    probabilities, predicted = scored.predicted()
    mistakes = most_confident_mistakes(probabilities, predicted, test.labels, _MISTAKES)
    shown = as_pixels(test.images[mistakes], chosen.image_shape)
    folder.write_predictions(Predictions(probabilities, predicted, test.labels, mistakes, shown))
    _calibrate(folder, record, chosen.scored(validation), scored)
    if isinstance(network := chosen.objective.model, Network) and test.images.dtype == np.uint8:
        folder.write_introspection(introspect(network, chosen.parameters, test, predicted))
    last = scored.metrics
    if record.best:
        metrics = {**record.best.metrics, "test": last}
        record = record.model_copy(update={"best": record.best.model_copy(update={"metrics": metrics})})
        last = Classifier.of(folder).evaluate(test)
    record = record.model_copy(update={"metrics": {**record.metrics, "test": last}, "error": None})
    folder.write_record(record)
    return record


def _calibrate(folder: RunFolder, record: Record, validation: Scored, test: Scored | None) -> None:
    folder.write_calibration(calibrated(record.weights, validation, test))
