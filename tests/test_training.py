import numpy as np
import pytest
import reference

from cifar_linear.data.batches import Batches
from cifar_linear.nn.linear import cost
from cifar_linear.nn.losses import LOSSES
from cifar_linear.nn.objective import Objective
from cifar_linear.nn.standardization import Standardization
from cifar_linear.state import State
from cifar_linear.training import evaluate, train
from cifar_linear.unpacking import draw_weights, load_dataset

EPOCHS = range(4)


class Training:
    """One group on sixty images, as experiment.py would set it up, with the numbers in the test's hands."""

    def __init__(self, config, dataset, lam, eta, n_batch=20):
        self.dataset, self.eta = dataset, lambda _epoch, _losses: np.array(eta, float)
        self.objective = Objective(LOSSES[config.loss], np.array(lam, float), Standardization.of(dataset.train.images))
        self.state = State.stack([draw_weights(config, dataset)] * len(lam), config.dtype)
        self.batches = Batches(dataset.train, n_batch=n_batch, shuffle=True, seed=config.seed, dtype=config.dtype)

    def evaluations(self, epochs=EPOCHS):
        splits = self.dataset.train, self.dataset.validation
        return train(self.state, self.objective, self.batches, *splits, eta=self.eta, epochs=epochs)


@pytest.mark.parametrize("loss", LOSSES)
def test_training_agrees_with_the_slow_twin(make_config, dataset, loss):
    """Image by image in float64, with a last partial batch, the weights are the same after three epochs."""
    config = make_config(dtype="float64", loss=loss)
    training = Training(config, dataset, lam=[0.1], eta=[0.02], n_batch=25)
    list(training.evaluations())
    twin = {"softmax": reference.softmax_cross_entropy_gradient, "sigmoid_bce": reference.sigmoid_bce_gradient}[loss]
    W, b = reference.train(
        training.objective.standardization.apply(dataset.train.images),
        dataset.train.labels,
        *draw_weights(config, dataset),
        lam=0.1,
        eta=0.02,
        n_batch=25,
        orders=[training.batches.order(epoch) for epoch in EPOCHS[1:]],
        score_gradient=twin,
    )
    np.testing.assert_allclose(training.state.W[0], W, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(training.state.b[0], b, rtol=1e-9, atol=1e-12)
    assert training.state.step == 9


def test_evaluation_is_the_textbook_figure_on_standardised_images(make_config, dataset):
    """Loss, cost and accuracy, from folded weights and raw pixels in chunks, are those of the plain formulas."""
    training = Training(make_config(dtype="float64"), dataset, lam=[0, 0.5], eta=[0.02, 0.02])
    list(training.evaluations())
    state, objective, split = training.state, training.objective, dataset.validation
    figures = evaluate(state, split, objective)
    X = objective.standardization.apply(split.images)
    np.testing.assert_allclose(figures.cost, cost(X, split.labels, state.W, state.b, objective.lam, objective.loss))
    np.testing.assert_allclose(figures.cost - figures.loss, objective.lam * np.sum(state.W**2, axis=(1, 2)))
    for run in range(2):
        predicted = (X @ state.W[run].T + state.b[run]).argmax(axis=1)
        assert figures.accuracy[run] == np.mean(predicted == split.labels)


def test_first_evaluation_is_before_any_update(make_config, dataset):
    training = Training(make_config(init_std=0.0), dataset, lam=[0.1], eta=[0.02])
    first = next(training.evaluations())
    assert (first.epoch, first.step) == (0, 0)
    assert first.train.cost == pytest.approx(np.log(10))


def test_stopping_and_going_on_is_the_same_as_not_stopping(make_config, dataset):
    """Epochs 0 to 3 at once, or 0 to 1 and then 2 to 3 from a copy of the state: the same bits."""
    at_once, stopped = (Training(make_config(), dataset, lam=[0.1], eta=[0.02]) for _ in range(2))
    list(at_once.evaluations())
    list(stopped.evaluations(range(2)))
    stopped.state = stopped.state.copy()
    list(stopped.evaluations(range(2, 4)))
    np.testing.assert_array_equal(at_once.state.W, stopped.state.W)
    assert at_once.state.step == stopped.state.step


def test_runs_of_a_group_learn_what_they_would_alone(make_config, dataset):
    """Stacked and alone agree to rounding: products of another shape add in another order, no more."""
    lam, eta = [0, 0.1, 1], [0.02, 0.01, 0.005]
    for dtype, tolerance in (("float64", 1e-12), ("float32", 1e-5)):
        together = Training(make_config(dtype=dtype), dataset, lam, eta)
        list(together.evaluations())
        for run in range(3):
            alone = Training(make_config(dtype=dtype), dataset, lam[run : run + 1], eta[run : run + 1])
            list(alone.evaluations())
            np.testing.assert_allclose(together.state.W[run], alone.state.W[0], atol=tolerance, rtol=0)


def test_a_diverging_run_keeps_its_last_finite_weights_and_leaves_the_others_alone(make_config, dataset):
    """Weights grow by 2 eta lambda = 2e4 a step until they overflow float32, in the second epoch."""
    training = Training(make_config(), dataset, lam=[0.1, 1], eta=[0.02, 1e4])
    evaluations, weights = [], []
    for evaluation in training.evaluations():
        evaluations.append(evaluation)
        weights.append(training.state.W.copy())
    alive = [evaluation.alive.tolist() for evaluation in evaluations]
    assert alive == [[True, True], [True, True], [True, False], [True, False]]
    assert training.state.diverged_at.tolist() == [-1, 5]
    np.testing.assert_array_equal(weights[3][1], weights[1][1])
    assert np.isfinite(weights[3]).all()
    alone = Training(make_config(), dataset, lam=[0.1], eta=[0.02])
    list(alone.evaluations())
    np.testing.assert_allclose(training.state.W[0], alone.state.W[0], atol=1e-5)


def test_training_ends_when_no_run_is_left(make_config, dataset):
    training = Training(make_config(), dataset, lam=[1], eta=[1e4])
    assert len(list(training.evaluations(range(100)))) == 2
    assert not training.state.alive.any()


def test_a_rate_that_is_too_large_but_finite_is_no_divergence(make_config, dataset):
    """The cost jumps, as in the required setting with eta 0.1; that is a result, not a failure."""
    training = Training(make_config(), dataset, lam=[0], eta=[50])
    costs = [evaluation.train.cost[0] for evaluation in training.evaluations(range(20))]
    assert len(costs) == 20
    assert max(costs) > costs[0]


def test_a_linear_classifier_gets_most_synthetic_images_right(make_config):
    """60 to 90 % of the test images, far more of the training images: over-fitting can be seen."""
    config = make_config(data={"images_per_batch": 1000})
    training = Training(config, load_dataset(config), lam=[0.01], eta=[0.003], n_batch=100)
    *_, last = training.evaluations(range(41))
    test = evaluate(training.state, training.dataset.test, training.objective)
    assert 0.6 < test.accuracy[0] < 0.9
    assert last.train.accuracy[0] > test.accuracy[0] + 0.1
