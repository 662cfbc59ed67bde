import autograd
import autograd.numpy as anp
import numpy as np
import pytest
import reference
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.metrics import log_loss

from cifar_linear.nn.losses import LOSSES, logistic, sigmoid, sigmoid_bce, softmax, softmax_cross_entropy

EVERY_LOSS = pytest.mark.parametrize("name", LOSSES)
TWINS = {
    "softmax": (reference.softmax, reference.softmax_cross_entropy, reference.softmax_cross_entropy_gradient),
    "sigmoid_bce": (reference.sigmoid, reference.sigmoid_bce, reference.sigmoid_bce_gradient),
    "logistic": (reference.logistic_probabilities, reference.logistic, reference.logistic_gradient),
}


def fitting(name, scores, labels):
    """Scores and labels of a kind that the loss takes: one score and two classes for the logistic one."""
    return (scores[..., :1], labels % 2) if name == "logistic" else (scores, labels)


@pytest.fixture
def scores():
    return np.random.default_rng(1).normal(0, 3, (30, 10))


@pytest.fixture
def labels():
    return np.random.default_rng(2).integers(0, 10, 30)


@EVERY_LOSS
def test_agrees_with_its_slow_twin(name, scores, labels):
    scores, labels = fitting(name, scores, labels)
    loss, (probabilities, value, gradient) = LOSSES[name], TWINS[name]
    pairs = list(zip(scores.tolist(), labels.tolist(), strict=True))
    np.testing.assert_allclose(loss.probabilities(scores), [probabilities(s) for s, _ in pairs], rtol=1e-12)
    np.testing.assert_allclose(loss.values(scores, labels), [value(s, y) for s, y in pairs], rtol=1e-12)
    expected = [gradient(s, y) for s, y in pairs]
    np.testing.assert_allclose(loss.score_gradient(scores, labels), expected, rtol=1e-11, atol=1e-16)


def test_softmax_cross_entropy_agrees_with_scikit_learn(scores, labels):
    """A library that others wrote finds the same mean loss."""
    theirs = log_loss(labels, softmax(scores), labels=range(10))
    np.testing.assert_allclose(softmax_cross_entropy(scores, labels).mean(), theirs, rtol=1e-12)


def test_sigmoid_bce_agrees_with_scikit_learn(scores, labels):
    """The mean over the classes of ten binary log losses of scikit-learn is the multiple binary cross-entropy."""
    p = sigmoid(scores)
    theirs = [log_loss(labels == k, p[:, k], labels=[False, True]) for k in range(10)]
    np.testing.assert_allclose(sigmoid_bce(scores, labels).mean(), np.mean(theirs), rtol=1e-12)


AUTOGRAD = {
    "softmax": lambda s, y: anp.sum(anp.log(anp.sum(anp.exp(s), axis=1)) - s[anp.arange(len(y)), y]),
    "sigmoid_bce": lambda s, y: anp.sum(
        anp.log(1 + anp.exp(s)) - s * (anp.arange(s.shape[1]) == y[:, None])
    ) / s.shape[1],
    "logistic": lambda s, y: anp.sum(anp.log(1 + anp.exp(s[:, 0])) - s[:, 0] * (y == 0)),
}  # fmt: skip


@EVERY_LOSS
def test_gradient_agrees_with_automatic_differentiation(name, scores, labels):
    """Autograd differentiates the textbook formula to the same score gradient."""
    scores, labels = fitting(name, scores, labels)
    theirs = autograd.grad(AUTOGRAD[name])(scores, labels)
    np.testing.assert_allclose(LOSSES[name].score_gradient(scores, labels), theirs, rtol=1e-9, atol=1e-15)


def test_zero_scores_cost_ln_k_and_ln_2():
    """Knowing nothing costs ln K with softmax and ln 2 with K binary decisions."""
    scores, labels = np.zeros((1, 10)), np.array([4])
    assert softmax_cross_entropy(scores, labels) == pytest.approx(np.log(10))
    assert sigmoid_bce(scores, labels) == pytest.approx(np.log(2))
    assert logistic(scores[:, :1], labels % 2) == pytest.approx(np.log(2))


@pytest.mark.parametrize(("name", "outputs"), [("softmax", [0.1] * 10), ("logistic", [0.5, 0.5])])
def test_zero_weights_give_every_class_the_same_probability(name, outputs):
    probabilities = LOSSES[name].probabilities(np.zeros((3, LOSSES[name].scores_for(len(outputs)))))
    np.testing.assert_allclose(probabilities, [outputs] * 3)


def test_logistic_predicts_the_first_class_from_one_half_on():
    """It is the softmax of two classes whose second score is 0."""
    scores = np.array([[0.0], [1e-300], [-1e-300], [3.0]])
    assert LOSSES["logistic"].predicted(scores).tolist() == [0, 0, 1, 0]
    both = np.concatenate([scores, 0 * scores], axis=1)
    np.testing.assert_allclose(
        logistic(scores, np.array([0, 1, 1, 0])), softmax_cross_entropy(both, np.array([0, 1, 1, 0]))
    )
    np.testing.assert_allclose(LOSSES["logistic"].probabilities(scores), softmax(both))


@EVERY_LOSS
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_extreme_scores_stay_finite_and_keep_their_dtype(name, dtype):
    """Scores of +-1e4 give finite losses and gradients: 1e4 apart costs what it should, not infinity."""
    scores = np.array([[1e4, -1e4, 0], [-1e4, 1e4, 0]], dtype)
    scores, labels = fitting(name, scores, np.array([0, 0]))
    loss = LOSSES[name]
    values = loss.values(scores, labels)
    assert np.isfinite(values).all()
    assert np.isfinite(loss.score_gradient(scores, labels)).all()
    assert values.dtype == loss.score_gradient(scores, labels).dtype == loss.probabilities(scores).dtype == dtype
    expected = {"softmax": [0, 2e4], "sigmoid_bce": [np.log(2) / 3, (2e4 + np.log(2)) / 3], "logistic": [0, 1e4]}[name]
    np.testing.assert_allclose(values, expected, rtol=1e-6)


@given(arrays(np.float64, (4, 2, 5), elements=st.floats(-100, 100)), st.floats(-1e3, 1e3))
def test_adding_a_constant_to_all_scores_changes_nothing(scores, constant):
    labels = np.array([0, 1, 2, 4])
    np.testing.assert_allclose(softmax(scores + constant), softmax(scores), rtol=1e-9, atol=1e-300)
    moved = softmax_cross_entropy(scores + constant, labels)
    np.testing.assert_allclose(moved, softmax_cross_entropy(scores, labels), rtol=1e-9, atol=1e-9)


@given(arrays(np.float64, (4, 2, 5), elements=st.floats(-100, 100)))
def test_softmax_gradient_sums_to_zero_and_probabilities_to_one(scores):
    gradient = LOSSES["softmax"].score_gradient(scores, np.array([0, 1, 2, 4]))
    np.testing.assert_allclose(gradient.sum(axis=-1), 0, atol=1e-14)
    np.testing.assert_allclose(softmax(scores).sum(axis=-1), 1)


@EVERY_LOSS
def test_runs_of_a_group_do_not_mix(name, scores, labels):
    """Scores (n, R, K) give for each run what (n, K) gives alone."""
    scores, labels = fitting(name, scores, labels)
    group = np.stack([scores, -scores], axis=1)
    for part in (LOSSES[name].values, LOSSES[name].score_gradient):
        np.testing.assert_array_equal(part(group, labels)[:, 1], part(-scores, labels))
