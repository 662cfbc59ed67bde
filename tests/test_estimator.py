"""The classifier with scikit-learn's interface."""

import pickle
from itertools import pairwise

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from cifar_linear.errors import DivergedError
from cifar_linear.estimator import LinearSGDClassifier

LOSSES = ("softmax", "sigmoid_bce", "logistic")
FIXED = {"decay": "none", "random_state": 3}


@pytest.fixture(scope="module")
def iris():
    return load_iris(return_X_y=True)


@pytest.fixture(scope="module")
def two_irises(iris):
    """Two classes that overlap, by name."""
    X, y = iris
    return X[50:], np.array(["versicolor", "virginica"])[y[50:] - 1]


def examples(loss, request):
    return request.getfixturevalue("two_irises" if loss == "logistic" else "iris")


@parametrize_with_checks([LinearSGDClassifier(loss=loss, epochs=15) for loss in LOSSES])
def test_scikit_learn_finds_no_fault(estimator, check):
    """All of its checks, none of which may fail."""
    check(estimator)


def cost(model, X, y, lam):
    """The mean softmax cross-entropy and the penalty, from what a fitted model shows of itself."""
    scores = model.decision_function(X)
    if scores.ndim == 1:
        scores = np.stack([np.zeros(len(X)), scores], axis=1)
    labels = np.searchsorted(model.classes_, y)
    losses = np.logaddexp.reduce(scores, axis=1) - scores[np.arange(len(y)), labels]
    return losses.mean() + lam * np.square(model.coef_).sum()


def test_softmax_has_the_minimum_of_logistic_regression(iris):
    """With C = 1 / (2 lam n)."""
    X, y = iris
    model = LinearSGDClassifier(lam=0.1, n_batch=150, epochs=400, decay="none").fit(X, y)
    theirs = LogisticRegression(C=1 / (2 * 0.1 * len(X)), tol=1e-10, max_iter=1000).fit(X, y)
    np.testing.assert_allclose(model.coef_, theirs.coef_, atol=1e-6)
    np.testing.assert_allclose(model.intercept_ - model.intercept_.mean(), theirs.intercept_, atol=1e-5)
    np.testing.assert_allclose(model.predict_proba(X), theirs.predict_proba(X), atol=1e-6)


def test_logistic_has_the_minimum_of_logistic_regression(two_irises):
    X, y = two_irises
    weights = np.arange(1, 101) % 4 + 1.0
    model = LinearSGDClassifier("logistic", lam=0.1, n_batch=100, epochs=400, decay="none").fit(X, y, weights)
    theirs = LogisticRegression(C=1 / (2 * 0.1 * weights.sum()), tol=1e-10, max_iter=1000).fit(X, y, weights)
    np.testing.assert_allclose(model.coef_, theirs.coef_, atol=1e-6)
    np.testing.assert_allclose(model.intercept_, theirs.intercept_, atol=1e-5)


def test_sigmoids_are_one_logistic_regression_for_each_class(iris):
    """Each with the K-th part of the loss."""
    X, y = iris
    model = LinearSGDClassifier("sigmoid_bce", lam=0.05, n_batch=150, epochs=800, decay="none").fit(X, y)
    for label in range(3):
        theirs = LogisticRegression(C=1 / (2 * 0.05 * 3 * len(X)), tol=1e-10, max_iter=1000).fit(X, y == label)
        np.testing.assert_allclose(model.coef_[label], theirs.coef_[0], atol=1e-5)


@pytest.mark.parametrize("loss", LOSSES)
def test_scores_are_those_of_coef_and_intercept(loss, request):
    X, y = examples(loss, request)
    model = LinearSGDClassifier(loss, epochs=3, random_state=0).fit(X, y)
    scores = X @ model.coef_.T + model.intercept_
    np.testing.assert_allclose(model.decision_function(X), scores if scores.shape[1] > 1 else scores[:, 0], rtol=1e-9)
    np.testing.assert_array_equal(model.predict(X), model.classes_[model.predict_proba(X).argmax(axis=1)])


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("weights", [None, np.arange(150) % 3])
def test_epochs_of_partial_fit_are_a_fit(loss, weights, request):
    X, y = examples(loss, request)
    weights = weights if weights is None else weights[: len(X)]
    whole = LinearSGDClassifier(loss, n_batch=32, epochs=4, **FIXED).fit(X, y, weights)
    parts = LinearSGDClassifier(loss, n_batch=32, **FIXED)
    for _ in range(4):
        parts.partial_fit(X, y, classes=np.unique(y), sample_weight=weights)
    np.testing.assert_array_equal(parts.coef_, whole.coef_)
    np.testing.assert_array_equal(parts.loss_curve_, whole.loss_curve_)
    assert parts.history_ == whole.history_


