"""Numeric gradients by finite differences or a complex step, and their deviation from analytic gradients.

All functions compute slopes along directions: a gradient entry is the slope along a unit vector, and a gradient with
too many entries is checked along random directions.
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cifar_linear.arrays import Doubles

Complexes = NDArray[np.complex128]

StackedCost = Callable[[Mapping[str, Doubles]], Doubles]
"""Computes the cost at P points at once: parameters (P, ...) -> (P,). P takes the place of a model's run axis."""

Directions = dict[str, Doubles]
"""P directions in the space of all parameters, as an array (P, ...) for each parameter name."""

ComplexCost = Callable[[dict[str, Complexes]], Complexes]
"""Like `StackedCost`, for complex parameters."""

_IMAGINARY_STEP = 1e-30
_SMALL = 1e-3

Shapes = Mapping[str, tuple[int, ...]]


class Deviation(NamedTuple):
    """The largest differences between analytic and numeric slopes."""

    absolute: float
    relative: float


def unit_vectors(shapes: Shapes, parameter: str) -> Directions:
    """Return one direction for each entry of one parameter.

    Args:
        shapes: shape of every parameter, by name, without a run axis.
        parameter: the name of one.
    """
    entries = int(np.prod(shapes[parameter]))
    directions = {name: np.zeros((entries, *shape)) for name, shape in shapes.items()}
    directions[parameter].reshape(entries, entries)[...] = np.eye(entries)
    return directions


def random_directions(rng: np.random.Generator, count: int, shapes: Shapes, parameter: str) -> Directions:
    """Return random directions of length 1 that change one parameter only.

    Args:
        rng: draws the directions.
        count: number of directions.
        shapes: shape of every parameter, by name, without a run axis.
        parameter: the name of one.
    """
    directions = {name: np.zeros((count, *shape)) for name, shape in shapes.items()}
    flat = directions[parameter].reshape(count, -1)
    flat[...] = rng.standard_normal(flat.shape)
    flat /= np.linalg.norm(flat, axis=1, keepdims=True)
    return directions


def numeric_slopes(
    cost: StackedCost, parameters: Mapping[str, Doubles], directions: Directions, step: float, centred: bool
) -> Doubles:
    """Return the slope of the cost along each direction, (P,).

    Centred: [f(+h) - f(-h)] / 2h, error of order h**2. One-sided: [f(+h) - f(0)] / h, error of order h.

    Args:
        cost: computes the cost at P points.
        parameters: the point at which the slopes are computed, without a run axis.
        directions: P directions.
        step: h.
        centred: whether to use the centred formula.
    """

    def at(distance: float) -> Doubles:
        return cost({name: array + distance * directions[name] for name, array in parameters.items()})

    return (at(step) - at(-step)) / (2 * step) if centred else (at(step) - at(0)) / step


def analytic_slopes(gradient: Mapping[str, Doubles], directions: Directions) -> Doubles:
    """Return the slopes (P,) along P directions that follow from a gradient without a run axis."""
    parts = [part.reshape(len(part), -1) @ gradient[name].ravel() for name, part in directions.items()]
    slopes: Doubles = np.sum(parts, axis=0)
    return slopes


def deviation(analytic: Doubles, numeric: Doubles, eps: float) -> Deviation:
    """Return the largest |ga - gn| and the largest |ga - gn| / max(eps, |ga| + |gn|); NaN counts as infinite.

    >>> deviation(np.array([1.0, 0.0]), np.array([1.0, 1e-9]), eps=1e-6)
    Deviation(absolute=1e-09, relative=0.001)
    """
    absolute = np.nan_to_num(np.abs(analytic - numeric), nan=np.inf)
    relative = absolute / np.maximum(eps, np.abs(analytic) + np.abs(numeric))
    return Deviation(float(absolute.max()), float(np.nan_to_num(relative, nan=np.inf).max()))


def complex_slopes(cost: ComplexCost, parameters: Mapping[str, Doubles], directions: Mapping[str, Doubles]) -> Doubles:
    """Return the slopes of the cost along P directions, (P,): Im f(p + i h D) / h with h = 1e-30.

    There is no subtraction, so nothing cancels. The real parts, on which ReLU and pooling depend, do not change: the
    slope is exact up to rounding, even where a step of 1e-8 would cross a kink.
    W. Squire and G. Trapp, SIAM Review 40, 1998.

    Args:
        cost: computes the cost at P points from complex parameters (P, ...). All its operations must accept complex
            numbers. np.logaddexp does not: replace a sigmoid loss by sum(G * scores), with G its derivative at p.
        parameters: the point p, by name, without a run axis.
        directions: P directions, (P, ...), for each parameter that changes.
    """
    count = len(next(iter(directions.values())))
    moved = {name: np.repeat(values[None], count, axis=0).astype(complex) for name, values in parameters.items()}
    for name, direction in directions.items():
        moved[name] += 1j * _IMAGINARY_STEP * direction
    slopes: Doubles = cost(moved).imag / _IMAGINARY_STEP
    return slopes


def complex_step_deviations(
    cost: ComplexCost,
    parameters: Mapping[str, Doubles],
    gradients: Mapping[str, Doubles],
    rng: np.random.Generator,
    count: int,
) -> dict[str, Deviation]:
    """Compare the gradient of each parameter with `complex_slopes` along random directions in that parameter.

    Args:
        cost: computes the cost at P points; see `complex_slopes`.
        parameters: the point, by name, without a run axis.
        gradients: gradients at this point, by name, for the parameters to check.
        rng: draws the directions.
        count: number of directions for each parameter; all are computed at once.

    Returns:
        The `deviation` of each parameter, by name, with eps a thousandth of its largest slope.
    """
    found = {}
    for name, gradient in gradients.items():
        directions = rng.standard_normal((count, *gradient.shape))
        numeric = complex_slopes(cost, parameters, {name: directions})
        analytic: Doubles = np.tensordot(directions, gradient, gradient.ndim)
        eps = max(_SMALL * float(np.abs(numeric).max()), float(np.finfo(float).tiny))
        found[name] = deviation(analytic, numeric, eps)
    return found
