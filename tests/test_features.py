"""Examples that are no pixels, through everything below the command line."""

import numpy as np
import pytest
from groups import Training

from cifar_linear.data.dataset import Dataset, Split


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_classifier_learns_features_of_any_scale(make_config, dtype):
    """Classes that lie apart, in negative numbers and small steps: nothing is rounded to whole numbers or cut off."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, 300)
    features = (0.01 * (rng.normal(0, 3, (3, 8))[labels] + rng.normal(0, 1, (300, 8))) - 5).astype(dtype)
    train, validation = (Split(features[part], labels[part]) for part in (slice(200), slice(200, None)))
    training = Training(make_config(), Dataset(train, validation, None, ("a", "b", "c"), (1, 1, 8)), [0], [0.1])
    *_, last = training.evaluations()
    assert last.validation.accuracy[0] > 0.95
