"""The gradients that training uses, held against finite differences on an experiment's own images and weights."""

from collections.abc import Callable, Iterator
from itertools import product
from typing import NamedTuple

import numpy as np

from cifar_linear.arrays import Doubles, Floats, Labels
from cifar_linear.config.models import Config
from cifar_linear.data.dataset import Dataset, Standardization
from cifar_linear.experiment import draw_weights
from cifar_linear.nn import linear
from cifar_linear.nn.gradcheck import (
    Deviation,
    Directions,
    analytic_slopes,
    deviation,
    numeric_slopes,
    random_directions,
    unit_vectors,
)
from cifar_linear.nn.losses import LOSSES, Loss
from cifar_linear.randomness import Purpose, rng_for

Gradients = Callable[[Floats, Labels, Floats, Floats, Floats, Loss], tuple[Floats, Floats]]
"""What is checked: `nn.linear.gradients`, or a version of it with a mistake."""

DEFAULT_CONFIG = b"{data: {dataset: synthetic}, lambda: 0, eta: 0.001, n_batch: 20, epochs: 1}"
FEW_DIMENSIONS = 20
RANDOM_DIRECTIONS = 20
EPS = 1e-3
"""Slopes smaller than this drown in the rounding of the differences and are compared absolutely, on this scale."""
STEP = {"centred": 1e-5, "one-sided": 1e-7}
THRESHOLD = {"centred": 1e-6, "one-sided": 1e-4}


class Case(NamedTuple):
    """One comparison: what was compared, how far apart the two are, and how far they may be."""

    loss: str
    lam: float
    images: int
    dimensions: int
    differences: str
    parameter: str
    deviation: Deviation
    threshold: float

    @property
    def passed(self) -> bool:
        """Whether the relative error is within the threshold."""
        return self.deviation.relative <= self.threshold


def check_gradients(config: Config, dataset: Dataset, gradients: Gradients = linear.gradients) -> Iterator[Case]:
    """Compare for each loss, lambda 0 and 0.1, batches of 1 and 20 images, W and b, in float64.

    The first 20 dimensions are checked entry by entry, all of them along random directions. The weights are those
    that training would start from.
    """
    standardization = Standardization.of(dataset.train.images)
    W, b = draw_weights(config, dataset)
    features = W.shape[1]
    for name, lam, images, dimensions in product(LOSSES, (0.0, 0.1), (1, 20), (FEW_DIMENSIONS, features)):
        pixels, labels = dataset.train.images[:images], dataset.train.labels[:images]
        X = standardization.apply(pixels, np.empty(pixels.shape))[:, :dimensions]
        checked = _Checked(X, labels, W[:, :dimensions], b, np.array([lam]), LOSSES[name])
        for parameter, differences in product("Wb", STEP):
            rng = rng_for(config.seed, Purpose.GRADIENT_CHECK)
            if dimensions == FEW_DIMENSIONS:
                directions = unit_vectors(len(b), dimensions, parameter)
            else:
                directions = random_directions(rng, RANDOM_DIRECTIONS, len(b), dimensions, parameter)
            found = checked.deviation(gradients, directions, differences)
            yield Case(name, lam, len(X), dimensions, differences, parameter, found, THRESHOLD[differences])


class _Checked(NamedTuple):
    """A batch and weights at which the gradient is checked."""

    X: Doubles
    labels: Labels
    W: Doubles
    b: Doubles
    lam: Doubles
    loss: Loss

    def cost(self, W: Doubles, b: Doubles) -> Doubles:
        """The cost of P weight settings at once, (P,)."""
        return linear.cost(self.X, self.labels, W, b, self.lam, self.loss)

    def deviation(self, gradients: Gradients, directions: Directions, differences: str) -> Deviation:
        grad_W, grad_b = gradients(self.X, self.labels, self.W[None], self.b[None], self.lam, self.loss)
        analytic = analytic_slopes(grad_W[0].astype(np.float64), grad_b[0].astype(np.float64), directions)
        numeric = numeric_slopes(
            self.cost, self.W, self.b, directions, STEP[differences], centred=differences == "centred"
        )
        return deviation(analytic, numeric, EPS)
