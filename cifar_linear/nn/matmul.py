"""Matrix products in blocks that OpenBLAS multiplies without copying them.

Before a product, a BLAS packs its factors into a layout that suits the processor. With ten classes, packing takes as
long as the product. On processors with AVX-512, OpenBLAS omits it for small products: at most 100**3 multiplications
and, if both factors are read along their rows, at most 1200 results (kernel/x86_64/sgemm_small_kernel_permit_skylakex.c
in its source). With any other BLAS the product is a single block.
"""

from functools import cache, lru_cache

import numpy as np
from threadpoolctl import threadpool_info

from cifar_linear.arrays import Floats

_ARCHITECTURES = ("SkylakeX", "Cooperlake", "SapphireRapids")
MOST_MULTIPLICATIONS = 100**3
"""In a product whose factors OpenBLAS reads as they are."""
_MOST_RESULTS = 1200
# These were the fastest when measured: for few rows of weights, as many images per block as allowed; for more rows of
# weights, four images, and at most half a mebibyte of weights at once; and no block with very few features.
_FEW_WEIGHTS = 24
_FEW_IMAGES = 4
_MOST_WEIGHTS = 2**17
_FEWEST_FEATURES = 64


def rows_times_rows(X: Floats, V: Floats) -> Floats:
    """Return X V^T, (n, k), from X (n, d) and V (k, d), in blocks of rows of X and of features."""
    (n, d), k = X.shape, len(V)
    rows, features = _blocks_of_rows(n, k, d)
    of_X = X.reshape(n // rows, rows, d // features, features).transpose(2, 0, 1, 3)
    of_V = V.reshape(k, d // features, features).transpose(1, 2, 0)
    products = np.matmul(of_X, of_V[:, None])
    summed: Floats = products.sum(axis=0) if len(products) > 1 else products[0]
    return summed.reshape(n, k)


def columns_times_columns(G: Floats, X: Floats, out: Floats) -> None:
    """Compute G^T X into ``out`` (k, d), from G (n, k) and X (n, d), in blocks of features."""
    (n, k), d = G.shape, X.shape[1]
    features = _features_of_columns(n, k, d)
    of_X = X.reshape(n, d // features, features).transpose(1, 0, 2)
    np.matmul(G.T, of_X, out=out.reshape(k, d // features, features).transpose(1, 0, 2))


@lru_cache
def _blocks_of_rows(n: int, k: int, d: int) -> tuple[int, int]:
    """Return the number of images and of features in a block of `rows_times_rows`."""
    rows = largest_divisor(n, _MOST_RESULTS // k if k <= _FEW_WEIGHTS else _FEW_IMAGES)
    if not multiplies_in_place() or rows < min(n, _FEW_IMAGES) or rows * k > _MOST_RESULTS:
        return n, d
    features = largest_divisor(d, min(MOST_MULTIPLICATIONS // (rows * k), _MOST_WEIGHTS // k))
    # A number of features without suitable divisors would give very many narrow blocks.
    return (rows, features) if features >= min(d, _FEWEST_FEATURES) else (n, d)


@lru_cache
def _features_of_columns(n: int, k: int, d: int) -> int:
    """Return the number of features in a block of `columns_times_columns`."""
    features = largest_divisor(d, MOST_MULTIPLICATIONS // (n * k))
    return features if multiplies_in_place() and features >= min(d, _FEWEST_FEATURES) else d


def largest_divisor(length: int, most: int) -> int:
    """Return the largest divisor of ``length`` that is at most ``most``; at least 1.

    >>> largest_divisor(3072, 1000), largest_divisor(37, 120), largest_divisor(37, 30)
    (768, 37, 1)
    """
    return next((part for part in range(min(length, most), 0, -1) if length % part == 0), 1)


@cache
def multiplies_in_place() -> bool:
    """Return whether NumPy's BLAS multiplies small factors without packing them."""
    return any(library.get("architecture") in _ARCHITECTURES for library in threadpool_info())
