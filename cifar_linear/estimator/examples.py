"""From the arrays that an estimator is given to weighted examples."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils.class_weight import compute_sample_weight
from sklearn.utils.validation import _check_sample_weight

from cifar_linear.arrays import Bools, Doubles, Examples
from cifar_linear.data.dataset import Split
from cifar_linear.estimator.checks import listed

ClassWeight = dict[Any, float] | str | None
"""A factor for each class, ``"balanced"``, or None for 1."""


def weighted(X: Examples, y: Any, classes: Any, sample_weight: ArrayLike | None, class_weight: ClassWeight) -> Split:
    """The examples that count, with weights of 1 on average; without weights if all count the same.

    Args:
        X: features, (n, d).
        y: the class of each example, (n,).
        classes: all classes, sorted, (K,); labels are indices of them.
        sample_weight: how often each example counts, from 0, (n,). None for 1.
        class_weight: a factor on the weights of the examples of each class.

    Raises:
        ValueError: a class is unknown, or all weights are zero.
    """
    labels = np.searchsorted(classes, y).clip(max=len(classes) - 1)
    if (unknown := classes[labels] != y).any():
        raise ValueError(f"y has the classes {listed(np.unique(y[unknown]))}, which are not in {listed(classes)}")
    if sample_weight is None and class_weight is None:
        return Split(X, labels)
    weights: Doubles = _check_sample_weight(sample_weight, X, dtype=np.float64, ensure_non_negative=True)
    weights = weights * compute_sample_weight(class_weight, y)
    if not weights.any():
        raise ValueError("every weight of an example is zero: at least one must be above 0")
    # Those with a weight of 0 are left out: batches are then those of the others alone.
    return Split(X, labels, weights / weights[weights > 0].mean()).part(_all_or(weights > 0))


def _all_or(some: Bools) -> slice | Bools:
    """A slice where all are chosen: it copies nothing."""
    return slice(None) if some.all() else some
