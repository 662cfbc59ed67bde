import numpy as np
import pytest

from cifar_linear.nn.linear import scores
from cifar_linear.nn.standardization import Standardization


@pytest.fixture
def images():
    return np.random.default_rng(0).integers(0, 256, (1203, 40), dtype=np.uint8)


def test_statistics_are_those_of_the_images_scaled_to_one(images):
    """Mean and standard deviation with n - 1, also when the images come in several chunks."""
    seen = Standardization.of(images)
    np.testing.assert_allclose(seen.mean, (images / 255).mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(seen.std, (images / 255).std(axis=0, ddof=1), rtol=1e-12)


def test_standardised_training_images_have_mean_zero_and_deviation_one(images):
    X = Standardization.of(images).apply(images)
    np.testing.assert_allclose(X.mean(axis=0), 0, atol=1e-12)
    np.testing.assert_allclose(X.std(axis=0, ddof=1), 1, rtol=1e-12)


def test_constant_dimension_gives_zeros_not_nan(images):
    """Also for images that differ there, as validation images may."""
    images[:, 3] = 200
    seen = Standardization.of(images)
    others = images.copy()
    others[:, 3] = 7
    assert seen.std[3] == 0
    assert (seen.apply(others)[:, 3] == 0).all()


def test_a_single_image_has_no_deviation(images):
    assert (Standardization.of(images[:1]).apply(images) == 0).all()


def test_folded_weights_give_raw_pixels_the_scores_of_standardised_images(images):
    rng = np.random.default_rng(1)
    W, b = rng.normal(0, 1, (2, 3, 40)), rng.normal(0, 1, (2, 3))
    images[:, 0] = 9
    seen = Standardization.of(images)
    folded = scores(images.astype(float), *seen.fold(W, b))
    np.testing.assert_allclose(folded, scores(seen.apply(images), W, b), atol=1e-11)