@pytest.mark.parametrize("momentum", [0, 0.5])
def test_momentum_is_carried_from_part_to_part(momentum, iris):
    X, y = iris
    whole = LinearSGDClassifier(n_batch=32, epochs=3, momentum=momentum, **FIXED).fit(X, y)
    parts = LinearSGDClassifier(n_batch=32, momentum=momentum, **FIXED)
    for _ in range(3):
        parts = pickle.loads(pickle.dumps(parts.partial_fit(X, y, classes=[0, 1, 2])))
    np.testing.assert_array_equal(parts.coef_, whole.coef_)


def test_with_momentum_the_loss_falls_faster(iris):
    """On features of very different spread, with all examples in one batch."""
    X = iris[0] * [10, 1, 1, 0.1]
    still, moving = (
        LinearSGDClassifier(lam=0, momentum=momentum, n_batch=150, epochs=200, decay="none").fit(X, iris[1])
        for momentum in (0, 0.9)
    )
    assert moving.loss_curve_[-1] < 0.8 * still.loss_curve_[-1]


def test_a_warm_start_goes_on(iris):
    """Two fits of two epochs are one of four."""
    whole = LinearSGDClassifier(n_batch=32, epochs=4, **FIXED).fit(*iris)
    warm = LinearSGDClassifier(n_batch=32, epochs=2, warm_start=True, **FIXED).fit(*iris).fit(*iris)
    np.testing.assert_array_equal(warm.coef_, whole.coef_)
    assert warm.n_iter_ == 4


@pytest.mark.parametrize("loss", LOSSES)
def test_weights_are_repetitions(loss, request):
    X, y = examples(loss, request)
    counts = np.arange(len(X)) % 3
    model = LinearSGDClassifier(loss, n_batch=300, epochs=5, random_state=0)
    weighted, repeated = clone(model).fit(X, y, counts), clone(model).fit(np.repeat(X, counts, 0), np.repeat(y, counts))
    np.testing.assert_allclose(weighted.coef_, repeated.coef_, rtol=1e-9)
    np.testing.assert_allclose(weighted.loss_curve_, repeated.loss_curve_, rtol=1e-9)


def test_only_ratios_of_weights_count(iris):
    weights = np.arange(1.0, 151)
    one, hundred = (LinearSGDClassifier(epochs=3, random_state=0).fit(*iris, scale * weights) for scale in (1, 100))
    np.testing.assert_allclose(one.coef_, hundred.coef_, rtol=1e-9)


def test_a_weight_of_a_class_is_one_of_each_of_its_examples(iris):
    X, y = iris
    by_class = LinearSGDClassifier(epochs=3, class_weight={0: 3.0, 2: 0.5}, random_state=0).fit(X, y)
    by_example = LinearSGDClassifier(epochs=3, random_state=0).fit(X, y, np.array([3.0, 1, 0.5])[y])
    np.testing.assert_array_equal(by_class.coef_, by_example.coef_)


def test_it_can_be_searched_over_in_a_pipeline(iris):
    pipeline = make_pipeline(StandardScaler(), LinearSGDClassifier(epochs=10, random_state=0))
    search = GridSearchCV(pipeline, {"linearsgdclassifier__lam": [1e-3, 100]}, cv=3).fit(*iris)
    assert search.best_params_ == {"linearsgdclassifier__lam": 1e-3}
    assert search.best_score_ > 0.85


def test_early_stopping_keeps_the_weights_with_the_lowest_validation_loss():
    """On noise, where training longer only makes it worse; the examples held out are not trained on."""
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(60, 40)), rng.integers(0, 2, 60)
    model = LinearSGDClassifier(eta=0.5, lam=0, epochs=200, early_stopping=True, patience=4, random_state=0).fit(X, y)
    losses = [row["validation_loss"] for row in model.history_]
    assert model.n_iter_ == np.argmin(losses) + 1 + 4 < 200
    again = LinearSGDClassifier(
        eta=0.5,
        lam=0,
        epochs=200,
        early_stopping=True,
        patience=200,
        random_state=0,
        callback=stop_after(np.argmin(losses)),
    ).fit(X, y)
    np.testing.assert_array_equal(model.coef_, again.coef_)


def stop_after(epoch):
    """A callback that ends training with the epoch of this number from 0."""
    return lambda row: row["epoch"] == epoch + 1


