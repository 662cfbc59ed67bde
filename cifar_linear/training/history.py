"""The figures of a group of runs by evaluation point, and the rows of one run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from cifar_linear.arrays import Bools, Doubles


class EvaluatedPoint(NamedTuple):
    """An evaluation point that was: after how many steps, and the validation losses (R,)."""

    step: int
    loss: Doubles


class History:
    """Grows by one evaluation point at a time. A run's history ends when the run does."""

    def __init__(self, rows: Sequence[Sequence[Mapping[str, Any]]], steps: Sequence[Sequence[float]]) -> None:
        """``rows`` and ``steps`` are those that each run has behind it."""
        self._rows: list[list[Mapping[str, Any]]] = [list(of_run) for of_run in rows]
        self._steps: list[list[float]] = [list(of_run) for of_run in steps]

    def append(self, figures: Mapping[str, ArrayLike], steps: Doubles | None, valid: Bools) -> None:
        """Add the figures of one evaluation point, each one number for all runs or (R,), for the ``valid`` runs.

        ``steps`` (s, R) are the losses of single batches since the last point, if they are recorded.
        """
        for run in np.flatnonzero(valid):
            row = {name: np.broadcast_to(figure, len(valid))[run].item() for name, figure in figures.items()}
            self._rows[run].append(row)
            if steps is not None:
                self._steps[run] += steps[:, run].tolist()

    def rows(self, run: int) -> list[Mapping[str, Any]]:
        """One run's evaluation points in order, as plain Python numbers by column."""
        return self._rows[run]

    def steps(self, run: int) -> list[float]:
        """The losses of one run's batches in order; none if they are not recorded."""
        return self._steps[run]

    @property
    def seconds(self) -> float:
        """The time of the last evaluation point; 0 before the first."""
        return max((rows[-1]["seconds"] for rows in self._rows if rows), default=0.0)

    def past(self) -> list[EvaluatedPoint]:
        """All evaluation points; infinite losses for runs that had ended."""
        longest = max(self._rows, key=len)
        return [
            EvaluatedPoint(
                row["step"],
                np.array([rows[i]["validation_loss"] if i < len(rows) else np.inf for rows in self._rows]),
            )
            for i, row in enumerate(longest)
        ]
