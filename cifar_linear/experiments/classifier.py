"""A trained classifier, back from its run folder and ready for use."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from cifar_linear.arrays import Floats, Images, Labels
from cifar_linear.config.models import Config
from cifar_linear.data.dataset import Split
from cifar_linear.errors import RunError
from cifar_linear.experiments.assembly import make_model, make_objective
from cifar_linear.nn.metrics import Part, class_metrics, confusion
from cifar_linear.nn.objective import Objective
from cifar_linear.nn.parameters import Parameters, stacked
from cifar_linear.nn.standardization import Standardization
from cifar_linear.runs.folder import RunFolder
from cifar_linear.runs.record import SplitMetrics
from cifar_linear.training.evaluation import evaluate, predict

_ROUNDING = 1e-6


class Predicted(NamedTuple):
    """Class probabilities (n, K), and the class with the largest score (n,): probabilities may be equal by rounding."""

    probabilities: Floats
    predicted: Labels


@dataclass(frozen=True)
class Classifier:
    """The parameters of one run, with a run axis, and what is needed to use them."""

    config: Config
    parameters: Parameters
    objective: Objective
    class_names: tuple[str, ...]
    image_shape: tuple[int, ...]

    @classmethod
    def of(cls, folder: RunFolder, best: bool = False) -> Classifier:
        """The run's last weights, or its best. Raises `RunError` or `ConfigError` if what is needed is not there."""
        config = folder.config()
        stored = folder.read_model(best)
        seen = Standardization(stored.mean, stored.std)
        model = make_model(config, len(stored.class_names), stored.image_shape, seen)
        if misfit := stored.misfit(model.parameter_shapes):
            raise RunError(f"{folder.path}: its model is not the config's: {misfit}")
        objective = make_objective([config], model)
        return cls(config, stacked([stored.parameters]), objective, stored.class_names, stored.image_shape)

    def evaluate(self, split: Split) -> SplitMetrics:
        """Loss, cost and accuracy on images with labels."""
        return SplitMetrics.of(evaluate(self.parameters, split, self.objective), run=0)

    def predict(self, images: Images) -> Predicted:
        """Probabilities and predicted classes of images (n, d) of 0 to 255."""
        unlabelled = Split(images, np.zeros(len(images), np.intp))
        probabilities, predicted = predict(self.parameters, unlabelled, self.objective)
        return Predicted(probabilities[:, 0], predicted[:, 0])


def by_class(predicted: Labels, labels: Labels, class_names: Sequence[str]) -> list[dict[str, Any]]:
    """Counts, precision, recall and F1 of each class as plain values for JSON.

    Args:
        predicted: the predicted classes, (n,).
        labels: the true classes, (n,).
        class_names: K names.

    Returns:
        For each class its name, how many images are of it, how many are said to be and how many of these rightly so;
        precision, recall and f1, each with a 95 % interval, or None where there is nothing to count; and how often its
        images are predicted as each class, in the order of the classes.
    """
    counts = confusion(predicted, labels, len(class_names))
    metrics = class_metrics(counts)
    return [
        {
            "class": name,
            "images": int(counts[k].sum()),
            "predicted": int(counts[:, k].sum()),
            "correct": int(counts[k, k]),
            **{key: _at(part, k) for key, part in metrics._asdict().items()},
            "predicted_as": counts[k].tolist(),
        }
        for k, name in enumerate(class_names)
    ]


def _at(part: Part, k: int) -> dict[str, float] | None:
    numbers = {name: float(values[k]) for name, values in part._asdict().items()}
    return None if math.isnan(numbers["value"]) else numbers


def disagreements(found: SplitMetrics, recorded: SplitMetrics) -> dict[str, float]:
    """The recorded figures that a new evaluation does not confirm, to what rounding on another machine may change."""
    return {
        name: value
        for name, value in recorded.model_dump().items()
        if not abs(getattr(found, name) - value) <= _ROUNDING * max(abs(value), 1)
    }
