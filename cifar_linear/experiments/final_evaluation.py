"""The one evaluation on the test set: after training, never to choose anything."""

from contextlib import suppress

import numpy as np

from cifar_linear.data.dataset import Split, as_pixels
from cifar_linear.errors import RunError
from cifar_linear.experiments.assembly import blas_threads
from cifar_linear.experiments.calibration import calibrate
from cifar_linear.experiments.classifier import Classifier
from cifar_linear.experiments.introspection import introspect
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


def _evaluate_on_test(folder: RunFolder, record: Record, test: Split, validation: Split) -> Record:
    chosen = Classifier.of(folder, best=record.best is not None)
    probabilities, predicted = chosen.predict(test.images)
    mistakes = most_confident_mistakes(probabilities, predicted, test.labels, _MISTAKES)
    shown = as_pixels(test.images[mistakes], chosen.image_shape)
    folder.write_predictions(Predictions(probabilities, predicted, test.labels, mistakes, shown))
    calibrate(folder, validation, test)
    if isinstance(network := chosen.objective.model, Network) and test.images.dtype == np.uint8:
        folder.write_introspection(introspect(network, chosen.parameters, test, predicted))
    if record.best:
        metrics = {**record.best.metrics, "test": chosen.evaluate(test)}
        record = record.model_copy(update={"best": record.best.model_copy(update={"metrics": metrics})})
    last = Classifier.of(folder).evaluate(test) if record.best else chosen.evaluate(test)
    record = record.model_copy(update={"metrics": {**record.metrics, "test": last}, "error": None})
    folder.write_record(record)
    return record
