"""Bounds of the optimum, held against optima that other code has found."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize
from sklearn.linear_model import LogisticRegression

from cifar_linear.nn.best_bias import Targets
from cifar_linear.nn.certificate import Problem
from cifar_linear.nn.lbfgs import lbfgs
from cifar_linear.nn.linear import Linear
from cifar_linear.nn.losses import LOSSES
from cifar_linear.nn.standardization import Standardization


def problem(seed, loss="softmax", lam=0.1, bias_is_weight=False, most_images=25):
    """Random images, some dimensions nearly constant, with labels of which some classes may have none."""
    rng = np.random.default_rng(seed)
    n, d, classes = rng.integers(2, most_images), rng.integers(1, 7), 2 if loss == "logistic" else rng.integers(2, 5)
    pixels = rng.integers(0, rng.integers(2, 257, d), (n, d)).astype(np.uint8)
    seen = Standardization.of(pixels) if rng.random() < 0.8 else Standardization.same_for_all(d, 0.5, 0.5)
    model = Linear(LOSSES[loss].scores_for(int(classes)), seen, bias_is_weight=bias_is_weight)
    parts = [slice(0, n // 2), slice(n // 2, n)]
    labels = rng.integers(0, classes, n)
    return Problem(model, LOSSES[loss], lam, labels, lambda dtype: (pixels[part].astype(dtype) for part in parts))


def standardised(of):
    return np.concatenate([of.model.standardization.apply(part) for part in of.parts(np.float64)])


def lowest_cost(of):
    """The cost that Newton's method comes to on all parameters at once, the Hessian written out."""
    X = standardised(of)
    X = np.hstack([X, np.ones((len(X), 1))])
    K, D = of.model.outputs, X.shape[1]
    hits, weight = (of.labels[:, None] == np.arange(K)).astype(float), 1 if of.loss is LOSSES["softmax"] else 1 / K
    penalised = np.ones((K, D), bool)
    penalised[:, -1] = of.model.bias_is_weight

    def cost(theta):
        return of.loss.values(X @ theta.T, of.labels).mean() + of.lam * np.sum(theta[penalised] ** 2)

    theta = np.zeros((K, D))
    for _ in range(60):
        P = of.loss.score_gradient(X @ theta.T, of.labels) / weight + hits
        gradient = weight * (P - hits).T @ X / len(X) + 2 * of.lam * theta * penalised
        spread = -P[:, :, None] * P[:, None] * (1 if weight == 1 and K > 1 else np.eye(K)) + P[:, :, None] * np.eye(K)
        hessian = np.einsum("nkl,nd,ne->kdle", spread, X, X).reshape(K * D, K * D) * weight / len(X)
        step = np.linalg.lstsq(hessian + 2 * of.lam * np.diag(penalised.ravel()), gradient.ravel(), rcond=1e-13)[0]
        step, length = step.reshape(K, D), 1.0
        while cost(theta - length * step) > cost(theta) and length > 1e-4:
            length /= 2
        theta -= length * step
        if np.abs(step).max() < 1e-13:
            break
    return cost(theta), theta[:, :-1], theta[:, -1]


def check(of, scale=0.3):
    """What `Problem.point` says of random weights, and of the best ones, holds."""
    lowest, W, b = lowest_cost(of)
    rng = np.random.default_rng(0)
    for noise in (0.0, scale):
        V, c = W + noise * rng.normal(size=W.shape), b + noise * rng.normal(size=b.shape)
        point = of.point(V, c)
        assert point.lower - point.rounding[1] <= lowest
        assert lowest <= point.value + point.rounding[0] + 1e-12
        assert point.value <= of.cost(V, c) * (1 + 1e-12)
        assert point.value == pytest.approx(of.cost(V, point.b), rel=1e-12)
        np.testing.assert_allclose(point.gradient, slopes(of, V, point.b), rtol=1e-5, atol=1e-7)
        assert noise or point.value - point.lower <= 1e-8


def slopes(of, W, b):
    """Derivatives of the cost by what is penalised, from differences."""
    free = [W, b] if of.model.bias_is_weight else [W]
    found = []
    for array in free:
        for place in np.ndindex(array.shape):
            kept, costs = array[place], []
            for step in (1e-5, -1e-5):
                array[place] = kept + step
                costs.append(of.cost(W, b))
            array[place] = kept
            found.append((costs[0] - costs[1]) / 2e-5)
    return found


KINDS = [(loss, column) for loss in LOSSES for column in (False, True)]


@settings(max_examples=1000)
@given(
    seed=st.integers(0, 2**32),
    kind=st.sampled_from(KINDS),
    lam=st.floats(-3, 1).map(lambda power: 10**power),
    scale=st.sampled_from([1e-6, 0.1, 3.0, 300.0]),
    single=st.booleans(),
)
def test_the_lower_bound_is_never_above_the_optimum(seed, kind, lam, scale, single):
    """At any weights, also at those of float32 runs."""
    loss, column = kind
    of = problem(seed, loss, lam, column, most_images=12)
    rng = np.random.default_rng(seed)
    W, b = (scale * rng.normal(size=shape) for shape in of.model.parameter_shapes.values())
    if single:
        W, b = W.astype(np.float32).astype(float), b.astype(np.float32).astype(float)
    point = of.point(W, b)
    assert point.lower - point.rounding[1] <= lowest_cost(of)[0]


