"""How a difference between two runs grows: what the documentation says of rounding."""

import numpy as np
import pytest
from groups import Training

from cifar_linear.data.dataset import Dataset, Split

IMAGES, FEATURES, N_BATCH = 200, 12, 20


@pytest.fixture
def pair(make_config):
    """A function that makes two runs of one config in a group, the second from a start of its own.

    Random labels on random pixels, more images than weights: no classifier gets all of them right.
    """
    rng = np.random.default_rng(0)
    split = Split(rng.integers(0, 256, (IMAGES, FEATURES), dtype=np.uint8), rng.integers(0, 10, IMAGES))
    dataset = Dataset(split, split, None, tuple("abcdefghij"), (3, 2, 2))

    def make(eta, second_start=np.copy):
        training = Training(make_config(dtype="float64"), dataset, lam=[0, 0], eta=[eta, eta], n_batch=N_BATCH)
        training.state.parameters["W"][1] = second_start(training.state.parameters["W"][1])
        return training

    return make


def stable_rate(training, epochs):
    """2 / L, where L bounds the curvature of every batch of these epochs, at any weights.

    The Hessian with respect to the scores, diag(p) - p p^T, has no eigenvalue above 1/2.
    """
    X = training.standardization.apply(training.dataset.train.images)
    X = np.column_stack([X, np.ones(IMAGES)])
    batches = (X[rows] for epoch in range(1, epochs + 1) for rows in training.batches.order(epoch).reshape(-1, N_BATCH))
    return 2 / max(np.linalg.norm(batch, 2) ** 2 / N_BATCH / 2 for batch in batches)


def distances(training, epochs):
    """The distance between the weights of the two runs before every update."""
    found = []

    def watch():
        W, b = training.state.parameters.values()
        found.append(np.hypot(np.linalg.norm(W[0] - W[1]), np.linalg.norm(b[0] - b[1])))

    list(training.evaluations(epochs, check=watch))
    return np.array(found)


def test_a_stable_rate_moves_no_two_runs_apart(pair):
    """The loss is convex: with eta up to 2 / L, no update increases the distance between two weight vectors."""
    eta = stable_rate(pair(1), epochs=5)
    apart = distances(pair(eta, lambda W: W[::-1]), epochs=5)
    assert len(apart) == 5 * IMAGES / N_BATCH
    assert (np.diff(apart) < 0).all()


def test_a_rate_far_above_it_turns_a_tiny_change_of_one_weight_into_another_result(pair):
    """The difference grows from 1e-13, about the rounding of a few updates, to the size of the weights."""

    def nudged(W):
        W = W.copy()
        W[0, 0] += 1e-13
        return W

    apart = distances(pair(30 * stable_rate(pair(1), epochs=30), nudged), epochs=30)
    assert apart[0] < 1e-12
    assert apart[-100:].min() > 1


def test_a_stable_rate_keeps_the_same_change_as_small_as_it_was(pair):
    """So results at such a rate agree to rounding, whatever the kernel."""
    apart = distances(pair(stable_rate(pair(1), epochs=30), lambda W: W + 1e-13), epochs=30)
    assert apart.max() < 1e-11
