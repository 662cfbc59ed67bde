"""Examples that are not pixels, through everything below the command line."""

import numpy as np
import pytest
from groups import Training

from cifar_linear.data.dataset import Dataset, Split
from cifar_linear.experiments.gradient_check import check_gradients
from cifar_linear.nn.objective import Objective


def features_of_three_classes(dtype):
    """Classes that lie apart, in negative numbers and small steps, with 24 features."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, 300)
    features = (0.01 * (rng.normal(0, 3, (3, 24))[labels] + rng.normal(0, 1, (300, 24))) - 5).astype(dtype)
    train, validation = (Split(features[part], labels[part]) for part in (slice(200), slice(200, None)))
    return Dataset(train, validation, None, ("a", "b", "c"), (1, 1, 24))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_classifier_learns_features_of_any_scale(make_config, dtype):
    """Nothing is rounded to whole numbers or cut off."""
    training = Training(make_config(), features_of_three_classes(dtype), [0], [0.1])
    *_, last = training.evaluations()
    assert last.validation.accuracy[0] > 0.95


def test_gradients_are_checked_on_features_standardised_as_in_training(make_config):
    units = set()

    def watched(objective, *point):
        units.add(objective.model.standardization.unit)
        return Objective.gradients(objective, *point)

    assert all(case.passed for case in check_gradients(make_config(), features_of_three_classes(np.float64), watched))
    assert units == {1}
