"""Products of weights and activations for R runs at once; what all runs share is multiplied once for all."""

import numpy as np

from cifar_linear.arrays import Floats


def weighted(W: Floats, x: Floats) -> Floats:
    """W x of each run, (R, F, c), from W (R, F, m) and x (R, m, c) or, shared, (1, m, c): one product of R F rows."""
    if len(x) == 1:
        shared: Floats = np.matmul(W.reshape(-1, W.shape[2]), x[0])
        return shared.reshape(*W.shape[:2], -1)
    own: Floats = np.matmul(W, x)
    return own


def weight_gradient(dy: Floats, x: Floats) -> Floats:
    """Dy x^T of each run, (R, F, m), from dy (R, F, c) and x (R, m, c) or, shared, (1, m, c)."""
    if len(x) == 1:
        shared: Floats = np.matmul(dy.reshape(-1, dy.shape[2]), x[0].T)
        return shared.reshape(*dy.shape[:2], -1)
    own: Floats = np.matmul(dy, x.transpose(0, 2, 1))
    return own
