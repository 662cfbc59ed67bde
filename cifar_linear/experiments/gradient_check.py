"""Compares the gradients that training uses with finite differences, on an experiment's own images and weights."""

from collections.abc import Callable, Iterator
from itertools import product
from typing import NamedTuple

import numpy as np

from cifar_linear.arrays import Doubles, Floats, Labels
from cifar_linear.config.models import Config
from cifar_linear.data.dataset import Dataset
from cifar_linear.experiments.assembly import make_model
from cifar_linear.experiments.loading import make_standardization
from cifar_linear.nn import linear
from cifar_linear.nn.finite_differences import (
    ComplexCost,
    Complexes,
    Deviation,
    Directions,
    analytic_slopes,
    complex_step_deviations,
    deviation,
    numeric_slopes,
    random_directions,
    unit_vectors,
)
from cifar_linear.nn.linear import Linear
from cifar_linear.nn.losses import LOSSES
from cifar_linear.nn.objective import Objective
from cifar_linear.nn.parameters import Parameters, stacked
from cifar_linear.nn.standardization import Standardization
from cifar_linear.randomness import Purpose, rng_for

Gradients = Callable[[Objective, Floats, Labels, Parameters], Iterator[dict[str, Floats]]]
"""What is checked: `Objective.gradients`, or a version of it with a mistake."""

FEW_DIMENSIONS = 20
RANDOM_DIRECTIONS = 20
EPS = 1e-3
"""Slopes smaller than this, times the cost, drown in the rounding of its differences: compared on this scale."""
STEP = {"centred": 1e-5, "one-sided": 1e-7}
_PENALTIES = ((0.0, "separate"), (0.1, "separate"), (0.1, "column"))
"""Lambda, and what becomes of the bias."""
_NETWORK_PENALTIES = ((0.0, "weights"), (0.1, "weights"), (0.1, "all"))
"""Lambda, and what is penalised."""
NETWORK_DIRECTIONS = 3
NETWORK_THRESHOLD = 1e-12
THRESHOLD = {"centred": 1e-6, "one-sided": 1e-4}


class Case(NamedTuple):
    """One comparison: what was compared, how far apart the two are, and how far they may be."""

    loss: str
    lam: float
    bias: str
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


def check_gradients(config: Config, dataset: Dataset, gradients: Gradients | None = None) -> Iterator[Case]:
    """Compare the gradients of a config's model with numeric ones, case by case, in float64.

    Args:
        config: of an experiment; its lambda does not matter.
        dataset: its images.
        gradients: what is checked, if not `Objective.gradients`.
    """
    check = _check_network if config.model.kind == "network" else _check_linear
    return check(config, dataset, gradients or Objective.gradients)


def _check_network(config: Config, dataset: Dataset, gradients: Gradients) -> Iterator[Case]:
    """Compare for two losses, three penalties, 1 and 8 images, each parameter along random directions.

    The numeric side is a complex step: unlike a difference it crosses no kink of ReLU or pooling, and cancels nothing.
    """
    standardization = make_standardization(config, dataset.train)
    for loss, (lam, penalise), images in product(("softmax", "sigmoid_bce"), _NETWORK_PENALTIES, (1, 8)):
        changed = config.model_copy(update={"loss": loss, "penalise": penalise})
        model = make_model(changed, len(dataset.class_names), dataset.image_shape, standardization)
        parameters = model.initial(rng_for(config.seed, Purpose.WEIGHTS))
        objective = Objective(model, LOSSES[loss], np.array([lam]))
        pixels, labels = dataset.train.images[:images].astype(np.float64), dataset.train.labels[:images]
        (gradient,) = gradients(objective, pixels, labels, stacked([parameters]))
        found = complex_step_deviations(
            _complex_cost(objective, pixels, labels, parameters),
            parameters,
            {name: part.astype(np.float64) for name, part in gradient.items()},
            rng_for(config.seed, Purpose.GRADIENT_CHECK),
            NETWORK_DIRECTIONS,
        )
        for name, error in found.items():
            size = int(np.prod(model.parameter_shapes[name]))
            yield Case(loss, lam, penalise, images, size, "complex step", name, error, NETWORK_THRESHOLD)


