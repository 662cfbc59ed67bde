"""A trained classifier, loaded from its run folder."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from cifar_linear.arrays import Bools, Doubles, Examples, Floats, Labels
from cifar_linear.config.models import Config
from cifar_linear.data.array_files import Stored
from cifar_linear.data.batches import parts
from cifar_linear.data.dataset import Split, SplitName
from cifar_linear.data.rows import Rows, rows_of
from cifar_linear.errors import RunError
from cifar_linear.experiments.assembly import make_model, make_objective
from cifar_linear.nn.metrics import Proportion, class_metrics, confusion
from cifar_linear.nn.objective import Objective
from cifar_linear.nn.parameters import Parameters, stacked
from cifar_linear.runs.artifacts import PIXELS, StoredModel
from cifar_linear.runs.folder import RunFolder
from cifar_linear.runs.record import Record, SplitMetrics
from cifar_linear.training.evaluation import metrics_of, predictions_of, scored_parts

_ROUNDING = 1e-6


class Predicted(NamedTuple):
    """Class probabilities (n, K), and the class with the largest score (n,); probabilities may tie after rounding."""

    probabilities: Floats
    predicted: Labels


class Scored(NamedTuple):
    """A split's scores by a classifier, computed once, and what follows from them.

    Attributes:
        classifier: with one run.
        split: the images and their labels.
        parts: scores of some thousand images at a time, (m, 1, K).
    """

    classifier: Classifier
    split: Split
    parts: Sequence[Floats]

    @property
    def metrics(self) -> SplitMetrics:
        """Loss, cost and accuracy."""
        parameters, objective = self.classifier.parameters, self.classifier.objective
        return SplitMetrics.of(metrics_of(self.parts, parameters, self.split, objective), run=0)

    @property
    def scores(self) -> Doubles:
        """All scores in double precision, (n, K)."""
        return np.concatenate(self.parts)[:, 0].astype(np.float64)

    def part(self, rows: Bools) -> Scored:
        """The scores of some of the images."""
        some = self.split.part(rows)
        ends = np.cumsum([len(part) for part in parts(some)])[:-1]
        return Scored(self.classifier, some, np.split(np.concatenate(self.parts)[rows], ends))

    def predicted(self, temperature: float = 1.0) -> Predicted:
        """Probabilities and predicted classes, with scores divided by a temperature."""
        loss = self.classifier.objective.loss
        probabilities, predicted = predictions_of(self.parts, loss)
        if temperature != 1:
            return Predicted(loss.probabilities(self.scores / temperature), predicted[:, 0])
        return Predicted(probabilities[:, 0], predicted[:, 0])


@dataclass(frozen=True)
class Classifier:
    """The parameters of one run, with a run axis, and everything that is needed to use them."""

    config: Config
    parameters: Parameters
    objective: Objective
    class_names: tuple[str, ...]
    image_shape: tuple[int, ...]
    is_of_pixels: bool = True

    @property
    def takes_pictures(self) -> bool:
        """Whether it was trained on images of pixels, so that pictures can be classified."""
        return self.is_of_pixels and len(self.image_shape) == 3

    @classmethod
    def of(cls, folder: RunFolder, best: bool = False, optimum: bool = False) -> Classifier:
        """The run's last weights, its best, or those of the optimum that its certificate is about.

        Raises `RunError` or `ConfigError` if what is needed is not there.
        """
        return cls.made(folder, folder.read_optimum() if optimum else folder.read_model(best))

    @classmethod
    def judged(cls, folder: RunFolder, record: Record) -> Classifier:
        """The weights that a run is judged by. Raises what `of` raises."""
        return cls.of(folder, best=record.weights == "best")

    @classmethod
    def made(cls, folder: RunFolder, stored: StoredModel) -> Classifier:
        """These weights, for the config of a run. Raises `RunError` if they do not fit, `ConfigError`."""
        config = folder.config()
        model = make_model(config, len(stored.class_names), stored.image_shape, stored.standardization)
        if misfit := stored.misfit(model.parameter_shapes):
            raise RunError(f"{folder.path}: its model is not the config's: {misfit}")
        objective = make_objective([config], model)
        of_pixels = stored.unit == PIXELS
        return cls(config, stacked([stored.parameters]), objective, stored.class_names, stored.image_shape, of_pixels)

    def scored(self, split: Split) -> Scored:
        """Compute the scores of a split."""
        return Scored(self, split, list(scored_parts(self.parameters, split, self.objective)))

    def evaluate(self, split: Split) -> SplitMetrics:
        """Return loss, cost and accuracy on a split."""
        return self.scored(split).metrics

    def predict(self, images: Examples, temperature: float = 1.0) -> Predicted:
        """Probabilities and classes of raw images or features (n, d), with scores divided by a temperature."""
        return self.scored(self._unlabelled(images)).predicted(temperature)

    def _unlabelled(self, images: Examples) -> Split:
        """Images (n, d) without labels; rows of length 1 if the classifier was trained on such."""
        if self.config.data.normalize == "l2" and not isinstance(images, Rows):
            images = rows_of(Stored(Path(), None, images), "", unit_length=True)
        return Split(images, np.zeros(len(images), np.intp))


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


def _at(part: Proportion, k: int) -> dict[str, float] | None:
    numbers = {name: float(values[k]) for name, values in part._asdict().items()}
    return None if math.isnan(numbers["value"]) else numbers


def recorded_metrics(folder: RunFolder, best: bool, optimum: bool) -> Mapping[SplitName, SplitMetrics]:
    """The metrics that a folder has of its run's last weights, its best, or those of the optimum; perhaps none.

    Args:
        folder: of the run.
        best: whether the best weights are meant.
        optimum: whether those of its certificate are.
    """
    if optimum:
        certificate = folder.read_certificate()
        return certificate.optimum if certificate else {}
    record = folder.read_record()
    return record.outcome if best else record.metrics


def disagreements(found: SplitMetrics, recorded: SplitMetrics) -> dict[str, float]:
    """Return the recorded metrics that a new evaluation does not reproduce within rounding, by name."""
    return {
        name: value
        for name, value in recorded.model_dump().items()
        if not abs(getattr(found, name) - value) <= _ROUNDING * max(abs(value), 1)
    }
