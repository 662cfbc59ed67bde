"""`LinearSGDClassifier`: scikit-learn's interface."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import check_random_state
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from cifar_linear.arrays import Doubles, Floats
from cifar_linear.data.dataset import Split, hold_out
from cifar_linear.estimator.checks import check_arguments, check_finite, listed
from cifar_linear.estimator.examples import ClassWeight, weighted
from cifar_linear.estimator.learner import Descent, Learner, Row
from cifar_linear.nn.losses import softmax
from cifar_linear.nn.schedules import Schedule, constant, cosine
from cifar_linear.randomness import Purpose, rng_for


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
        class_weight: ClassWeight = None,
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
        check_arguments(self.get_params(deep=False))
        going_on = self.warm_start and hasattr(self, "_learner")
        seed = self._learner.seed if going_on else self._drawn_seed()
        if going_on:
            self._check_same_loss()
        examples, labels = self._validated(X, y, reset=not going_on)
        classes = np.unique(labels)
        if going_on and not np.array_equal(classes, self.classes_):
            raise ValueError(f"warm_start continues with the classes {listed(self.classes_)}; y has {listed(classes)}")
        training, validation = weighted(examples, labels, classes, sample_weight, self.class_weight), None
        if self.early_stopping:
            training, validation = self._held_out(training, seed)
        if not going_on:
            self._begin(training, classes, seed)
        factor = cosine(self.epochs) if self.decay == "cosine" else constant
        self._train(training, validation, self.epochs, factor)
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
        check_arguments(self.get_params(deep=False))
        if self.class_weight == "balanced":
            raise ValueError(
                'class_weight="balanced" needs all examples at once; give partial_fit a weight for each class'
            )
        first = not hasattr(self, "_learner")
        seed = self._drawn_seed() if first else self._learner.seed
        if not first:
            self._check_same_loss()
        if first and classes is None:
            raise ValueError("classes must be passed on the first call to partial_fit")
        examples, labels = self._validated(X, y, reset=first)
        known = self.classes_ if classes is None else np.unique(np.asarray(classes))
        if not first and not np.array_equal(known, self.classes_):
            raise ValueError(f"classes are {listed(known)}; the first call had {listed(self.classes_)}")
        training = weighted(examples, labels, known, sample_weight, self.class_weight)
        if first:
            self._begin(training, known, seed)
        self._train(training, None, 1, constant)
        return self

    def decision_function(self, X: ArrayLike) -> Floats:
        """Scores, (n, K), the largest for the predicted class; for two classes (n,), positive for ``classes_[1]``."""
        scores = self._scores(X)
        return scores if len(self.classes_) > 2 else _for_second(scores.T)[0]

    def predict(self, X: ArrayLike) -> Any:
        """The most probable class of each example, (n,); the first of equals."""
        scores = self._scores(X)
        return self.classes_[self._learner.loss.predicted(scores)]

    def predict_proba(self, X: ArrayLike) -> Floats:
        """Class probabilities, (n, K), whose rows sum to 1.

        The K sigmoids of ``loss="sigmoid_bce"`` are divided by their sum.
        """
        scores = self._scores(X)
        if self._learner.loss_name == "sigmoid_bce":
            # softmax(log p) = p / sum p, also where all p have underflowed.
            return softmax(-np.logaddexp(0, -scores))
        return self._learner.loss.probabilities(scores)

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "_learner")

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

    def _of_classes(self, name: str) -> Floats:
        if not hasattr(self, "_learner"):
            raise AttributeError(f"{type(self).__name__} has no weights before fit or partial_fit")
        array = self._learner.raw_parameters()[name]
        return array if len(self.classes_) > 2 else _for_second(array)

    def _scores(self, X: ArrayLike) -> Floats:
        """(n, K), or (n, 1) for the logistic loss."""
        check_is_fitted(self)
        return self._learner.scores(self._validated(X))

    def _validated(self, X: ArrayLike, *y: ArrayLike | None, reset: bool = False) -> Any:
        """X, or X and y, as arrays. scikit-learn checks what it knows."""
        kinds = (np.float64, np.float32, np.uint8)
        found = validate_data(self, X, *y, dtype=kinds, order="C", ensure_all_finite=False, reset=reset)
        check_finite(found[0] if y else found)
        if y:
            check_classification_targets(found[1])
        return found

    def _drawn_seed(self) -> int:
        return int(check_random_state(self.random_state).randint(2**31 - 1))

    def _check_same_loss(self) -> None:
        if self.loss != self._learner.loss_name:
            raise ValueError(
                f"training began with loss={self._learner.loss_name!r}; it is {self.loss!r} now: fit a new model"
            )

    def _held_out(self, split: Split, seed: int) -> tuple[Split, Split]:
        """The examples to train on, and those held out."""
        size = round(self.validation_fraction * len(split))
        if not 1 <= size < len(split):
            raise ValueError(
                f"validation_fraction={self.validation_fraction} of {len(split)} examples holds out {size}: "
                "early_stopping needs at least one, and one to train on"
            )
        return hold_out(split, size, rng_for(seed, Purpose.HELD_OUT))

    def _begin(self, training: Split, classes: Any, seed: int) -> None:
        """Start with all weights at 0."""
        if len(classes) < 2:
            raise ValueError(f"y must have at least 2 classes; it has 1 class, {listed(classes)}")
        if self.loss == "logistic" and len(classes) > 2:
            raise ValueError(
                "Only binary classification is supported with loss='logistic'. The type of the target is multiclass, "
                f"{len(classes)} classes: use loss='softmax'."
            )
        self._learner = Learner.begin(training, self.loss, len(classes), seed)
        self.classes_ = classes
        self.history_: list[Row] = []
        self.__dict__.pop("eta_", None)

    def _train(self, training: Split, validation: Split | None, epochs: int, factor: Schedule) -> None:
        """Train for some more epochs, and note the metrics after each."""
        if self.eta != "auto":
            self.eta_ = float(self.eta)
        elif not hasattr(self, "eta_"):
            self.eta_ = self._learner.safe_eta(training, self.lam, self.n_batch, self.momentum)
        patience = self.patience if validation is not None else None
        how = Descent(self.lam, self.momentum, self.n_batch, self.shuffle, self.eta_, factor, patience)
        for row in self._learner.train(training, validation, epochs, how):
            self.history_.append(row)
            if self.callback is not None and self.callback(row):
                return


def _for_second(by_class: Floats) -> Floats:
    """What speaks for the second of two classes, (1, ...), from numbers for both, (2, ...), or the first, (1, ...)."""
    return -by_class if len(by_class) == 1 else by_class[1:] - by_class[:1]
