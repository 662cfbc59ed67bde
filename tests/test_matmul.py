import numpy as np
import pytest

from cifar_linear.nn import matmul
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


@pytest.mark.parametrize("d", [1009, 2053, 512, 1280])
def test_features_without_divisors_are_multiplied_at_once(monkeypatch, d):
    """Blocks of a few features would cost more than the copies that they avoid."""
    monkeypatch.setattr(matmul, "multiplies_in_place", lambda: True)
    for cached in (matmul._blocks_of_rows, matmul._features_of_columns):
        cached.cache_clear()
    for n, k in ((100, 10), (100, 40), (500, 10)):
        _, features = matmul._blocks_of_rows(n, k, d)
        assert features >= matmul._FEWEST_FEATURES
        assert matmul._features_of_columns(n, k, d) >= matmul._FEWEST_FEATURES
    for cached in (matmul._blocks_of_rows, matmul._features_of_columns):
        cached.cache_clear()
