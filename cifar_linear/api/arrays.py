"""A training on one's own arrays."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from cifar_linear.arrays import Doubles, Examples, Labels
from cifar_linear.data.batches import Batches
from cifar_linear.data.dataset import Split
from cifar_linear.errors import ConfigError, DataError
from cifar_linear.nn.linear import Linear
from cifar_linear.nn.losses import LOSSES
from cifar_linear.nn.objective import Objective
from cifar_linear.nn.standardization import Standardization
from cifar_linear.randomness import Purpose, rng_for
from cifar_linear.training.evaluation import Evaluation
from cifar_linear.training.loop import train as train_state
from cifar_linear.training.state import State
from cifar_linear.training.threads import with_a_core_for_evaluation

_SHOWN = 5


def train(
    images: ArrayLike,
    labels: ArrayLike,
    validation: tuple[ArrayLike, ArrayLike] | None = None,
    *,
    loss: str = "softmax",
    lam: ArrayLike = 0.0,
    eta: ArrayLike = 0.001,
    n_batch: int = 100,
    epochs: int = 40,
    patience: int | None = None,
    init_std: float = 0.01,
    dtype: str = "float32",
    seed: int = 400,
) -> Iterator[Evaluation]:
    """Train linear classifiers on arrays, and yield an evaluation before the first update and after each epoch.

    Several values of ``lam`` or ``eta`` train side by side, R runs in one pass over the examples. All is checked before
    the first evaluation is asked for. Nothing is written.

    Args:
        images: (n, d) or (n, ...), whose other axes are joined. uint8: pixels of 0 to 255; any other numbers: features
            as they are. Both are standardised with the mean and the standard deviation of each dimension.
        labels: integers from 0, (n,).
        validation: images and labels to evaluate on as well; None for the training images again.
        loss: ``"softmax"``, ``"sigmoid_bce"``, or ``"logistic"`` for two classes.
        lam: strength of the penalty lam * sum(W**2), from 0: a number or (R,).
        eta: learning rate, above 0: a number or (R,).
        n_batch: images per update, 1 to n.
        epochs: passes over the images.
        patience: after how many evaluations without a new minimum of the validation loss a run stops; None for never.
        init_std: standard deviation of the first weights and biases.
        dtype: ``"float32"`` or ``"float64"``, the precision of weights and arithmetic.
        seed: of the first weights and of the order of the images.

    Returns:
        A generator of evaluations: ``train`` and ``validation`` with ``loss`` and ``cost`` in nats and ``accuracy`` as
        a fraction, each (R,), and ``state.parameters`` with ``W`` (R, K, d) and ``b`` (R, K), for standardised images.

    Raises:
        DataError: images or labels are not what they should be; the message has what and where.
        ConfigError: another argument is not what it should be.

    >>> import numpy as np
    >>> images = np.array([[0.0], [1.0], [4.0], [5.0]])
    >>> *_, last = train(images, [0, 0, 1, 1], eta=[0.1, 1.0], n_batch=4)
    >>> last.epoch, last.train.accuracy
    (40, array([1., 1.]))
    """
    training = _split(images, labels, "labels")
    other = training if validation is None else _split(*validation, "the labels of validation")
    if other.images.shape[1] != training.images.shape[1]:
        raise DataError(
            f"validation has {other.images.shape[1]} features an image, training {training.images.shape[1]}"
        )
    classes = int(training.labels.max()) + 1
    _check_labels(other.labels, classes)
    _check_words(loss, classes, dtype)
    if not (_is_whole(n_batch, 1) and n_batch <= len(training)):
        raise ConfigError(f"n_batch must be 1 to {len(training)}, the number of images; it is {n_batch}")
    _check_whole("epochs", epochs, 1)
    _check_whole("patience", 1 if patience is None else patience, 1)
    _check_whole("seed", seed, 0)
    _numbers("init_std", init_std)
    lams, etas = _side_by_side(_numbers("lam", lam), _numbers("eta", eta))
    if (etas <= 0).any():
        raise ConfigError(f"eta must be above 0; it is {etas}")
    model = Linear(LOSSES[loss].scores_for(classes), _standardization(training.images), init_std)
    first = model.initial(rng_for(seed, Purpose.WEIGHTS))
    batches = Batches(training, n_batch=n_batch, shuffle=True, seed=seed)
    evaluations = train_state(
        State.first([first] * len(lams), dtype, keep_best=patience is not None),
        Objective(model, LOSSES[loss], lams),
        batches,
        training,
        other,
        eta=lambda _epoch, _past: etas,
        updates=epochs * batches.steps,
        patience=patience,
    )
    return with_a_core_for_evaluation(evaluations)


def _split(images: ArrayLike, labels: ArrayLike, name: str) -> Split:
    """Arrays as a split. Raises `DataError`."""
    X, y = _array(images, "images"), _array(labels, name)
    if X.dtype.kind not in "fiu":
        raise DataError(f"images are an array of {X.dtype}; numbers are needed: uint8 pixels, or features")
    if X.ndim < 2 or not X.size:
        raise DataError(f"images have the shape {X.shape}; (n, d) with at least one image is needed")
    if y.shape != X.shape[:1]:
        raise DataError(f"{name} have the shape {y.shape}; {X.shape[:1]} is needed for images {X.shape}")
    if y.dtype.kind not in "iu":
        raise DataError(
            f"{name} are {y.dtype}; integers from 0 are needed: np.unique(..., return_inverse=True) gives them"
        )
    if y.min() < 0:
        raise DataError(f"{name} must be integers from 0; the smallest is {y.min()}")
    X = X.reshape(len(X), -1)
    if X.dtype.kind == "f" and (rows := np.flatnonzero(~np.isfinite(X).all(axis=1))).size:
        raise DataError(f"images hold NaN or infinity in {rows.size} of {len(X)} rows: {_listed(rows)}")
    return Split(X if X.dtype.kind == "f" or X.dtype == np.uint8 else X.astype(np.float64), y.astype(np.intp))


def _array(values: ArrayLike, name: str) -> Any:
    try:
        return np.asarray(values)
    except ValueError as error:
        raise DataError(f"{name} cannot be an array: all rows must be of one length") from error


def _listed(rows: Labels) -> str:
    return ", ".join(map(str, rows[:_SHOWN])) + ", ..." * (len(rows) > _SHOWN)


def _check_labels(labels: Labels, classes: int) -> None:
    if classes < 2:
        raise DataError("labels are all 0; at least two classes are needed")
    if labels.max() >= classes:
        raise DataError(f"validation has the label {labels.max()}; the labels of training end at {classes - 1}")


def _check_words(loss: str, classes: int, dtype: str) -> None:
    if loss not in LOSSES:
        raise ConfigError(f"loss must be {', '.join(LOSSES)}; it is {loss!r}")
    if loss == "logistic" and classes != 2:
        raise ConfigError(f"loss 'logistic' is for two classes; there are {classes}: use 'softmax'")
    if dtype not in ("float32", "float64"):
        raise ConfigError(f"dtype must be 'float32' or 'float64'; it is {dtype!r}")


def _check_whole(name: str, value: int, least: int) -> None:
    if not _is_whole(value, least):
        raise ConfigError(f"{name} must be an integer from {least}; it is {value}")


def _is_whole(value: object, least: int) -> bool:
    return isinstance(value, (int, np.integer)) and not isinstance(value, bool) and bool(value >= least)


def _numbers(name: str, value: ArrayLike) -> Doubles:
    """(R,), finite and not negative. Raises `ConfigError`."""
    numbers: Any = np.atleast_1d(np.asarray(value))
    if numbers.dtype.kind not in "fiu" or numbers.ndim != 1 or not np.isfinite(numbers).all() or (numbers < 0).any():
        raise ConfigError(f"{name} must be a number from 0, or a sequence of them; it is {value!r}")
    result: Doubles = numbers.astype(np.float64)
    return result


def _side_by_side(lam: Doubles, eta: Doubles) -> tuple[Doubles, Doubles]:
    """Both (R,). Raises `ConfigError` if they are of two lengths."""
    try:
        lams, etas = np.broadcast_arrays(lam, eta)
    except ValueError:
        raise ConfigError(f"lam has {len(lam)} values, eta {len(eta)}; as many of both, or one, are needed") from None
    return lams.copy(), etas.copy()


def _standardization(images: Examples) -> Standardization:
    try:
        return Standardization.of(images)
    except ValueError as error:
        raise DataError(str(error)) from error
