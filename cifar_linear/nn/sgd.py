"""One step of mini-batch gradient descent."""

import math

import numpy as np

from cifar_linear.arrays import Floats


def descend(W: Floats, b: Floats, grad_W: Floats, grad_b: Floats, eta: float) -> bool:
    """Subtract eta times the gradient from W (K, d) and b (K,), in place; tells whether all is finite then.

    ``grad_W`` is used up. With eta 0 everything stays as it is.
    """
    rate = W.dtype.type(eta)
    grad_W *= rate
    W -= grad_W
    b -= rate * grad_b
    return math.isfinite(np.vdot(W, W)) and bool(np.isfinite(b).all())
