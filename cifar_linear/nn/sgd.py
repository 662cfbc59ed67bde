"""One step of mini-batch gradient descent, with or without momentum."""

import math

import numpy as np

from cifar_linear.nn.parameters import Parameters


def smooth(velocity: Parameters, share: Parameters, momentum: float, eta: float) -> None:
    """Update the moving average m <- mu m + (1 - mu) g of one run, and turn ``share`` into eta m, both in place.

    This is the form of the course: a constant gradient moves the parameters as far as without momentum. PyTorch's
    v <- mu v + g takes the same steps with a rate of eta (1 - mu).

    Args:
        velocity: m of one run, which is changed.
        share: (1 - mu) g, with the same names and shapes, which is changed.
        momentum: mu, at least 0 and below 1.
        eta: learning rate.
    """
    for name, average in velocity.items():
        np.multiply(average, average.dtype.type(momentum), out=average)
        np.add(average, share[name], out=average)
        np.multiply(average, average.dtype.type(eta), out=share[name])


def descend(parameters: Parameters, step: Parameters) -> bool:
    """Subtract a step from the parameters of one run, in place.

    Args:
        parameters: parameters of one run.
        step: eta times the gradient, with the same names and shapes.

    Returns:
        Whether all parameters are still finite.
    """
    for name, parameter in parameters.items():
        np.subtract(parameter, step[name], out=parameter)
    return all(math.isfinite(np.vdot(parameter, parameter)) for parameter in parameters.values())
