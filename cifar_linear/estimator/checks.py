"""What may be wrong with the arguments of an estimator, in one line each."""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite
from numbers import Integral, Real
from typing import Any

import numpy as np

from cifar_linear.arrays import Examples
from cifar_linear.nn.losses import LOSSES

_SHOWN = 5
_DECAYS = ("none", "cosine")


def check_arguments(given: Mapping[str, Any]) -> None:
    """Raise ValueError for the first argument of `LinearSGDClassifier` that is not what it should be.

    Args:
        given: the values of all arguments, by name.
    """
    lam, eta, momentum, fraction = (given[name] for name in ("lam", "eta", "momentum", "validation_fraction"))
    weights, callback = given["class_weight"], given["callback"]
    rules = {
        "loss": (given["loss"] in LOSSES, " or ".join(map(repr, LOSSES))),
        "lam": (_is_number(lam), "a number from 0"),
        "eta": (eta == "auto" or (_is_number(eta) and eta > 0), "'auto' or a number above 0"),
        "momentum": (_is_number(momentum) and momentum < 1, "a number from 0 to below 1"),
        "n_batch": (_is_whole(given["n_batch"]), "an integer from 1"),
        "epochs": (_is_whole(given["epochs"]), "an integer from 1"),
        "decay": (given["decay"] in _DECAYS, " or ".join(map(repr, _DECAYS))),
        "validation_fraction": (_is_number(fraction) and 0 < fraction < 1, "a number above 0 and below 1"),
        "patience": (_is_whole(given["patience"]), "an integer from 1"),
        "class_weight": (
            weights in (None, "balanced") or (isinstance(weights, dict) and all(map(_is_number, weights.values()))),
            "None, 'balanced' or a dict of finite numbers from 0 by class",
        ),
        "callback": (callback is None or callable(callback), "None or a function of a row of metrics"),
    }
    for name, (is_right, allowed) in rules.items():
        if not is_right:
            raise ValueError(f"{name} must be {allowed}; it is {given[name]!r}")


def check_finite(X: Examples) -> None:
    """Raise ValueError if a feature is NaN or infinite, with the rows."""
    with np.errstate(over="ignore", invalid="ignore"):
        if X.dtype == np.uint8 or np.isfinite(X.sum()):
            return
    rows = np.flatnonzero(~np.isfinite(X).all(axis=1))
    if rows.size:
        raise ValueError(f"X holds NaN or inf in {rows.size} of {len(X)} rows: {listed(rows)}")


def listed(values: Any) -> str:
    """The first few values, and whether there are more."""
    shown = ", ".join(map(repr, np.asarray(values)[:_SHOWN].tolist()))
    return f"{shown}, ..." if len(values) > _SHOWN else shown


def _is_number(value: Any) -> bool:
    """Whether it is a finite number from 0."""
    return isinstance(value, Real) and not isinstance(value, bool) and isfinite(value) and float(value) >= 0


def _is_whole(value: Any) -> bool:
    """Whether it is an integer from 1."""
    return isinstance(value, Integral) and not isinstance(value, bool) and int(value) >= 1
