"""One step of mini-batch gradient descent, for R runs at once."""

import numpy as np

from cifar_linear.arrays import Bools, Floats
from cifar_linear.nn.linear import penalty


def descend(W: Floats, b: Floats, grad_W: Floats, grad_b: Floats, eta: Floats) -> Bools:
    """Subtract eta times the gradient from W (R, K, d) and b (R, K), in place.

    ``eta`` is (R,); a run with eta 0 stays as it is. ``grad_W`` and ``grad_b`` are used up.
    Returns which runs are still finite, (R,).
    """
    rate = eta.astype(W.dtype)
    grad_W *= rate[:, None, None]
    grad_b *= rate[:, None]
    W -= grad_W
    b -= grad_b
    finite: Bools = np.isfinite(penalty(W)) & np.isfinite(b).all(axis=1)
    return finite
