"""Matrix products in blocks that OpenBLAS multiplies where they lie.

Before a product, a BLAS copies its factors into a shape that suits the processor. With ten classes that costs as much
as the product. For processors with AVX-512, OpenBLAS leaves it out where a product is small: at most 100**3
multiplications, and where both factors are read along their rows at most 1200 results (its source,
kernel/x86_64/sgemm_small_kernel_permit_skylakex.c). Elsewhere blocks neither help nor harm.
"""

from functools import lru_cache

import numpy as np

from cifar_linear.arrays import Floats

_MOST_MULTIPLICATIONS = 100**3
_MOST_RESULTS = 1200
# Blocks narrower than these gain less than they cost.
_FEWEST_ROWS = 20
_FEWEST_FEATURES = 64


def rows_times_rows(X: Floats, V: Floats) -> Floats:
    """X V^T, (n, k), from X (n, d) and V (k, d): blocks of rows of X, and of features, whose products are summed."""
    (n, d), k = X.shape, len(V)
    rows = _part(n, _MOST_RESULTS // k, at_least=_FEWEST_ROWS)
    features = _part(d, _MOST_MULTIPLICATIONS // (rows * k)) if rows * k <= _MOST_RESULTS else d
    of_X = X.reshape(n // rows, rows, d // features, features).transpose(2, 0, 1, 3)
    of_V = V.reshape(k, d // features, features).transpose(1, 2, 0)
    products = np.matmul(of_X, of_V[:, None])
    summed: Floats = products.sum(axis=0) if len(products) > 1 else products[0]
    return summed.reshape(n, k)


def columns_times_columns(G: Floats, X: Floats, out: Floats) -> None:
    """G^T X into ``out`` (k, d), from G (n, k) and X (n, d), by blocks of features."""
    (n, k), d = G.shape, X.shape[1]
    features = _part(d, _MOST_MULTIPLICATIONS // (n * k), at_least=_FEWEST_FEATURES)
    of_X = X.reshape(n, d // features, features).transpose(1, 0, 2)
    np.matmul(G.T, of_X, out=out.reshape(k, d // features, features).transpose(1, 0, 2))


@lru_cache
def _part(length: int, most: int, at_least: int = 1) -> int:
    """The largest divisor of ``length`` that is not above ``most``; all of it if that is below ``at_least``.

    >>> _part(3072, 1000), _part(3072, 100, at_least=128), _part(37, 120, at_least=50)
    (768, 3072, 37)
    """
    part = next((part for part in range(min(length, most), 0, -1) if length % part == 0), length)
    return part if part >= at_least or part == length else length
