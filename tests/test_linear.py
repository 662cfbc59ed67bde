import autograd
import autograd.numpy as anp
import numpy as np
import pytest
import reference

from cifar_linear.nn import linear
from cifar_linear.nn.losses import LOSSES
from cifar_linear.nn.objective import Objective
from cifar_linear.nn.sgd import descend, smooth
from cifar_linear.nn.standardization import Standardization

LAM = np.array([0.0, 0.3])


@pytest.fixture
def problem():
    """Two runs, seven raw images of twelve dimensions, four classes."""
    rng = np.random.default_rng(5)
    pixels = rng.integers(0, 256, (7, 12), dtype=np.uint8)
    return pixels, rng.integers(0, 4, 7), rng.normal(0, 1, (2, 4, 12)), rng.normal(0, 1, (2, 4))


def objective_for(pixels, loss="softmax", lam=LAM, outputs=4, bias_is_weight=False):
    """Of a linear model that standardises with the pixels' own mean and deviation."""
    model = linear.Linear(outputs, Standardization.of(pixels), bias_is_weight=bias_is_weight)
    return Objective(model, LOSSES[loss], lam)


def stacked_gradients(objective, pixels, labels, W, b):
    """Those of all runs, (R, K, d) and (R, K)."""
    by_run = list(objective.gradients(pixels, labels, {"W": W, "b": b}))
    return tuple(np.stack([gradient[name].copy() for gradient in by_run]) for name in ("W", "b"))


@pytest.mark.parametrize("name", LOSSES)
def test_gradients_and_cost_agree_with_the_slow_twin(name, problem):
    """Image by image on standardised images gives what the stacked, folded computation gives, for each run."""
    pixels, labels, W, b = problem
    if name == "logistic":
        labels, W, b = labels % 2, W[:, :1], b[:, :1]
    objective = objective_for(pixels, name, outputs=W.shape[1])
    X = objective.model.standardization.apply(pixels)
    grad_W, grad_b = stacked_gradients(objective, pixels.astype(float), labels, W, b)
    costs = linear.cost(X, labels, W, b, LAM, LOSSES[name])
    twin = {"softmax": "softmax_cross_entropy"}.get(name, name)
    for run, lam in enumerate(LAM):
        slow = reference.gradients(X, labels, W[run], b[run], lam, getattr(reference, f"{twin}_gradient"))
        np.testing.assert_allclose(grad_W[run], slow[0], rtol=1e-10, atol=1e-12)
        np.testing.assert_allclose(grad_b[run], slow[1], rtol=1e-10, atol=1e-12)
        slow_cost = reference.cost(X, labels.tolist(), W[run], b[run], lam, getattr(reference, twin))
        np.testing.assert_allclose(costs[run], slow_cost, rtol=1e-12)


def test_gradients_agree_with_automatic_differentiation(problem):
    """Autograd, given the cost as the course writes it (images in columns), finds the same gradients to 1e-10."""
    pixels, labels, W, b = problem
    objective = objective_for(pixels)
    X = objective.model.standardization.apply(pixels)

    def cost(W, b, lam):
        scores = anp.dot(W, X.T) + b[:, None]
        log_p = scores - anp.log(anp.sum(anp.exp(scores), axis=0))
        return -anp.mean(log_p[labels, anp.arange(len(labels))]) + lam * anp.sum(W**2)

    grad_W, grad_b = stacked_gradients(objective, pixels.astype(float), labels, W, b)
    for run, lam in enumerate(LAM):
        theirs_W, theirs_b = autograd.grad(cost, (0, 1))(W[run], b[run], lam)
        np.testing.assert_allclose(grad_W[run], theirs_W, rtol=1e-10, atol=1e-13)
        np.testing.assert_allclose(grad_b[run], theirs_b, rtol=1e-10, atol=1e-13)


def test_zero_weights_cost_ln_k(problem):
    pixels, labels, W, b = problem
    cost = linear.cost(pixels.astype(float), labels, 0 * W, 0 * b, LAM, LOSSES["softmax"])
    np.testing.assert_allclose(cost, np.log(4))


def test_bias_is_not_penalised(problem):
    """The penalty adds exactly 2 lambda W to the gradient of W, and nothing to that of b."""
    pixels, labels, W, b = problem
    plain, penalised = (
        stacked_gradients(objective_for(pixels, lam=lam), pixels.astype(float), labels, W, b) for lam in (0 * LAM, LAM)
    )
    np.testing.assert_allclose(penalised[0] - plain[0], 2 * LAM[:, None, None] * W, atol=1e-14)
    np.testing.assert_array_equal(penalised[1], plain[1])