def test_a_callback_sees_every_epoch_and_may_end_it(iris):
    seen = []

    def watch(row):
        seen.append(row)
        return row["epoch"] == 3

    model = LinearSGDClassifier(epochs=9, callback=watch, **FIXED).fit(*iris)
    assert [row["epoch"] for row in seen] == [1, 2, 3]
    assert model.history_ == seen
    np.testing.assert_array_equal(model.coef_, LinearSGDClassifier(epochs=3, **FIXED).fit(*iris).coef_)
    assert set(seen[0]) == {"epoch", "step", "eta", "train_loss", "train_cost", "train_accuracy"}
    assert seen[-1]["train_accuracy"] == model.score(*iris)
    assert seen[-1]["train_cost"] == pytest.approx(cost(model, *iris, model.lam), rel=1e-9)


def test_eta_suits_features_of_any_scale_and_place(iris):
    """The loss falls in every epoch, without a number to choose."""
    X, y = iris
    for scale, shift in ((1e-3, 0), (1, 1000), (1e4, -1e5)):
        model = LinearSGDClassifier(lam=0, momentum=0, epochs=8, n_batch=150, decay="none").fit(scale * X + shift, y)
        assert all(after < before for before, after in pairwise([np.log(3), *model.loss_curve_]))


def test_precision_follows_the_features(iris):
    X, y = iris
    kinds = {np.float32: np.float32, np.float64: np.float64, np.int64: np.float64, np.uint8: np.float32}
    for given, expected in kinds.items():
        model = LinearSGDClassifier(epochs=2, random_state=0).fit((10 * X).astype(given), y)
        assert model.coef_.dtype == expected
        assert model.decision_function((10 * X).astype(given)).dtype == expected


def test_pixels_of_one_byte_are_features_of_the_same_value(iris):
    X, y = (10 * iris[0]).astype(np.uint8), iris[1]
    pixels, floats = (LinearSGDClassifier(epochs=3, random_state=0).fit(X.astype(k), y) for k in (np.uint8, np.float32))
    np.testing.assert_array_equal(pixels.coef_, floats.coef_)


def test_predictions_are_of_the_loss_that_was_fitted(two_irises):
    """Whatever a parameter is set to afterwards."""
    X, y = two_irises
    model = LinearSGDClassifier(epochs=2, random_state=0).fit(X, y)
    before = model.predict_proba(X), model.decision_function(X), model.coef_
    for loss in ("sigmoid_bce", "logistic"):
        model.set_params(loss=loss)
        for expected, found in zip(
            before, (model.predict_proba(X), model.decision_function(X), model.coef_), strict=True
        ):
            np.testing.assert_array_equal(found, expected)


def test_a_fitted_model_survives_pickling(iris):
    model = LinearSGDClassifier(epochs=2, **FIXED).fit(*iris)
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(again.predict_proba(iris[0]), model.predict_proba(iris[0]))
    np.testing.assert_array_equal(again.partial_fit(*iris).coef_, model.partial_fit(*iris).coef_)


def with_hole(X, *rows, value=np.nan):
    X = X.copy()
    X[list(rows), 1] = value
    return X


NINE = [3, 5, 8, 13, 21, 34, 55, 89, 144]
BAD = {
    "NaN": (lambda X, y: (with_hole(X, 7), y), "X holds NaN or inf in 1 of 150 rows: 7"),
    "many": (lambda X, y: (with_hole(X, *NINE, value=np.inf), y), "in 9 of 150 rows: 3, 5, 8, 13, 21, ..."),
    "too large": (lambda X, y: (X * 1e300, y), "X holds numbers so large that their squares are not finite"),
    "one class": (lambda X, y: (X, y * 0), "y must have at least 2 classes; it has 1 class, 0"),
    "float labels": (lambda X, y: (X, y + 0.5), "Unknown label type: continuous"),
    "lengths": (lambda X, y: (X, y[:-1]), "inconsistent numbers of samples: [150, 149]"),
    "no rows": (lambda X, y: (X[:0], y[:0]), "Found array with 0 sample(s) (shape=(0, 4))"),
    "objects": (lambda X, y: (np.array([["a", None]] * 150, object), y), "could not convert string to float: 'a'"),
    "no labels": (lambda X, _y: (X, None), "requires y to be passed"),
}


