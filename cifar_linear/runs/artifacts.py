"""The contents of a run's files, and the checks of contents that were read."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from cifar_linear.arrays import Bools, Doubles, Floats, Images, Labels
from cifar_linear.nn.parameters import Parameters
from cifar_linear.nn.standardization import Standardization
from cifar_linear.runs.format_1 import from_format_1, is_format_1

MODEL_FACTS = ("mean", "std", "unit", "class_names", "image_shape")
"""The arrays of a model file other than the parameters."""
PIXELS = 255.0
"""The unit of pixels, which is also that of model files without one."""


class StoredModel(NamedTuple):
    """A trained model and everything that is needed to use it.

    Attributes:
        parameters: parameters of one run, by name; for a linear model W (K, d) and b (K,). K is the number of classes,
            or 1 if two classes have a single score, that of the first.
        mean: mean of the training images on the [0, 1] scale, (d,); of features as they are.
        std: standard deviation of the training images on the [0, 1] scale, (d,); of features as they are.
        class_names: name of each class.
        image_shape: (channels, height, width), whose product is d; (d,) of features that are not images.
        unit: what raw numbers are divided by before ``mean`` is subtracted: 255 for pixels, 1 for features.
    """

    parameters: Parameters
    mean: Doubles
    std: Doubles
    class_names: tuple[str, ...]
    image_shape: tuple[int, ...]
    unit: float = PIXELS

    @property
    def standardization(self) -> Standardization:
        """What happens to raw pixels or features before the parameters see them."""
        return Standardization(self.mean, self.std, self.unit)

    @property
    def is_of_images(self) -> bool:
        """Whether its inputs are images, which can be shown."""
        return len(self.image_shape) == 3

    @property
    def W(self) -> Floats:  # noqa: N802  # as in the course
        """The weights of a linear model."""
        return self.parameters["W"]

    @property
    def b(self) -> Floats:
        """The biases of a linear model."""
        return self.parameters["b"]

    @property
    def is_linear(self) -> bool:
        """Whether the scores are a linear function of the pixels."""
        return set(self.parameters) == {"W", "b"}

    def arrays(self) -> dict[str, Any]:
        """Return all arrays by their names in the file."""
        facts = {name: getattr(self, name) for name in MODEL_FACTS}
        return {**self.parameters, **facts, "unit": float(self.unit)}

    def problem(self) -> str | None:
        """Return what is wrong with a model that was read; None for a valid one."""
        numbers = (*self.parameters.values(), self.mean, self.std)
        if not all(part.dtype.kind == "f" and np.isfinite(part).all() for part in numbers):
            return "weights, mean and std must be finite numbers"
        if (self.std < 0).any() or not 0 < self.unit < np.inf:
            return "std is negative, or unit not positive"
        if not self.std.any():  # 0 in some dimensions means that they are ignored
            return "std is 0 in every dimension"
        features, classes = math.prod(self.image_shape), len(self.class_names)
        fits = len(self.image_shape) in (1, 3) and self.mean.shape == self.std.shape == (features,)
        if fits and self.is_linear:
            scores = 1 if classes == 2 and self.b.shape == (1,) else classes
            fits = (self.W.shape, self.b.shape) == ((scores, features), (scores,))
        return None if fits else f"arrays do not fit {classes} classes of images {self.image_shape}"

    def misfit(self, shapes: Mapping[str, tuple[int, ...]]) -> str | None:
        """Return how the parameters differ from those of a model with these ``shapes``; None if they do not."""
        found = {name: array.shape for name, array in self.parameters.items()}
        return None if found == dict(shapes) else misfit(found, shapes)


class Checkpoint(NamedTuple):
    """Everything that is needed to resume a run from an evaluation point.

    Attributes:
        arrays: state of the run, as returned by `State.take`.
        rows: metrics of its evaluation points so far, by column.
        steps: batch losses; empty if they are not recorded.
    """

    arrays: Mapping[str, Any]
    rows: Sequence[Mapping[str, Any]]
    steps: Sequence[float] = ()

    def stored(self) -> dict[str, Any]:
        """Return all arrays by their names in the file."""
        columns = {name: np.array([row[name] for row in self.rows]) for name in next(iter(self.rows), ())}
        parts = {"state": self.arrays, "row": columns, "step": {"train_loss": np.array(self.steps)}}
        return {f"{part}.{name}": array for part, arrays in parts.items() for name, array in arrays.items()}

    @classmethod
    def of_stored(cls, stored: Mapping[str, Any]) -> Checkpoint:
        """Return the checkpoint in the arrays of a file, of this format or an earlier one."""
        parts: dict[str, dict[str, Any]] = {"state": {}, "row": {}}
        for key, array in stored.items():
            part, _, name = key.partition(".")
            parts.setdefault(part, {})[name] = array
        state = from_format_1(parts["state"]) if is_format_1(parts["state"]) else parts["state"]
        columns = {name: array.tolist() for name, array in parts["row"].items()}
        rows = [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]
        return cls(state, rows, parts.get("step", {}).get("train_loss", np.empty(0)).tolist())

    def problem(self, arrays: Mapping[str, Any], columns: Sequence[str]) -> str | None:
        """Return what is wrong with a checkpoint that was read; None if a run can be resumed from it.

        Args:
            arrays: state of such a run before its first update, for names, shapes and dtypes.
            columns: the columns that every row must have.
        """
        found, expected = ({name: np.shape(array) for name, array in those.items()} for those in (self.arrays, arrays))
        if found != expected:
            return misfit(found, expected)
        for name, array in self.arrays.items():
            kind = np.asarray(arrays[name]).dtype
            if array.dtype != kind:
                return f"{name} is {array.dtype}, expected {kind}"
            # The loss of the best parameters is infinite before the first evaluation.
            if kind.kind == "f" and not np.isfinite(array).all() and name != "best.loss":
                return f"{name} must be finite"
        return self._problem_of_rows(columns)

    def _problem_of_rows(self, columns: Sequence[str]) -> str | None:
        if any(set(row) != set(columns) for row in self.rows):
            return f"the rows must have the columns {', '.join(columns)}"
        steps = [row["step"] for row in self.rows]
        if not all(isinstance(step, int) for step in steps) or any(b <= a for a, b in pairwise(steps)):
            return "the steps of its rows must be whole numbers that increase"
        last, step = steps[-1] if steps else 0, int(self.arrays["step"])
        ended = max(int(self.arrays["end.diverged"]), int(self.arrays["end.stopped"])) >= 0
        if step < last or (step > last and not ended):
            return f"its state is of step {step}, its last evaluation of step {last}"
        return None


def misfit(found: Mapping[str, tuple[int, ...]], expected: Mapping[str, tuple[int, ...]]) -> str:
    """Describe the first array that is missing, unknown or of another shape.

    Args:
        found: shapes of the arrays that were read, by name.
        expected: shapes that they should have, by name.
    """
    for name, shape in expected.items():
        if name not in found:
            return f"no array {name} {shape} in it"
        if found[name] != shape:
            return f"{name} has the shape {found[name]}, expected {shape}"
    surplus = next(name for name in found if name not in expected)
    return f"an array {surplus} that the config's model does not have"


class Predictions(NamedTuple):
    """The predictions of a classifier on the test set.

    Attributes:
        probabilities: class probabilities, (n, K).
        predicted: the class with the largest score, (n,); probabilities may be equal after rounding.
        labels: true classes, (n,).
        mistakes: indices of the most confident mistakes, the most confident first, (m,).
        mistake_images: pixels of these images, 0 to 255, (m, d), to show them without the data set; (m, 0) of features.
    """

    probabilities: Floats
    predicted: Labels
    labels: Labels
    mistakes: Labels
    mistake_images: Images

    @property
    def correct(self) -> Bools:
        """Mask of the correctly classified images, (n,)."""
        correct: Bools = self.predicted == self.labels
        return correct

    def problem(self, model: StoredModel) -> str | None:
        """Return what is wrong with predictions that were read; None if such a model can have made them."""
        images, classes = len(self.labels), len(model.class_names)
        pixels = len(model.mean) if model.is_of_images else 0
        shapes = (images, classes), (images,), (images,), (len(self.mistakes),), (len(self.mistakes), pixels)
        if tuple(part.shape for part in self) != shapes:
            return f"arrays do not fit {images} images of {classes} classes"
        if self.mistake_images.dtype != np.uint8 or self.probabilities.dtype.kind != "f":
            return "images must be uint8 and probabilities floats"
        if not ((self.probabilities >= 0) & (self.probabilities <= 1)).all():
            return "probabilities must be 0 to 1"
        for indices, limit in ((self.predicted, classes), (self.labels, classes), (self.mistakes, images)):
            if indices.dtype.kind not in "iu" or ((indices < 0) | (indices >= limit)).any():
                return f"labels and indices must be integers from 0 to {limit - 1}"
        return None
