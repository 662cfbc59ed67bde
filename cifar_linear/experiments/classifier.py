"""A trained classifier, loaded from its run folder."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from cifar_linear.arrays import Floats, Images, Labels
from cifar_linear.config.models import Config
from cifar_linear.data.dataset import Split
from cifar_linear.errors import RunError
from cifar_linear.experiments.assembly import make_model, make_objective
from cifar_linear.nn.objective import Objective
from cifar_linear.nn.parameters import Parameters, stacked
from cifar_linear.nn.standardization import Standardization
from cifar_linear.runs.folder import RunFolder
from cifar_linear.runs.record import SplitMetrics
from cifar_linear.training.evaluation import evaluate, predict

_ROUNDING = 1e-6


class Predicted(NamedTuple):
    """Class probabilities (n, K), and the class with the largest score (n,); probabilities may tie after rounding."""

    probabilities: Floats
    predicted: Labels


@dataclass(frozen=True)
class Classifier:
    """The parameters of one run, with a run axis, and everything that is needed to use them."""

    config: Config
    parameters: Parameters
    objective: Objective
    class_names: tuple[str, ...]
    image_shape: tuple[int, ...]

    @classmethod
    def of(cls, folder: RunFolder, best: bool = False) -> Classifier:
        """Load the last or the best weights of a run. Raises `RunError` or `ConfigError` if files are invalid."""
        config = folder.config()
        stored = folder.read_model(best)
        seen = Standardization(stored.mean, stored.std)
        model = make_model(config, len(stored.class_names), stored.image_shape, seen)
        if misfit := stored.misfit(model.parameter_shapes):
            raise RunError(f"{folder.path}: its model is not the config's: {misfit}")
        objective = make_objective([config], model)
        return cls(config, stacked([stored.parameters]), objective, stored.class_names, stored.image_shape)

    def evaluate(self, split: Split) -> SplitMetrics:
        """Return loss, cost and accuracy on a split."""
        return SplitMetrics.of(evaluate(self.parameters, split, self.objective), run=0)

    def predict(self, images: Images) -> Predicted:
        """Return class probabilities and predicted classes of images (n, d) with pixels from 0 to 255."""
        unlabelled = Split(images, np.zeros(len(images), np.intp))
        probabilities, predicted = predict(self.parameters, unlabelled, self.objective)
        return Predicted(probabilities[:, 0], predicted[:, 0])


def disagreements(found: SplitMetrics, recorded: SplitMetrics) -> dict[str, float]:
    """Return the recorded metrics that a new evaluation does not reproduce within rounding, by name."""
    return {
        name: value
        for name, value in recorded.model_dump().items()
        if not abs(getattr(found, name) - value) <= _ROUNDING * max(abs(value), 1)
    }