def _complex_cost(objective: Objective, pixels: Doubles, labels: Labels, point: Parameters) -> ComplexCost:
    """The cost of complex parameters.

    The sigmoid losses have no complex form in NumPy: in their place stands the sum of the scores, each times the
    derivative of the loss by it at the real ``point``, which has the same slopes there.
    """
    loss, model = objective.loss, objective.model
    G = loss.score_gradient(model.scores([pixels], stacked([point])), labels) / len(labels)

    def cost(parameters: dict[str, Complexes]) -> Complexes:
        scores = model.scores([pixels], parameters)  # type: ignore[arg-type]  # complex, on purpose
        if loss is LOSSES["softmax"]:
            data_loss = loss.values(scores, labels).mean(axis=0)
        else:
            data_loss = (G * scores).sum(axis=(0, 2))
        squares = [(parameters[name] ** 2).reshape(len(data_loss), -1).sum(axis=1) for name in model.penalised]
        total: Complexes = data_loss + objective.lam * np.sum(squares, axis=0)
        return total

    return cost


def _check_linear(config: Config, dataset: Dataset, gradients: Gradients) -> Iterator[Case]:
    """Compare for each loss, lambda 0 and 0.1, batches of 1 and 20 images, W and b, in float64.

    With a penalty the bias is checked as itself and as the weight of a column of ones, which the numeric side appends.

    The first 20 dimensions are checked entry by entry, all of them along random directions. The weights are those
    that training would start from. The numeric side standardises the images, the analytic side folds that into the
    weights, as training does: both ways are checked against each other.
    """
    standardization = make_standardization(config, dataset.train)
    for (name, loss), (lam, bias), images, few in product(LOSSES.items(), _PENALTIES, (1, 20), (True, False)):
        changed = config.model_copy(update={"loss": name, "bias": bias})
        whole = make_model(changed, len(dataset.class_names), dataset.image_shape, standardization)
        parameters = whole.initial(rng_for(config.seed, Purpose.WEIGHTS))
        dimensions = FEW_DIMENSIONS if few else parameters["W"].shape[1]
        mean, std = standardization.mean[:dimensions], standardization.std[:dimensions]
        first = Standardization(mean, std, standardization.unit)
        model = Linear(len(parameters["b"]), first, bias_is_weight=bias == "column")
        point = _Point(
            pixels=np.asarray(dataset.train.images[:images], np.float64)[:, :dimensions],
            # A single score separates the first class from all others.
            labels=np.minimum(dataset.train.labels[:images], model.outputs),
            parameters={"W": parameters["W"][:, :dimensions], "b": parameters["b"]},
            objective=Objective(model, loss, np.array([lam])),
            model=model,
        )
        for parameter, differences in product("Wb", STEP):
            if few:
                directions = unit_vectors(model.parameter_shapes, parameter)
            else:
                rng = rng_for(config.seed, Purpose.GRADIENT_CHECK)
                directions = random_directions(rng, RANDOM_DIRECTIONS, model.parameter_shapes, parameter)
            found = point.deviation(gradients, directions, differences)
            allowed = THRESHOLD[differences]
            yield Case(name, lam, bias, len(point.labels), dimensions, differences, parameter, found, allowed)


class _Point(NamedTuple):
    """Images and weights at which the gradient is checked."""

    pixels: Doubles
    labels: Labels
    parameters: dict[str, Doubles]
    objective: Objective
    model: Linear

    def deviation(self, gradients: Gradients, directions: Directions, differences: str) -> Deviation:
        (gradient,) = gradients(self.objective, self.pixels, self.labels, stacked([self.parameters]))
        analytic = analytic_slopes({name: part.astype(np.float64) for name, part in gradient.items()}, directions)
        centred = differences == "centred"
        numeric = numeric_slopes(self.cost, self.parameters, directions, STEP[differences], centred)
        return deviation(analytic, numeric, EPS * max(1.0, float(self.cost(stacked([self.parameters]))[0])))

    def cost(self, parameters: Parameters) -> Doubles:
        """On images that are standardised the plain way, and with a column of ones where the bias is a weight."""
        X, W, b = self.model.standardization.apply(self.pixels), parameters["W"], parameters["b"]
        if self.model.bias_is_weight:
            X, W, b = np.hstack([X, np.ones((len(X), 1))]), np.concatenate([W, b[..., None]], axis=-1), np.zeros_like(b)
        return linear.cost(X, self.labels, W, b, self.objective.lam, self.objective.loss)
