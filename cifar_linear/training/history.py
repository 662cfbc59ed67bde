"""The metrics of a group of runs at all evaluation points."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from cifar_linear.arrays import Bools, Doubles


class EvaluatedPoint(NamedTuple):
    """A past evaluation point: the number of updates before it, and the validation losses (R,)."""

    step: int
    loss: Doubles


class History:
    """The evaluation points of each run of a group, to which new ones are appended until the run ends."""

    def __init__(self, rows: Sequence[Sequence[Mapping[str, Any]]], steps: Sequence[Sequence[float]]) -> None:
        """Start with the evaluation points so far.

        Args:
            rows: metrics of each run's evaluation points, by column; empty for new runs.
            steps: batch losses of each run; empty for new runs.
        """
        self._rows: list[list[Mapping[str, Any]]] = [list(of_run) for of_run in rows]
        self._steps: list[list[float]] = [list(of_run) for of_run in steps]

    def append(self, metrics: Mapping[str, ArrayLike], steps: Doubles | None, valid: Bools) -> None:
        """Append an evaluation point.

        Args:
            metrics: values by column, each one number for all runs or (R,).
            steps: losses of the batches since the last point, (s, R); None if they are not recorded.
            valid: mask of the runs that the point is appended to, (R,).
        """
        for run in np.flatnonzero(valid):
            row = {name: np.broadcast_to(values, len(valid))[run].item() for name, values in metrics.items()}
            self._rows[run].append(row)
            if steps is not None:
                self._steps[run] += steps[:, run].tolist()

    def rows(self, run: int) -> list[Mapping[str, Any]]:
        """Return the evaluation points of one run in order, as plain Python numbers by column."""
        return self._rows[run]

    def steps(self, run: int) -> list[float]:
        """Return the batch losses of one run in order; empty if they are not recorded."""
        return self._steps[run]

    @property
    def seconds(self) -> float:
        """Seconds from the start to the last evaluation point; 0 before the first."""
        return max((rows[-1]["seconds"] for rows in self._rows if rows), default=0.0)

    def past(self) -> list[EvaluatedPoint]:
        """Return all evaluation points; runs that had ended before a point have infinite loss there."""
        longest = max(self._rows, key=len)
        return [
            EvaluatedPoint(
                row["step"],
                np.array([rows[i]["validation_loss"] if i < len(rows) else np.inf for rows in self._rows]),
            )
            for i, row in enumerate(longest)
        ]
