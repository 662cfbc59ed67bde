"""How large a step the examples allow."""

import numpy as np
import pytest

from cifar_linear.nn.losses import LOSSES
from cifar_linear.nn.safe_rate import largest_safe_eta
from cifar_linear.nn.standardization import Standardization

OUTPUTS = {"softmax": 4, "sigmoid_bce": 4, "logistic": 1}
SEEN = Standardization(np.zeros(5), np.ones(5), unit=1)


def hessian(loss, scores, label, step=1e-6):
    """Second derivatives of one loss, by differences of its gradient."""
    shifts = step * np.eye(len(scores))
    after, before = (loss.score_gradient(scores + shift, np.full(len(scores), label)) for shift in (shifts, -shifts))
    return (after - before) / (2 * step)


@pytest.mark.parametrize("name", OUTPUTS)
def test_no_direction_curves_more_than_the_bound(name):
    rng, outputs = np.random.default_rng(0), OUTPUTS[name]
    bound = LOSSES[name].curvature(outputs)
    for scale in (0.1, 1, 5):
        for scores in rng.normal(0, scale, (30, outputs)):
            assert np.linalg.eigvalsh(hessian(LOSSES[name], scores, 0))[-1] <= bound + 1e-8


@pytest.mark.parametrize(
    ("name", "scores"), [("softmax", [0, 0, -50, -50]), ("sigmoid_bce", [0] * 4), ("logistic", [0])]
)
def test_the_bound_is_reached(name, scores):
    """So no smaller one holds."""
    curvature = np.linalg.eigvalsh(hessian(LOSSES[name], np.array(scores, float), 0))[-1]
    assert curvature == pytest.approx(LOSSES[name].curvature(len(scores)), rel=1e-6)


def test_the_rate_of_all_examples_at_once_is_one_over_the_largest_curvature():
    """With a batch so large that single examples do not matter."""
    X = np.random.default_rng(0).normal(size=(40, 5))
    ones = np.hstack([X, np.ones((40, 1))])
    largest = np.linalg.eigvalsh(ones.T @ ones / 40)[-1]
    rate = largest_safe_eta(X, None, SEEN, curvature=0.5, lam=0.3, n_batch=10**9)
    assert rate == pytest.approx(1 / (0.5 * largest + 0.6))


def test_smaller_batches_have_smaller_rates():
    X = np.random.default_rng(0).normal(size=(40, 5))
    rates = [largest_safe_eta(X, None, SEEN, 0.5, 0, n_batch) for n_batch in (1, 10, 100)]
    assert rates == sorted(rates)
    assert rates[0] < rates[2] / 2


@pytest.mark.parametrize("momentum", [0, 0.5, 0.9, 0.99])
@pytest.mark.parametrize("lam", [0, 0.1, 10])
def test_updates_with_this_rate_shrink_every_direction(momentum, lam):
    """On a parabola as steep as the bound or flatter, from any velocity: both eigenvalues are below 1."""
    X = np.random.default_rng(0).normal(size=(40, 5))
    ones = np.hstack([X, np.ones((40, 1))])
    eta = largest_safe_eta(X, None, SEEN, 0.5, lam, 10**9, momentum)
    for h in 0.5 * np.linalg.eigvalsh(ones.T @ ones / 40):
        # m <- mu m + (1 - mu) h p, then p <- p - eta (m + 2 lam p)
        average = np.array([[1, 0], [(1 - momentum) * h, momentum]])
        step = np.array([[1 - 2 * eta * lam, -eta], [0, 1]])
        assert np.abs(np.linalg.eigvals(step @ average)).max() < 1


def test_weights_are_repetitions():
    X, counts = np.random.default_rng(0).normal(size=(40, 5)), np.arange(40) % 3
    weighted = largest_safe_eta(X, counts.astype(float), SEEN, 0.5, 0.1, 10)
    assert weighted == pytest.approx(largest_safe_eta(np.repeat(X, counts, axis=0), None, SEEN, 0.5, 0.1, 10))


def test_of_many_examples_some_at_even_distances_are_looked_at():
    """The first and the last among them."""
    X = np.zeros((5000, 5))
    X[[0, -1]] = 1e3
    assert largest_safe_eta(X, None, SEEN, 0.5, 0, 100) < 1e-2


def test_there_is_no_rate_for_squares_that_are_not_finite():
    assert largest_safe_eta(np.full((3, 5), 1e200), None, SEEN, 0.5, 0, 100) == 0
