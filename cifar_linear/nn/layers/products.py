"""Products of weights and activations for R runs at once; what all runs share is multiplied once for all.

Where the BLAS multiplies small factors without packing them first (`nn.matmul`), products with few filters are computed
in blocks of columns.
"""

import numpy as np

from cifar_linear.arrays import Floats
from cifar_linear.nn.matmul import MOST_MULTIPLICATIONS, largest_divisor, multiplies_in_place

# Above these sizes, whole products were faster than blocks when measured.
_MOST_FILTERS = 32
_MOST_ROWS = 64


def weighted(W: Floats, x: Floats, out: Floats | None = None) -> Floats:
    """Return W x of each run, (R, F, c).

    Args:
        W: weights, (R, F, m).
        x: one column for each place, (R, m, c) or, shared by all runs, (1, m, c).
        out: where the result is written; None for a new array.
    """
    (_, filters, m), places = W.shape, x.shape[2]
    y = np.empty((*W.shape[:2], places), np.result_type(W, x)) if out is None else out
    block = _columns(filters * m, places) if filters <= _MOST_FILTERS else places
    np.matmul(W[:, None], _blocks(x, block), out=_blocks(y, block))
    return y


def weight_gradient(dy: Floats, x: Floats) -> Floats:
    """Return dy x^T of each run, (R, F, m).

    Args:
        dy: gradient with respect to the output of `weighted`, (R, F, c).
        x: as there.
    """
    (_, filters, places), m = dy.shape, x.shape[1]
    if places < 2 * filters:
        direct: Floats = np.matmul(dy, x.transpose(0, 2, 1))
        return direct
    # x dy^T, not its transpose: with few filters, the BLAS gains more from the larger factor on the left than turning
    # the result costs.
    if m > _MOST_ROWS:
        product: Floats = np.matmul(x, dy.transpose(0, 2, 1))
        return np.ascontiguousarray(product.transpose(0, 2, 1))
    block = _columns(filters * m, places)
    summed: Floats = np.matmul(_blocks(x, block), _blocks(dy, block).transpose(0, 1, 3, 2)).sum(axis=1)
    return np.ascontiguousarray(summed.transpose(0, 2, 1))


def _columns(size: int, places: int) -> int:
    """Return the number of columns in a block of a product with ``size`` multiplications for each column."""
    return largest_divisor(places, MOST_MULTIPLICATIONS // size) if multiplies_in_place() else places


def _blocks(columns: Floats, block: int) -> Floats:
    """Return a view (R, c / block, m, block) of (R, m, c)."""
    runs, m, places = columns.shape
    return columns.reshape(runs, m, places // block, block).transpose(0, 2, 1, 3)
