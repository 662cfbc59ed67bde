"""Numeric gradients by finite differences or a complex step, and how far analytic ones are from them.

Everything is a slope along a direction: a gradient entry is the slope along a unit vector, and a gradient too
long to check entry by entry is checked along random directions.
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cifar_linear.arrays import Doubles

Complexes = NDArray[np.complex128]

StackedCost = Callable[[Mapping[str, Doubles]], Doubles]
"""The cost of P settings of the parameters at once, each (P, ...) -> (P,). P is the run axis of a model."""

Directions = dict[str, Doubles]
"""P directions in the space of all parameters: each parameter's part of them, (P, ...), by its name."""

ComplexCost = Callable[[dict[str, Complexes]], Complexes]
"""As `StackedCost`, of complex parameters."""

_IMAGINARY_STEP = 1e-30
_SMALL = 1e-3

Shapes = Mapping[str, tuple[int, ...]]


class Deviation(NamedTuple):
    """The largest differences between analytic and numeric slopes."""

    absolute: float
    relative: float


def unit_vectors(shapes: Shapes, of: str) -> Directions:
    """Every entry of the parameter called ``of`` as a direction of its own; ``shapes`` are those of all parameters."""
    entries = int(np.prod(shapes[of]))
    directions = {name: np.zeros((entries, *shape)) for name, shape in shapes.items()}
    directions[of].reshape(entries, entries)[...] = np.eye(entries)
    return directions


def random_directions(rng: np.random.Generator, count: int, shapes: Shapes, of: str) -> Directions:
    """``count`` random directions of length 1 in the parameter called ``of`` alone."""
    directions = {name: np.zeros((count, *shape)) for name, shape in shapes.items()}
    flat = directions[of].reshape(count, -1)
    flat[...] = rng.standard_normal(flat.shape)
    flat /= np.linalg.norm(flat, axis=1, keepdims=True)
    return directions


def numeric_slopes(
    cost: StackedCost, parameters: Mapping[str, Doubles], directions: Directions, step: float, centred: bool
) -> Doubles:
    """Slopes of the cost along each direction, (P,).

    Centred: [f(+h) - f(-h)] / 2h, error of order h**2. One-sided: [f(+h) - f(0)] / h, error of order h.

    Args:
        cost: of P settings of the parameters.
        parameters: where the slopes are taken, without a run axis.
        directions: P of them.
        step: h.
        centred: which of the two formulas.
    """

    def at(distance: float) -> Doubles:
        return cost({name: array + distance * directions[name] for name, array in parameters.items()})

    return (at(step) - at(-step)) / (2 * step) if centred else (at(step) - at(0)) / step


def analytic_slopes(gradient: Mapping[str, Doubles], directions: Directions) -> Doubles:
    """Slopes along each of P directions, (P,), that a gradient, without a run axis, predicts."""
    parts = [part.reshape(len(part), -1) @ gradient[name].ravel() for name, part in directions.items()]
    slopes: Doubles = np.sum(parts, axis=0)
    return slopes


def deviation(analytic: Doubles, numeric: Doubles, eps: float) -> Deviation:
    """Largest |ga - gn|, and largest |ga - gn| / max(eps, |ga| + |gn|); NaN counts as infinite.

    >>> deviation(np.array([1.0, 0.0]), np.array([1.0, 1e-9]), eps=1e-6)
    Deviation(absolute=1e-09, relative=0.001)
    """
    absolute = np.nan_to_num(np.abs(analytic - numeric), nan=np.inf)
    relative = absolute / np.maximum(eps, np.abs(analytic) + np.abs(numeric))
    return Deviation(float(absolute.max()), float(np.nan_to_num(relative, nan=np.inf).max()))


def complex_slopes(cost: ComplexCost, parameters: Mapping[str, Doubles], directions: Mapping[str, Doubles]) -> Doubles:
    """Slopes of the cost along P directions, (P,): Im f(p + i h D) / h with h = 1e-30.

    No difference is taken, so nothing cancels, and the real parts, which decide about ReLU and pooling, stay as they
    are: the slope is exact up to rounding, also where a step of 1e-8 would cross a kink.
    W. Squire and G. Trapp, SIAM Review 40, 1998.

    Args:
        cost: of P settings, from complex parameters with P in front. It must be made of operations that have a complex
            form. np.logaddexp has none: replace a sigmoid loss by sum(G * scores), with G its derivative at p.
        parameters: the point p, by name, without a run axis.
        directions: P for each parameter that is to move, (P, ...).
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
    """How far the gradient of each parameter is from `complex_slopes` along random directions in it alone.

    Args:
        cost: see `complex_slopes`.
        parameters: the point, by name, without a run axis.
        gradients: with respect to those parameters that are to be checked, at this point.
        rng: draws the directions.
        count: how many for each parameter. All are computed at once.

    Returns:
        By name. Relative errors are those of `deviation`; slopes below a thousandth of the largest count as that large.
    """
    found = {}
    for name, gradient in gradients.items():
        directions = rng.standard_normal((count, *gradient.shape))
        numeric = complex_slopes(cost, parameters, {name: directions})
        analytic: Doubles = np.tensordot(directions, gradient, gradient.ndim)
        eps = max(_SMALL * float(np.abs(numeric).max()), float(np.finfo(float).tiny))
        found[name] = deviation(analytic, numeric, eps)
    return found
