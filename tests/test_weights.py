"""Examples that count more or less than once."""

from dataclasses import replace

import numpy as np
import pytest
from groups import Training

from cifar_linear.data.batches import Batches
from cifar_linear.data.dataset import Split, first_images, hold_out, only_classes
from cifar_linear.training.evaluation import evaluate

COUNTS = np.arange(60) % 3
LOSSES = ("softmax", "sigmoid_bce", "logistic")


def repeated(split, counts):
    return split.part(np.repeat(np.arange(len(split)), counts))


@pytest.fixture(params=LOSSES)
def training(request, make_config, dataset):
    """Two runs with one of the losses, on examples of two classes in double precision."""
    config = make_config(data={"classes": [0, 1]}, loss=request.param, dtype="float64", init_std=0.1)
    labels = dataset.train.labels % 2
    two = replace(dataset, train=replace(dataset.train, labels=labels), class_names=("even", "odd"))
    two = replace(two, validation=two.train)
    return Training(config, two, [0.1, 0], [0.02, 0.05])


def test_a_weight_of_two_is_a_doubled_example_in_the_gradient(training):
    """But for the number that the sum is divided by: n either way."""
    split, parameters = training.dataset.train, training.state.parameters
    twice = repeated(split, COUNTS)
    weighted = training.objective.loss_gradients(
        split.images, split.labels, parameters, np.ones(2), COUNTS.astype(float)
    )
    found = [{name: array.copy() for name, array in gradient.items()} for gradient in weighted]
    plain = training.objective.loss_gradients(twice.images, twice.labels, parameters, np.ones(2))
    for run, gradient in enumerate(plain):
        for name, array in gradient.items():
            expected = array * len(twice) / len(split)
            np.testing.assert_allclose(found[run][name], expected, rtol=1e-9, atol=1e-12)


def test_a_weight_of_two_is_a_doubled_example_in_every_metric(training):
    split, parameters = training.dataset.train, training.state.parameters
    weighted = evaluate(parameters, replace(split, weights=COUNTS.astype(float)), training.objective)
    for found, expected in zip(
        weighted, evaluate(parameters, repeated(split, COUNTS), training.objective), strict=True
    ):
        np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_each_run_can_have_weights_of_its_own(training):
    """In gradients and metrics it is then as if the other run's weights were not there."""
    split, parameters = training.dataset.train, training.state.parameters
    own = np.stack([COUNTS, COUNTS[::-1]], axis=1).astype(float)

    def found(weights):
        examples = split.images, split.labels, parameters
        gradients = training.objective.loss_gradients(*examples, np.ones(2), weights)
        losses = training.objective.mean_loss(*examples, weights)
        metrics = evaluate(parameters, replace(split, weights=weights), training.objective)
        return [gradient["W"].copy() for gradient in gradients], losses, np.array(metrics).T

    together = found(own)
    for run in range(2):
        for both, alone in zip(together, found(own[:, run]), strict=True):
            np.testing.assert_allclose(both[run], alone[run], rtol=1e-12, atol=1e-15)


def test_weights_of_one_change_no_bit(make_config, dataset):
    def trained(split):
        training = Training(make_config(), replace(dataset, train=split), [0.1, 0], [0.02, 0.05])
        rows = list(training.evaluations(record_steps=True))
        return training.state.parameters, [(*row.train, *row.validation, row.step_losses) for row in rows]

    (plain, metrics), (weighted, same) = map(trained, (dataset.train, replace(dataset.train, weights=np.ones(60))))
    for name, array in plain.items():
        np.testing.assert_array_equal(weighted[name], array)
    for expected, found in zip(metrics, same, strict=True):
        for one, other in zip(expected, found, strict=True):
            np.testing.assert_array_equal(other, one)


def test_the_loss_of_a_batch_is_recorded_with_its_weights(training):
    weights = COUNTS.astype(float)
    split = replace(training.dataset.train, weights=weights)
    training.batches = Batches(split, n_batch=60, shuffle=True, seed=0)
    before, after = training.evaluations(1, record_steps=True)
    expected = evaluate(before.state.parameters, split, training.objective).loss * weights.mean()
    np.testing.assert_allclose(after.step_losses, expected[None], rtol=1e-12)


def test_an_example_keeps_its_weight_in_every_part():
    """Labels, images and weights are the same numbers here, so that each example shows whose weight it has."""
    split = Split(np.arange(40)[:, None], np.arange(40) % 4, np.arange(40.0))
    parts = [*hold_out(split, 8, np.random.default_rng(0)), first_images(split, 7), only_classes(split, [1, 3])]
    assert [len(part) for part in parts] == [32, 8, 7, 20]
    for part in parts:
        np.testing.assert_array_equal(part.weights, part.images[:, 0])
