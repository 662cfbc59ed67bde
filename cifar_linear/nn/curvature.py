"""How strongly a cost is curved, which limits the learning rate."""

from collections.abc import Callable, Mapping

import numpy as np

from cifar_linear.arrays import Doubles, Floats

Gradient = Callable[[Mapping[str, Floats]], Mapping[str, Floats]]
"""The derivatives of a cost, by name, at some parameters."""

_STEP = 1e-4
_TOLERANCE = 2e-4


def largest_curvature(
    gradient: Gradient, parameters: Mapping[str, Doubles], rng: np.random.Generator, most: int = 50
) -> float:
    """The eigenvalue of the Hessian with the largest absolute value, by power iteration.

    The Hessian is never made: its product with a direction is the difference of two gradients. Gradient descent with
    a rate above 2 / L moves away from a minimum with the curvature L.

    Args:
        gradient: of a smooth cost.
        parameters: where, in double precision.
        rng: draws the first direction.
        most: iterations; fewer are made once the eigenvalue has settled to a part in five thousand.
    """
    direction = _scaled({name: rng.normal(size=array.shape) for name, array in parameters.items()})
    found = 0.0
    for _ in range(most):
        product = _product(gradient, parameters, direction)
        before, found = found, dot(direction, product)
        if not any(array.any() for array in product.values()):
            return 0.0
        direction = _scaled(product)
        if abs(found - before) <= _TOLERANCE * abs(found):
            break
    return found


def curvature_along(gradient: Gradient, parameters: Mapping[str, Doubles], direction: Mapping[str, Floats]) -> float:
    """The second derivative of a cost per unit of length along a direction other than 0; arguments as above."""
    unit = _scaled(direction)
    return dot(unit, _product(gradient, parameters, unit))


def _product(
    gradient: Gradient, parameters: Mapping[str, Doubles], direction: Mapping[str, Floats]
) -> dict[str, Floats]:
    """The Hessian times a direction of length 1."""
    ahead, behind = (
        gradient({name: array + way * _STEP * direction[name] for name, array in parameters.items()}) for way in (1, -1)
    )
    return {name: (ahead[name] - behind[name]) / (2 * _STEP) for name in parameters}


def dot(one: Mapping[str, Floats], other: Mapping[str, Floats]) -> float:
    """The scalar product of two directions."""
    return sum(float(np.vdot(array, other[name])) for name, array in one.items())


def _scaled(direction: Mapping[str, Floats]) -> dict[str, Floats]:
    """The direction with length 1."""
    length = np.sqrt(dot(direction, direction))
    return {name: array / length for name, array in direction.items()}
