"""Conversion of checkpoints of format 1, which had fixed names for the parameters of linear models."""

from collections.abc import Mapping
from typing import Any

import numpy as np

_NAMES = {
    "weights_W": "parameters.W",
    "weights_b": "parameters.b",
    "end_diverged": "end.diverged",
    "end_stopped": "end.stopped",
    "mean_W": "mean.sums.W",
    "mean_b": "mean.sums.b",
    "mean_summed": "mean.summed",
    "best_W": "best.parameters.W",
    "best_b": "best.parameters.b",
    "best_loss": "best.loss",
    "best_waited": "best.waited",
}


def is_format_1(arrays: Mapping[str, Any]) -> bool:
    """Return whether the arrays of a state have the names of format 1."""
    return "weights_W" in arrays


def from_format_1(arrays: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arrays of a state of format 1 by their current names.

    A mean of format 1 has no weights, since each update counted once. If averaging had not begun, the file has no mean;
    `with_what_had_not_begun` adds an empty one.
    """
    found = {_NAMES.get(name, name): array for name, array in arrays.items()}
    if "mean.summed" in found:
        found["mean.weight"] = np.float64(found["mean.summed"])
    return found


def with_what_had_not_begun(arrays: Mapping[str, Any], expected: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arrays of a state, with the empty mean of an ``expected`` state added if they have no mean."""
    mean = {name: array for name, array in expected.items() if name.startswith("mean.")}
    return {**arrays, **({} if any(name.startswith("mean.") for name in arrays) else mean)}