@pytest.mark.parametrize(("loss", "column"), KINDS)
@pytest.mark.parametrize("lam", [1e-3, 0.1, 10])
def test_bounds_cost_gradient_and_bias_are_right(loss, column, lam):
    for seed in range(10):
        check(problem(seed, loss, lam, column))


PLANTED = {
    "the gradient without its 1/K or with twice the mean": ("loss", lambda G: 2 * G),
    "the gradient without the targets": ("loss", lambda G: G + 0.1),
    "a dual point that is not feasible": ("balanced", lambda G: (G, 0.0)),
    "a dual point that is moved the wrong way": ("balanced", None),
    "no best bias": ("bias", lambda b: b),
    "a bias that is not quite the best": ("bias", None),
}


@pytest.mark.parametrize("mistake", PLANTED)
def test_a_planted_mistake_is_found(mistake, monkeypatch):
    where, change = PLANTED[mistake]
    true_bias, true_balance = Targets.best_bias, Targets.balanced
    of = problem(5, "softmax", 0.1)
    if where == "loss":
        wrong = of.loss._replace(score_gradient=lambda s, y: change(LOSSES["softmax"].score_gradient(s, y)))
        monkeypatch.setattr(Problem, "point", lambda self, W, b: true_point(replace(self, loss=wrong), W, b))
    elif where == "bias":
        made = change or (lambda b: b + 0.01 * np.arange(len(b)))
        monkeypatch.setattr(
            Targets, "best_bias", lambda self, products, b: made(b if change else true_bias(self, products, b))
        )
    else:
        # The best bias leaves nothing to be moved: another one shows how.
        monkeypatch.setattr(
            Targets, "best_bias", lambda self, products, b: true_bias(self, products, b) + 0.5 * np.arange(len(b))
        )
        monkeypatch.setattr(Targets, "balanced", lambda self, G: change(G) if change else (true_balance(self, -G)))
    with pytest.raises(AssertionError):
        check(of)


true_point = Problem.point


@pytest.mark.parametrize("seed", range(30))
def test_the_optimum_of_scikit_learn_is_in_the_bracket(seed):
    rng = np.random.default_rng(seed)
    lam = 10 ** rng.uniform(-3, 0)
    of = problem(seed, "logistic" if seed % 3 == 0 else "softmax", lam, most_images=60)
    labels = np.arange(len(of.labels)) % (2 if seed % 3 == 0 else max(3, of.model.outputs))
    of = replace(of, labels=labels, model=replace(of.model, outputs=1 if seed % 3 == 0 else int(labels.max()) + 1))
    *_, bracket = of.brackets(1e-8)
    theirs = LogisticRegression(solver="newton-cg", tol=1e-10, C=1 / (2 * lam * len(labels)), max_iter=1000)
    theirs.fit(standardised(of), labels if seed % 3 else labels == 0)
    cost = of.cost(theirs.coef_, theirs.intercept_)
    assert bracket.proved
    assert bracket.gap <= 1e-8
    assert bracket.lower <= cost
    assert cost <= bracket.upper * (1 + 1e-8)


@pytest.mark.parametrize(("loss", "column"), KINDS)
def test_a_bracket_is_closed_in_single_precision_first(loss, column):
    of = problem(3, loss, 0.01, column)
    brackets = list(of.brackets(1e-6))
    assert [bracket.evaluations for bracket in brackets] == list(range(1, len(brackets) + 1))
    assert [bracket.proved for bracket in brackets] == sorted(bracket.proved for bracket in brackets)
    assert not brackets[0].proved
    assert brackets[-1].proved
    assert brackets[-1].gap <= 1e-6
    lowest = lowest_cost(of)[0]
    assert all(bracket.lower <= lowest <= bracket.upper + 1e-12 for bracket in brackets if bracket.proved)


def test_classes_without_images_cost_nothing():
    """Their best bias is minus infinity; both bounds stay finite, and end at the same number."""
    of = problem(1)
    of = replace(of, labels=np.zeros_like(of.labels), model=replace(of.model, outputs=4))
    point = of.point(np.zeros(of.model.parameter_shapes["W"]), np.zeros(4))
    assert np.isfinite(point.b).all()
    assert 0 <= point.value < 1e-15
    assert point.lower == pytest.approx(0, abs=1e-15)


def test_no_more_evaluations_than_scipys():
    """On the same functions, from the same start, to the same gap."""
    ours = theirs = 0
    for seed in range(40):
        of = problem(seed, lam=0.01, most_images=60)
        if len(set(of.labels)) == 1:  # nothing is to be learned
            continue
        shape, b, points = of.model.parameter_shapes["W"], np.zeros(of.model.outputs), []

        def evaluate(free, of=of, shape=shape, b=b, points=points):
            points.append(of.point(free.reshape(shape), b))
            return points[-1]

        def theirs_evaluates(free, evaluate=evaluate):
            point = evaluate(free)
            return point.value, point.gradient

        start = np.zeros(np.prod(shape))
        ours += next(i for i, point in enumerate(lbfgs(evaluate, start), 1) if point.gap <= 1e-6)
        points.clear()
        until = {"maxcor": 100, "ftol": 0, "gtol": 0}
        minimize(theirs_evaluates, start, jac=True, method="L-BFGS-B", options=until)
        theirs += next(i for i, point in enumerate(points, 1) if point.gap <= 1e-6)
    assert 200 < ours <= theirs