def test_float32_stays_float32(problem):
    pixels, labels, W, b = problem
    W, b = W.astype(np.float32), b.astype(np.float32)
    objective = objective_for(pixels)
    gradients = stacked_gradients(objective, pixels.astype(np.float32), labels, W, b)
    assert [part.dtype for part in gradients] == [np.float32, np.float32]
    exact = stacked_gradients(objective, pixels.astype(float), labels, W.astype(float), b.astype(float))
    np.testing.assert_allclose(gradients[0], exact[0], rtol=1e-4, atol=1e-5)


def test_initial_weights_are_w_then_b_from_one_stream():
    model = linear.Linear(10, Standardization.same_for_all(3072, mean=0.5, std=0.5), init_std=0.01)
    W, b = model.initial(np.random.default_rng(3)).values()
    numbers = np.random.default_rng(3).normal(0, 0.01, 10 * 3072 + 10)
    np.testing.assert_array_equal(np.concatenate([W.ravel(), b]), numbers)
    assert np.std(W) == pytest.approx(0.01, rel=0.02)


def test_descend_subtracts_the_step():
    W, b = np.ones((2, 3)), np.ones(2)
    assert descend({"W": W, "b": b}, {"W": np.full((2, 3), 0.5), "b": np.full(2, -0.5)})
    np.testing.assert_array_equal(W, np.full((2, 3), 0.5))
    np.testing.assert_array_equal(b, np.full(2, 1.5))


def test_a_factor_multiplies_the_loss_gradient_and_the_penalty_of_its_run(problem):
    """So that the learning rate may be applied to the few derivatives by the scores."""
    pixels, labels, W, b = problem
    objective, parameters, rates = objective_for(pixels), {"W": W, "b": b}, np.array([0.3, 2.0])
    expected = stacked_gradients(objective, pixels, labels, W, b)
    for run, step in enumerate(objective.loss_gradients(pixels, labels, parameters, rates)):
        objective.add_penalty(step, {"W": W[run], "b": b[run]}, run, rates[run])
        np.testing.assert_allclose(step["W"], rates[run] * expected[0][run], rtol=1e-10, atol=1e-13)
        np.testing.assert_allclose(step["b"], rates[run] * expected[1][run], rtol=1e-10, atol=1e-13)


@pytest.mark.parametrize("where", ["W", "b"])
@pytest.mark.parametrize("what", [np.inf, -np.inf, np.nan])
def test_descend_finds_what_is_no_longer_finite(where, what):
    step = {"W": np.ones((2, 3)), "b": np.ones(2)}
    step[where].flat[1] = what
    assert not descend({"W": np.ones((2, 3)), "b": np.ones(2)}, step)


def test_momentum_is_a_moving_average_of_the_gradients():
    """As PyTorch's momentum with eta (1 - mu), up to what it makes of the first steps; a steady gradient is kept."""
    rng, mu = np.random.default_rng(0), 0.9
    gradients = [{"W": rng.normal(size=(2, 3)), "b": rng.normal(size=2)} for _ in range(5)]
    velocity = {"W": np.zeros((2, 3)), "b": np.zeros(2)}
    buffer = {name: np.zeros_like(array) for name, array in velocity.items()}
    for gradient in gradients:
        for name, array in gradient.items():
            buffer[name] = mu * buffer[name] + array
        share = {name: (1 - mu) * array for name, array in gradient.items()}
        smooth(velocity, share, mu, 0.5)
        for name, array in share.items():
            np.testing.assert_allclose(velocity[name], (1 - mu) * buffer[name], rtol=1e-12)
            np.testing.assert_array_equal(array, 0.5 * velocity[name])
    for _ in range(500):
        smooth(velocity, {name: np.full_like(array, 1 - mu) for name, array in velocity.items()}, mu, 0.5)
    np.testing.assert_allclose(velocity["W"], 1)


def test_a_penalised_bias_is_the_weight_of_a_column_of_ones(problem):
    """Gradient and cost are those of plain weights for images with a one appended."""
    pixels, labels, W, b = problem
    objective = objective_for(pixels, bias_is_weight=True)
    X = np.hstack([objective.model.standardization.apply(pixels), np.ones((len(pixels), 1))])
    whole = np.concatenate([W, b[..., None]], axis=-1)
    grad_W, grad_b = stacked_gradients(objective, pixels.astype(float), labels, W, b)
    for run, lam in enumerate(LAM):
        twin = reference.softmax_cross_entropy_gradient
        slow, _ = reference.gradients(X, labels, whole[run], np.zeros(4), lam, twin)
        np.testing.assert_allclose(grad_W[run], slow[:, :-1], rtol=1e-10, atol=1e-12)
        np.testing.assert_allclose(grad_b[run], slow[:, -1], rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(objective.squares({"W": W, "b": b}), np.sum(whole**2, axis=(1, 2)))
