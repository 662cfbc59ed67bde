"""One step of mini-batch gradient descent, with or without momentum."""

import math

import numpy as np

from cifar_linear.nn.parameters import Parameters


def smooth(velocity: Parameters, gradient: Parameters, momentum: float) -> None:
    """Update the moving average m <- mu m + (1 - mu) g of one run; both ``velocity`` and ``gradient`` become m.

    This is the form of the course: a constant gradient moves the parameters as far as without momentum. PyTorch's
    v <- mu v + g takes the same steps with a rate of eta (1 - mu).

    Args:
        velocity: m of one run, which is changed in place.
        gradient: g, with the same names and shapes, which is changed in place.
        momentum: mu, at least 0 and below 1.
    """
    for name, average in velocity.items():
        dtype, latest = average.dtype.type, gradient[name]
        np.multiply(latest, dtype(1 - momentum), out=latest)
        np.multiply(average, dtype(momentum), out=average)
        np.add(average, latest, out=average)
        np.copyto(latest, average)


def descend(parameters: Parameters, gradient: Parameters, eta: float) -> bool:
    """Subtract eta times the gradient from the parameters of one run, in place.

    Args:
        parameters: parameters of one run.
        gradient: gradient with the same names and shapes; it is overwritten.
        eta: learning rate.

    Returns:
        Whether all parameters are still finite.
    """
    for name, parameter in parameters.items():
        step = np.multiply(gradient[name], parameter.dtype.type(eta), out=gradient[name])
        np.subtract(parameter, step, out=parameter)
    return all(math.isfinite(np.vdot(parameter, parameter)) for parameter in parameters.values())