@pytest.mark.parametrize("kind", BAD)
def test_bad_examples_are_refused_in_one_line(kind, iris):
    change, message = BAD[kind]
    with pytest.raises(ValueError) as error:  # noqa: PT011  # the message is looked at below
        LinearSGDClassifier().fit(*change(*iris))
    assert message in str(error.value)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"loss": "hinge"}, "loss must be 'softmax' or 'sigmoid_bce' or 'logistic'; it is 'hinge'"),
        ({"lam": -1}, "lam must be a number from 0; it is -1"),
        ({"lam": "small"}, "lam must be a number from 0; it is 'small'"),
        ({"eta": 0}, "eta must be 'auto' or a number above 0; it is 0"),
        ({"eta": "automatic"}, "eta must be 'auto' or a number above 0; it is 'automatic'"),
        ({"momentum": 1}, "momentum must be a number from 0 to below 1; it is 1"),
        ({"n_batch": 2.5}, "n_batch must be an integer from 1; it is 2.5"),
        ({"epochs": True}, "epochs must be an integer from 1; it is True"),
        ({"decay": None}, "decay must be 'none' or 'cosine'; it is None"),
        ({"validation_fraction": 1}, "validation_fraction must be a number above 0 and below 1; it is 1"),
        ({"patience": 0}, "patience must be an integer from 1; it is 0"),
        (
            {"class_weight": "even"},
            "class_weight must be None, 'balanced' or a dict of finite numbers from 0 by class;",
        ),
        (
            {"class_weight": {0: -1}},
            "class_weight must be None, 'balanced' or a dict of finite numbers from 0 by class;",
        ),
        ({"class_weight": {0: np.inf}}, "class_weight must be None, 'balanced' or a dict of finite numbers from 0 by"),
        ({"callback": 3}, "callback must be None or a function of a row of metrics; it is 3"),
        ({"loss": "logistic"}, "Only binary classification is supported with loss='logistic'"),
        (
            {"early_stopping": True, "validation_fraction": 0.001},
            "validation_fraction=0.001 of 150 examples holds out 0: early_stopping needs at least one",
        ),
    ],
)
def test_bad_arguments_are_refused_in_one_line(arguments, message, iris):
    with pytest.raises(ValueError) as error:  # noqa: PT011  # the message is looked at below
        LinearSGDClassifier(**arguments).fit(*iris)
    assert str(error.value).startswith(message)
    assert "\n" not in str(error.value)


def test_later_parts_must_fit_the_first(iris):
    X, y = iris
    with pytest.raises(ValueError, match="classes must be passed on the first call to partial_fit"):
        LinearSGDClassifier().partial_fit(X, y)
    with pytest.raises(ValueError, match="y has the classes 2, which are not in 0, 1"):
        LinearSGDClassifier().partial_fit(X, y, classes=[0, 1])
    model = LinearSGDClassifier().partial_fit(X, y, classes=[0, 1, 2])
    with pytest.raises(ValueError, match="classes are 0, 1; the first call had 0, 1, 2"):
        model.partial_fit(X[:100], y[:100], classes=[0, 1])
    with pytest.raises(ValueError, match="X has 3 features, but LinearSGDClassifier is expecting 4"):
        model.partial_fit(X[:, :3], y)
    with pytest.raises(ValueError, match='class_weight="balanced" needs all examples at once'):
        LinearSGDClassifier(class_weight="balanced").partial_fit(X, y, classes=[0, 1, 2])
    with pytest.raises(
        ValueError, match="training began with loss='softmax'; it is 'sigmoid_bce' now: fit a new model"
    ):
        LinearSGDClassifier().partial_fit(X, y, classes=[0, 1, 2]).set_params(loss="sigmoid_bce").partial_fit(X, y)
    with pytest.raises(ValueError, match="warm_start continues with the classes 0, 1, 2; y has 0, 1"):
        model.set_params(warm_start=True).fit(X[:100], y[:100])


def test_a_part_may_lack_classes(iris):
    """The model learns those that are there, and knows of the others."""
    X, y = iris
    model = LinearSGDClassifier(random_state=0).partial_fit(X[:50], y[:50], classes=[0, 1, 2])
    assert model.coef_.shape == (3, 4)
    assert (model.predict(X[:50]) == 0).all()


def test_divergence_says_what_to_try_and_keeps_the_last_finite_weights(iris):
    """The penalty alone makes weights grow when eta * lam is above 1."""
    model = LinearSGDClassifier(lam=1, eta=1e30, epochs=30, random_state=0)
    with pytest.raises(DivergedError, match=r"diverged in epoch \d+ with eta 1e\+30: .*; try eta=1e\+29 or less"):
        model.fit(*iris)
    assert np.isfinite(model.coef_).all()
