"""The linear classifiers of this package with scikit-learn's interface; needs the extra ``sklearn``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import inf, isfinite
from numbers import Integral, Real
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import check_random_state
from sklearn.utils.class_weight import compute_sample_weight
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

from cifar_linear.arrays import Bools, Doubles, Examples, Floats
from cifar_linear.data.batches import Batches, pixel_chunks
from cifar_linear.data.dataset import Split, hold_out
from cifar_linear.errors import DivergedError
from cifar_linear.nn.linear import Linear
from cifar_linear.nn.losses import LOSSES, Loss, softmax
from cifar_linear.nn.objective import Objective
from cifar_linear.nn.parameters import copied, dtype_of, of_run, stacked
from cifar_linear.nn.safe_rate import largest_safe_eta
from cifar_linear.nn.schedules import Schedule, constant, cosine
from cifar_linear.nn.standardization import Standardization
from cifar_linear.randomness import Purpose, rng_for
from cifar_linear.training.evaluation import Evaluation
from cifar_linear.training.history import EvaluatedPoint
from cifar_linear.training.loop import train
from cifar_linear.training.state import State
from cifar_linear.training.threads import with_a_core_for_evaluation

Row = Mapping[str, float]
"""An evaluation after an epoch: numbers by the names of the columns of ``metrics.csv``."""

_TOO_LARGE = "X holds numbers so large that their squares are not finite: scale the features"
_SHOWN = 5
_DECAYS = ("none", "cosine")


class LinearSGDClassifier(ClassifierMixin, BaseEstimator):
    """Linear classifier trained by mini-batch gradient descent: softmax, or sigmoid with binary cross-entropies.

    It minimises the mean loss over the examples plus ``lam`` times the sum of the squared weights; biases are not
    penalised. `LogisticRegression` with ``C = 1 / (2 * lam * n)`` has the same minimum as ``loss="softmax"`` on n
    examples. Weights and biases start at 0. Features of float32 and uint8 are computed in float32, all others in
    float64. Training with the same arguments and the same integer ``random_state`` gives the same weights.

    Args:
        loss: ``"softmax"``, cross-entropy over all K classes; ``"sigmoid_bce"``, the mean of K binary cross-entropies;
            ``"logistic"``, one binary cross-entropy, for two classes.
        lam: strength of the penalty lam * sum(W**2), from 0.
        eta: learning rate, above 0; ``"auto"`` for one that suits the scale of the features.
        momentum: mu of the moving average m <- mu m + (1 - mu) gradient that an update follows, from 0 to below 1; 0
            for the gradient itself. The penalty is not part of the average.
        n_batch: examples per update; all of them if there are fewer.
        epochs: passes over the examples in `fit`, at most if ``early_stopping``.
        decay: how eta changes over the epochs of `fit`: ``"cosine"``, along half a cosine towards 0, or ``"none"``.
            `partial_fit` does not know which epoch is the last and uses eta itself.
        shuffle: whether to draw a new order in every epoch.
        early_stopping: whether `fit` holds out part of the examples, ends when the loss on them does not fall any more,
            and keeps the weights with the lowest.
        validation_fraction: the share of the examples that is held out, above 0 and below 1, class by class.
        patience: epochs in a row without a new minimum of the validation loss after which `fit` ends.
        class_weight: a factor on the weights of the examples of each class, by class; ``"balanced"`` for equal sums
            of all classes; None for 1.
        warm_start: whether `fit` continues from the weights that are there.
        random_state: an integer or a generator of NumPy's old kind; draws the order and the held-out examples.
        callback: is called after every epoch with a row of metrics by name, such as ``{"epoch": 3, "step": 30, "eta":
            0.1, "train_loss": 0.7, "train_cost": 0.8, "train_accuracy": 0.9}``, and with early stopping those of
            ``validation``; training ends if it returns True.

    Attributes:
        classes_: the K class labels, sorted.
        coef_: weights, (K, d); (1, d) for two classes, positive where a feature speaks for ``classes_[1]``.
        intercept_: biases, (K,) or (1,).
        n_iter_: epochs so far.
        eta_: the learning rate before any decay.
        history_: the metrics after each epoch, rows as for ``callback``.
        loss_curve_: the mean training loss in nats, without the penalty, after each epoch, (``n_iter_``,).
        n_features_in_: number of features, d.

    >>> import numpy as np
    >>> X = np.array([[-2.0], [-1.0], [1.0], [2.0]])
    >>> model = LinearSGDClassifier(lam=0.01, random_state=0).fit(X, ["cat", "cat", "dog", "dog"])
    >>> model.predict([[-3.0], [0.5]]).tolist()
    ['cat', 'dog']
    """

    def __init__(
        self,
        loss: str = "softmax",
        *,
        lam: float = 1e-4,
        eta: float | str = "auto",
        momentum: float = 0.9,
        n_batch: int = 100,
        epochs: int = 40,
        decay: str = "cosine",
        shuffle: bool = True,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        patience: int = 5,
        class_weight: dict[Any, float] | str | None = None,
        warm_start: bool = False,
        random_state: int | np.random.RandomState | None = None,
        callback: Callable[[Row], bool | None] | None = None,
    ) -> None:
        self.loss = loss
        self.lam = lam
        self.eta = eta
        self.momentum = momentum
        self.n_batch = n_batch
        self.epochs = epochs
        self.decay = decay
        self.shuffle = shuffle
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.patience = patience
        self.class_weight = class_weight
        self.warm_start = warm_start
        self.random_state = random_state
        self.callback = callback

    def fit(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Self:
        """Train for ``epochs`` passes over the examples.

        Args:
            X: features, (n, d), finite.
            y: the class of each example, (n,): integers, booleans or text of at least two different classes.
            sample_weight: how often each example counts, from 0, (n,); only their ratios matter. None for 1.

        Returns:
            The estimator itself.

        Raises:
            ValueError: an argument is not what it should be; the message has what was found and what is allowed.
            DivergedError: weights or loss left the finite numbers; the message has the epoch and a smaller eta.
        """
        self._check_parameters()
        going_on = self.warm_start and hasattr(self, "_parameters")
        if going_on:
            self._check_same_loss()
        else:
            self._seed = int(check_random_state(self.random_state).randint(2**31 - 1))
        examples, labels = self._validated(X, y, reset=not going_on)
        classes = np.unique(labels)
        if going_on and not np.array_equal(classes, self.classes_):
            raise ValueError(
                f"warm_start continues with the classes {_listed(self.classes_)}; y has {_listed(classes)}"
            )
        training = validation = self._weighted(examples, labels, classes, sample_weight)
        if self.early_stopping:
            training, validation = self._held_out(training)
        if not going_on:
            self._begin(training, classes)
        factor = cosine(self.epochs) if self.decay == "cosine" else constant
        self._train(training, validation, self.epochs, factor, self.early_stopping)
        return self

    def partial_fit(
        self, X: ArrayLike, y: ArrayLike, classes: ArrayLike | None = None, sample_weight: ArrayLike | None = None
    ) -> Self:
        """Train for one epoch on a part of the examples, with the weights that are there.

        Calls with all examples are the epochs of a `fit` with ``decay="none"``, without early stopping, bit for bit.

        Args:
            X: features, (n, d), finite.
            y: the class of each example, (n,).
            classes: all classes of all parts, (K,); needed in the first call.
            sample_weight: how often each example counts in this part, from 0, (n,). None for 1.

        Returns:
            The estimator itself.

        Raises:
            ValueError: an argument is not what it should be.
            DivergedError: weights or loss left the finite numbers; the weights before the call are kept.
        """
        self._check_parameters()
        if self.class_weight == "balanced":
            raise ValueError(
                'class_weight="balanced" needs all examples at once; give partial_fit a weight for each class'
            )
        first = not hasattr(self, "_parameters")
        if first:
            self._seed = int(check_random_state(self.random_state).randint(2**31 - 1))
        else:
            self._check_same_loss()
        if first and classes is None:
            raise ValueError("classes must be passed on the first call to partial_fit")
        examples, labels = self._validated(X, y, reset=first)
        known = self.classes_ if classes is None else np.unique(np.asarray(classes))
        if not first and not np.array_equal(known, self.classes_):
            raise ValueError(f"classes are {_listed(known)}; the first call had {_listed(self.classes_)}")
        training = self._weighted(examples, labels, known, sample_weight)
        if first:
            self._begin(training, known)
        self._train(training, training, 1, constant, stop_early=False)
        return self

    def decision_function(self, X: ArrayLike) -> Floats:
        """Scores, (n, K), the largest for the predicted class; for two classes (n,), positive for ``classes_[1]``."""
        scores = self._scores(X)
        return scores if len(self.classes_) > 2 else _for_second(scores.T)[0]

    def predict(self, X: ArrayLike) -> Any:
        """The most probable class of each example, (n,); the first of equals."""
        scores = self._scores(X)
        return self.classes_[self._loss.predicted(scores)]

    def predict_proba(self, X: ArrayLike) -> Floats:
        """Class probabilities, (n, K), whose rows sum to 1.

        The K sigmoids of ``loss="sigmoid_bce"`` are divided by their sum.
        """
        scores = self._scores(X)
        if self._trained_loss == "sigmoid_bce":
            # softmax(log p) = p / sum p, also where all p have underflowed.
            return softmax(-np.logaddexp(0, -scores))
        return self._loss.probabilities(scores)

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "_parameters")

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_class = self.loss != "logistic"
        return tags

    @property
    def coef_(self) -> Floats:
        """Weights, (K, d), or (1, d) for two classes."""
        return self._of_classes("W")

    @property
    def intercept_(self) -> Floats:
        """Biases, (K,), or (1,) for two classes."""
        return self._of_classes("b")

    @property
    def n_iter_(self) -> int:
        """Epochs so far."""
        return len(self.history_)

    @property
    def loss_curve_(self) -> Doubles:
        """The mean training loss in nats after each epoch, (``n_iter_``,)."""
        return np.array([row["train_loss"] for row in self.history_])

    @property
    def _loss(self) -> Loss:
        return LOSSES[self._trained_loss]

    def _of_classes(self, name: str) -> Floats:
        if not hasattr(self, "_parameters"):
            raise AttributeError(f"{type(self).__name__} has no weights before fit or partial_fit")
        parameters = self._model().standardization.fold(**self._parameters)
        array = dict(zip(self._parameters, parameters, strict=True))[name][0]
        return array if len(self.classes_) > 2 else _for_second(array)

    def _scores(self, X: ArrayLike) -> Floats:
        """(n, K), or (n, 1) for the logistic loss."""
        check_is_fitted(self)
        examples = self._validated(X)
        split = Split(examples, np.zeros(len(examples), np.intp))
        scores = self._model().scores(pixel_chunks(split, self._parameters["W"].dtype), self._parameters)
        return scores[:, 0]

    def _model(self) -> Linear:
        """The model, which sees the features minus their mean."""
        seen = Standardization(self._mean, np.ones(len(self._mean)), unit=1)
        return Linear(self._loss.scores_for(len(self.classes_)), seen, init_std=0)

    def _validated(self, X: ArrayLike, *y: ArrayLike | None, reset: bool = False) -> Any:
        """X, or X and y, as arrays. scikit-learn checks what it knows."""
        kinds = (np.float64, np.float32, np.uint8)
        found = validate_data(self, X, *y, dtype=kinds, order="C", ensure_all_finite=False, reset=reset)
        _check_finite(found[0] if y else found)
        if y:
            check_classification_targets(found[1])
        return found

    def _begin(self, training: Split, classes: Any) -> None:
        """Start with all weights at 0, and features that are centred: biases are then learned as fast as weights."""
        if len(classes) < 2:
            raise ValueError(f"y must have at least 2 classes; it has 1 class, {_listed(classes)}")
        if self.loss == "logistic" and len(classes) > 2:
            raise ValueError(
                "Only binary classification is supported with loss='logistic'. The type of the target is multiclass, "
                f"{len(classes)} classes: use loss='softmax'."
            )
        self.classes_ = classes
        self._trained_loss = self.loss
        self.history_: list[Row] = []
        self._mean = _mean(training)
        dtype = "float64" if training.images.dtype == np.float64 else "float32"
        self._parameters = stacked([self._model().initial(rng_for(self._seed, Purpose.WEIGHTS))], dtype)
        self._velocity: dict[str, Floats] | None = None
        self.__dict__.pop("eta_", None)

    def _weighted(self, X: Examples, y: Any, classes: Any, sample_weight: ArrayLike | None) -> Split:
        """The examples that count, with weights of 1 on average; without weights if all count the same."""
        labels = np.searchsorted(classes, y).clip(max=len(classes) - 1)
        if (unknown := classes[labels] != y).any():
            raise ValueError(f"y has the classes {_listed(np.unique(y[unknown]))}, which are not in {_listed(classes)}")
        weights = self._weights(X, y, sample_weight)
        if weights is None:
            return Split(X, labels)
        # Those with a weight of 0 are left out: batches are then those of the others alone.
        return Split(X, labels, weights / weights[weights > 0].mean()).part(_all_or(weights > 0))

    def _weights(self, X: Examples, y: Any, sample_weight: ArrayLike | None) -> Doubles | None:
        if sample_weight is None and self.class_weight is None:
            return None
        weights: Doubles = _check_sample_weight(sample_weight, X, dtype=np.float64, ensure_non_negative=True)
        weights = weights * compute_sample_weight(self.class_weight, y)
        if not weights.any():
            raise ValueError("every weight of an example is zero: at least one must be above 0")
        return weights

    def _held_out(self, split: Split) -> tuple[Split, Split]:
        """The examples to train on, and those held out."""
        size = round(self.validation_fraction * len(split))
        if not 1 <= size < len(split):
            raise ValueError(
                f"validation_fraction={self.validation_fraction} of {len(split)} examples holds out {size}: "
                "early_stopping needs at least one, and one to train on"
            )
        return hold_out(split, size, rng_for(self._seed, Purpose.HELD_OUT))

    def _train(self, training: Split, validation: Split, epochs: int, factor: Schedule, stop_early: bool) -> None:
        """Train the weights for some more epochs, and note the metrics after each.

        Args:
            training: examples to train on.
            validation: examples to evaluate on as well; ``training`` if there are none.
            epochs: how many.
            factor: on eta, in the epochs counted from here.
            stop_early: whether to stop when the validation loss does not fall any more, and keep the best weights.
        """
        if self.eta != "auto" or not hasattr(self, "eta_"):
            self.eta_ = self._rate(training)
        state = self._state(stop_early)
        batches = Batches(
            training,
            n_batch=min(self.n_batch, len(training)),
            shuffle=self.shuffle,
            seed=self._seed,
        )
        before = self.n_iter_
        state.step = before * batches.steps
        evaluations = train(
            state,
            Objective(self._model(), self._loss, np.array([self.lam], float)),
            batches,
            training,
            validation,
            eta=lambda epoch, _past: np.array([self.eta_ * factor(epoch - before, ())]),
            updates=(before + epochs) * batches.steps,
            momentum=np.array([self.momentum], float) if self.momentum else None,
            patience=self.patience if stop_early else None,
            # The epochs before count as one evaluation, so that there is none before the first update.
            past=[EvaluatedPoint(state.step, np.full(1, inf))],
        )
        for evaluation in with_a_core_for_evaluation(evaluations):
            self._keep(evaluation.state)
            self.history_.append(_row(evaluation, validation is not training))
            if self.callback is not None and self.callback(self.history_[-1]):
                return
        if not state.finite.all():
            raise DivergedError(
                f"training diverged in epoch {self.n_iter_ + 1} with eta {self.eta_:g}: weights or loss are no longer "
                f"finite; the last finite weights are kept; try eta={self.eta_ / 10:g} or less, or eta='auto'"
            )

    def _state(self, keep_best: bool) -> State:
        """The weights as a state to train from, with the velocity that they had."""
        moving = self.momentum > 0
        dtype = str(dtype_of(self._parameters))
        state = State.first([of_run(self._parameters, 0)], dtype, momentum=moving, keep_best=keep_best)
        if moving and self._velocity is not None:
            state.velocity = copied(self._velocity)
        return state

    def _keep(self, state: State) -> None:
        """Keep the weights of an evaluation, or the best so far, which start without velocity."""
        if state.best is None:
            self._parameters, self._velocity = state.parameters, state.velocity
        else:
            self._parameters, self._velocity = state.best.parameters, None

    def _rate(self, training: Split) -> float:
        """The learning rate before any decay."""
        if self.eta != "auto":
            return float(self.eta)
        curvature = self._loss.curvature(len(self.classes_))
        seen = self._model().standardization
        rate = largest_safe_eta(
            training.images, training.weights, seen, curvature, self.lam, self.n_batch, self.momentum
        )
        if not rate:
            raise ValueError(_TOO_LARGE)
        return rate

    def _check_same_loss(self) -> None:
        if self.loss != self._trained_loss:
            raise ValueError(
                f"training began with loss={self._trained_loss!r}; it is {self.loss!r} now: fit a new model"
            )

    def _check_parameters(self) -> None:
        """Raise ValueError for the first argument of the constructor that is not what it should be."""
        eta: Any = self.eta
        fraction: Any = self.validation_fraction
        rules = {
            "loss": (self.loss in LOSSES, " or ".join(map(repr, LOSSES))),
            "lam": (_is_number(self.lam, 0), "a number from 0"),
            "eta": (eta == "auto" or (_is_number(eta, 0) and eta > 0), "'auto' or a number above 0"),
            "momentum": (_is_number(self.momentum, 0) and self.momentum < 1, "a number from 0 to below 1"),
            "n_batch": (_is_whole(self.n_batch), "an integer from 1"),
            "epochs": (_is_whole(self.epochs), "an integer from 1"),
            "decay": (self.decay in _DECAYS, " or ".join(map(repr, _DECAYS))),
            "validation_fraction": (_is_number(fraction, 0) and 0 < fraction < 1, "a number above 0 and below 1"),
            "patience": (_is_whole(self.patience), "an integer from 1"),
            "class_weight": (
                self.class_weight in (None, "balanced")
                or (isinstance(self.class_weight, dict) and all(_is_number(v, 0) for v in self.class_weight.values())),
                "None, 'balanced' or a dict of finite numbers from 0 by class",
            ),
            "callback": (self.callback is None or callable(self.callback), "None or a function of a row of metrics"),
        }
        for name, (is_right, allowed) in rules.items():
            if not is_right:
                raise ValueError(f"{name} must be {allowed}; it is {getattr(self, name)!r}")


def _is_number(value: Any, least: float) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool) and isfinite(value) and float(value) >= least


def _is_whole(value: Any) -> bool:
    return isinstance(value, Integral) and not isinstance(value, bool) and int(value) >= 1


def _check_finite(X: Examples) -> None:
    """Raise ValueError if a feature is NaN or infinite, with the rows."""
    with np.errstate(over="ignore", invalid="ignore"):
        if X.dtype == np.uint8 or np.isfinite(X.sum()):
            return
    rows = np.flatnonzero(~np.isfinite(X).all(axis=1))
    if rows.size:
        raise ValueError(f"X holds NaN or inf in {rows.size} of {len(X)} rows: {_listed(rows)}")


def _mean(split: Split) -> Doubles:
    """The weighted mean of each feature, (d,)."""
    weights = np.ones(len(split)) if split.weights is None else split.weights
    sums, start = np.zeros(split.images.shape[1]), 0
    with np.errstate(over="ignore", invalid="ignore"):
        for chunk in pixel_chunks(split, np.float64):
            sums += weights[start : start + len(chunk)] @ chunk
            start += len(chunk)
    if not np.isfinite(sums).all():
        raise ValueError(_TOO_LARGE)
    mean: Doubles = sums / weights.sum()
    return mean


def _listed(values: Any) -> str:
    """The first few values, and whether there are more."""
    shown = ", ".join(map(repr, np.asarray(values)[:_SHOWN].tolist()))
    return f"{shown}, ..." if len(values) > _SHOWN else shown


def _all_or(some: Bools) -> slice | Bools:
    """A slice where all are chosen: it copies nothing."""
    return slice(None) if some.all() else some


def _for_second(by_class: Floats) -> Floats:
    """What speaks for the second of two classes, (1, ...), from numbers for both, (2, ...), or the first, (1, ...)."""
    return -by_class if len(by_class) == 1 else by_class[1:] - by_class[:1]


def _row(evaluation: Evaluation, validated: bool) -> Row:
    """An evaluation of one run as plain numbers."""
    columns = {name: np.asarray(column).item() for name, column in evaluation.columns().items()}
    return {name: number for name, number in columns.items() if validated or not name.startswith("validation_")}
