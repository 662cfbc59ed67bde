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


@pytest.mark.parametrize("offset", [0, -1e8])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_statistics_of_features_are_those_of_numpy_in_double_precision(dtype, offset):
    """As they are, divided by nothing; with a mean that is 100 million times the deviation as well."""
    features = (offset + np.random.default_rng(0).normal(3, 2, (1203, 40))).astype(dtype)
    seen = Standardization.of(features)
    assert seen.unit == 1
    np.testing.assert_allclose(seen.mean, features.mean(axis=0, dtype=np.float64), rtol=1e-14)
    np.testing.assert_allclose(seen.std, features.std(axis=0, ddof=1, dtype=np.float64), rtol=1e-9)


def test_standardised_features_have_mean_zero_and_deviation_one():
    features = np.random.default_rng(0).normal(50, 7, (1203, 40))
    X = Standardization.of(features).apply(features)
    np.testing.assert_allclose(X.mean(axis=0), 0, atol=1e-12)
    np.testing.assert_allclose(X.std(axis=0, ddof=1), 1, rtol=1e-12)


def test_a_constant_feature_has_exactly_its_value_as_mean_and_no_deviation():
    """Also where the sum of its values is rounded: 1203 times 0.1 is not 120.3."""
    seen = Standardization.of(np.full((1203, 2), 0.1))
    assert seen.mean.tolist() == [0.1, 0.1]
    assert seen.std.tolist() == [0, 0]


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e300])
def test_features_without_finite_statistics_are_refused(value):
    features = np.zeros((600, 4))
    features[555, 2] = value
    with pytest.raises(ValueError, match="feature 2 has no finite mean and standard deviation"):
        Standardization.of(features)


def test_folded_weights_give_features_the_scores_of_standardised_ones():
    rng = np.random.default_rng(1)
    W, b, features = rng.normal(0, 1, (2, 3, 40)), rng.normal(0, 1, (2, 3)), rng.normal(5, 3, (20, 40))
    seen = Standardization.of(features)
    np.testing.assert_allclose(scores(features, *seen.fold(W, b)), scores(seen.apply(features), W, b), atol=1e-11)
