"""Checkpoints of format 1, from before parameters had names of their own, in today's names."""

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
    """Whether the arrays of a state have the names of format 1."""
    return "weights_W" in arrays


def from_format_1(arrays: Mapping[str, Any]) -> dict[str, Any]:
    """The arrays by today's names.

    A mean had no weights: each update counted once. Before it began there was none in the file, which
    `with_what_had_not_begun` makes up for.
    """
    found = {_NAMES.get(name, name): array for name, array in arrays.items()}
    if "mean.summed" in found:
        found["mean.weight"] = np.float64(found["mean.summed"])
    return found


def with_what_had_not_begun(arrays: Mapping[str, Any], expected: Mapping[str, Any]) -> dict[str, Any]:
    """The arrays of a state, completed by the empty mean of an ``expected`` one, if only that is missing."""
    mean = {name: array for name, array in expected.items() if name.startswith("mean.")}
    return {**arrays, **({} if any(name.startswith("mean.") for name in arrays) else mean)}
