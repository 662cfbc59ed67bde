"""What the files of a run hold, and what is wrong with contents that were read."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from cifar_linear.arrays import Doubles, Floats, Images, Labels


class StoredModel(NamedTuple):
    """A trained classifier and what is needed to use it: W (K, d), b (K,), mean and std (d,) on the [0, 1] scale.

    Two classes may do with one score, that of the first: W (1, d), b (1,).
    """

    W: Floats
    b: Floats
    mean: Doubles
    std: Doubles
    class_names: tuple[str, ...]
    image_shape: tuple[int, ...]

    def problem(self) -> str | None:
        """What is wrong with a model that was read; None for a whole one."""
        numbers = (self.W, self.b, self.mean, self.std)
        if not all(part.dtype.kind == "f" and np.isfinite(part).all() for part in numbers):
            return "weights, mean and std must be finite numbers"
        if (self.std < 0).any():
            return "std is negative"
        if not self.std.any():  # 0 in some dimensions means that they are ignored
            return "std is 0 in every dimension"
        features, classes = math.prod(self.image_shape), len(self.class_names)
        scores = 1 if classes == 2 and len(self.b) == 1 else classes
        shapes = (scores, features), (scores,), (features,), (features,)
        if len(self.image_shape) != 3 or tuple(part.shape for part in numbers) != shapes:
            return f"arrays do not fit {classes} classes of images {self.image_shape}"
        return None


class Checkpoint(NamedTuple):
    """Everything that a run needs to go on from an evaluation point: its part of the state, and its history.

    ``steps`` are the losses of single batches, if they are recorded.
    """

    arrays: Mapping[str, Any]
    rows: Sequence[Mapping[str, Any]]
    steps: Sequence[float] = ()


class Predictions(NamedTuple):
    """What a classifier makes of the test images.

    probabilities (n, K), labels (n,); ``mistakes`` (m,) are the indices of its most confident mistakes, surest first,
    with their images (m, d) of 0 to 255: enough to show them without the data set.
    """

    probabilities: Floats
    labels: Labels
    mistakes: Labels
    mistake_images: Images

    def problem(self, model: StoredModel) -> str | None:
        """What is wrong with predictions that were read; None for those that such a model could make."""
        images, classes, features = len(self.labels), len(model.class_names), model.W.shape[1]
        shapes = (images, classes), (images,), (len(self.mistakes),), (len(self.mistakes), features)
        if tuple(part.shape for part in self) != shapes:
            return f"arrays do not fit {images} images of {classes} classes"
        if self.mistake_images.dtype != np.uint8 or self.probabilities.dtype.kind != "f":
            return "images must be uint8 and probabilities floats"
        if not ((self.probabilities >= 0) & (self.probabilities <= 1)).all():
            return "probabilities must be 0 to 1"
        for indices, limit in ((self.labels, classes), (self.mistakes, images)):
            if indices.dtype.kind not in "iu" or ((indices < 0) | (indices >= limit)).any():
                return f"labels and indices must be integers from 0 to {limit - 1}"
        return None
