"""Parameters as an ordered mapping from names to arrays, each with the runs of a group along its first axis.

Gradients, velocity, mean and best parameters have the same names and shapes.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from cifar_linear.arrays import Bools, Floats

Parameters = Mapping[str, Floats]
"""For example ``W`` (R, K, d) and ``b`` (R, K) of R linear classifiers; parameters of one run lack the first axis."""


def stacked(runs: Sequence[Mapping[str, Any]], dtype: str | None = None) -> dict[str, Floats]:
    """Stack the parameters (...) of each run to parameters (R, ...) of the group, in ``dtype`` if it is given."""
    return {name: np.stack([run[name] for run in runs], dtype=dtype, casting="same_kind") for name in runs[0]}


def of_run(parameters: Parameters, run: int) -> dict[str, Floats]:
    """Return the parameters of one run, (...), as views: changing them changes the group's."""
    return {name: array[run] for name, array in parameters.items()}


def put(target: Parameters, runs: Bools, source: Parameters) -> None:
    """Copy the parameters of the runs in the mask ``runs`` (R,) from ``source`` to ``target``, in place."""
    for name, array in target.items():
        array[runs] = source[name][runs]


def copied(parameters: Parameters) -> dict[str, Floats]:
    """Return parameters with independent copies of all arrays."""
    return {name: array.copy() for name, array in parameters.items()}


def dtype_of(parameters: Parameters) -> np.dtype[Any]:
    """Return the dtype, which all parameters share."""
    return next(iter(parameters.values())).dtype
