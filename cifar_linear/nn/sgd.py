"""One step of mini-batch gradient descent, with or without momentum."""

import math

import numpy as np

from cifar_linear.nn.parameters import Parameters


def smooth(velocity: Parameters, gradient: Parameters, momentum: float) -> None:
    """One step of the moving average m <- mu m + (1 - mu) g, in place; both ``velocity`` and ``gradient`` become m.

    In this form, that of the course, a steady gradient moves the parameters as far as without momentum. PyTorch's
    v <- mu v + g takes the same steps with a rate of eta (1 - mu).

    Args:
        velocity: of one run.
        gradient: of the same names and shapes.
        momentum: mu, from 0 to below 1.
    """
    for name, average in velocity.items():
        kind, fresh = average.dtype.type, gradient[name]
        np.multiply(fresh, kind(1 - momentum), out=fresh)
        np.multiply(average, kind(momentum), out=average)
        np.add(average, fresh, out=average)
        np.copyto(fresh, average)


def descend(parameters: Parameters, gradient: Parameters, eta: float) -> bool:
    """Subtract eta times the gradient from the parameters of one run, in place; whether all are finite then.

    Args:
        parameters: of one run.
        gradient: of the same names and shapes; it is overwritten.
        eta: the learning rate; with 0 everything stays as it is.
    """
    for name, parameter in parameters.items():
        step = np.multiply(gradient[name], parameter.dtype.type(eta), out=gradient[name])
        np.subtract(parameter, step, out=parameter)
    return all(math.isfinite(np.vdot(parameter, parameter)) for parameter in parameters.values())
