"""Schemes for drawing the first weights. Biases start at 0."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from cifar_linear.arrays import Doubles


class Scheme(Protocol):
    """Gives the standard deviation of normal weights, from the number of inputs that an output sums."""

    def std(self, fan_in: int) -> float:
        """Return the standard deviation of the weights of an output that sums ``fan_in`` inputs."""
        ...


@dataclass(frozen=True)
class He:
    """Weights from N(0, (factor * sqrt(2 / fan_in))**2): behind ReLU layers the scores keep their scale.

    K. He, X. Zhang, S. Ren and J. Sun, Delving deep into rectifiers, ICCV 2015.

    Attributes:
        factor: on the standard deviation.
    """

    factor: float = 1.0

    def std(self, fan_in: int) -> float:
        """Return the factor times sqrt(2 / fan_in).

        >>> He(factor=0.5).std(50)
        0.1
        """
        return self.factor * math.sqrt(2 / fan_in)


@dataclass(frozen=True)
class Normal:
    """Weights from N(0, deviation**2), whatever the size of the layer.

    Attributes:
        deviation: the standard deviation.
    """

    deviation: float

    def std(self, _fan_in: int) -> float:
        """Return the same for every layer."""
        return self.deviation


def draw(rng: np.random.Generator, shapes: Mapping[str, tuple[int, ...]], scheme: Scheme) -> dict[str, Doubles]:
    """Draw the first parameters of one run in float64: W from a normal distribution, b = 0.

    Args:
        rng: used for W only.
        shapes: of W (outputs, ...) and b (outputs,). The fan-in is the product of all axes of W but the first.
        scheme: gives the standard deviation.
    """
    W = rng.normal(0, scheme.std(math.prod(shapes["W"][1:])), shapes["W"])
    return {"W": W, "b": np.zeros(shapes["b"])}
