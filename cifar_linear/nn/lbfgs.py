"""Minimising a smooth function by L-BFGS, one evaluation at a time."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from typing import Protocol, TypeVar

import numpy as np

from cifar_linear.arrays import Doubles


class Point(Protocol):
    """What a function returns: its value and its gradient, (m,)."""

    @property
    def value(self) -> float:
        """The value."""

    @property
    def gradient(self) -> Doubles:
        """The derivatives, (m,)."""


_P = TypeVar("_P", bound=Point)
_Pairs = deque[tuple[Doubles, Doubles, float]]
_DECREASE, _CURVATURE = 1e-4, 0.9
_TRIALS = 25


def lbfgs(evaluate: Callable[[Doubles], _P], x: Doubles, memory: int = 100) -> Iterator[_P]:
    """Yield every point that is evaluated, the first at ``x``; end where rounding allows no further decrease.

    Args:
        evaluate: the function, from (m,).
        x: where to start, (m,).
        memory: how many pairs of steps and changes of the gradient stand for the curvature.

    Source: J. Nocedal and S. Wright, Numerical Optimization, 2006, algorithms 7.4 and 7.5; weak Wolfe conditions.
    """
    here = evaluate(x)
    yield here
    pairs: _Pairs = deque(maxlen=memory)
    while True:
        direction = -_times_inverse_curvature(here.gradient, pairs)
        slope = float(direction @ here.gradient)
        length = 1.0 if pairs else 1 / float(np.linalg.norm(direction) or 1)
        low, high = (0.0, here.value, slope), np.inf
        for _ in range(_TRIALS):
            there = evaluate(x + length * direction)
            yield there
            new_slope = float(direction @ there.gradient)
            too_far = not there.value <= here.value + _DECREASE * length * slope
            if not too_far and new_slope >= _CURVATURE * slope:
                break
            lowest = _lowest_of_cubic(low, (length, there.value, new_slope))
            if too_far:
                high = length
            else:
                low = length, there.value, new_slope
            most = low[0] + 0.9 * (high - low[0]) if high < np.inf else 10 * length
            length = float(np.clip(lowest, low[0] + 0.1 * (most - low[0]), most))
        else:
            return
        step, change = length * direction, there.gradient - here.gradient
        product = float(step @ change)
        if product <= 0:  # by rounding: there is nothing left to go down
            return
        pairs.append((step, change, product))
        x, here = x + step, there


def _lowest_of_cubic(near: tuple[float, float, float], far: tuple[float, float, float]) -> float:
    """Where the cubic through two places is lowest, each with its value and slope; infinity if it has no minimum."""
    (t, value, slope), (other, other_value, other_slope) = near, far
    mean = slope + other_slope - 3 * (other_value - value) / (other - t)
    square = mean**2 - slope * other_slope
    if not 0 <= square < np.inf or (bottom := other_slope - slope + 2 * np.sqrt(square)) <= 0:
        return np.inf
    return other - (other - t) * (other_slope + float(np.sqrt(square)) - mean) / float(bottom)


def _times_inverse_curvature(gradient: Doubles, pairs: _Pairs) -> Doubles:
    """Apply the inverse Hessian that the pairs describe, by the two-loop recursion, (m,)."""
    vector, factors = gradient.copy(), []
    for step, change, product in reversed(pairs):
        factors.append(float(step @ vector) / product)
        vector -= factors[-1] * change
    if pairs:
        _, change, product = pairs[-1]
        vector *= product / float(change @ change)
    for (step, change, product), factor in zip(pairs, reversed(factors), strict=True):
        vector += (factor - float(change @ vector) / product) * step
    return vector
