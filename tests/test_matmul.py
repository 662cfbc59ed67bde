import numpy as np
import pytest

from cifar_linear.nn.matmul import columns_times_columns, rows_times_rows

SHAPES = [
    (100, 10, 3072),
    (500, 10, 3072),
    (37, 10, 3072),
    (1, 1, 784),
    (101, 40, 3072),
    (100, 90, 784),
    (5, 90, 3072),
    (7, 3, 13),
]


@pytest.mark.parametrize("spare", [0, 16])
@pytest.mark.parametrize(("n", "k", "d"), SHAPES)
def test_products_in_blocks_are_the_whole_products(n, k, d, spare):
    """Also of rows with room between them."""
    rng = np.random.default_rng(n)
    X, V, G = rng.normal(size=(n, d + spare))[:, :d], rng.normal(size=(k, d)), rng.normal(size=(n, k))
    np.testing.assert_allclose(rows_times_rows(X, V), X @ V.T, rtol=1e-12, atol=1e-11)
    out = np.empty((k, d))
    columns_times_columns(G, X, out)
    np.testing.assert_allclose(out, G.T @ X, rtol=1e-12, atol=1e-12)
    columns_times_columns(np.asfortranarray(G), X, out)
    np.testing.assert_allclose(out, G.T @ X, rtol=1e-12, atol=1e-12)
