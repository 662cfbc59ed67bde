"""The figures of a group of runs by evaluation point, and the rows of one run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from cifar_linear.arrays import Bools, Doubles


class History:
    """Grows by one evaluation point at a time. A run's history ends when the run does."""

    def __init__(self, rows: Sequence[Sequence[Mapping[str, Any]]]) -> None:
        """``rows`` are those that each run has behind it."""
        self._rows: list[list[Mapping[str, Any]]] = [list(of_run) for of_run in rows]

    def append(self, figures: Mapping[str, ArrayLike], valid: Bools) -> None:
        """Add the figures of one evaluation point, each one number for all runs or (R,), for the ``valid`` runs."""
        for run in np.flatnonzero(valid):
            row = {name: np.broadcast_to(figure, len(valid))[run].item() for name, figure in figures.items()}
            self._rows[run].append(row)

    def rows(self, run: int) -> list[Mapping[str, Any]]:
        """One run's evaluation points in order, as plain Python numbers by column."""
        return self._rows[run]

    @property
    def seconds(self) -> float:
        """The time of the last evaluation point; 0 before the first."""
        return max((rows[-1]["seconds"] for rows in self._rows if rows), default=0.0)

    def losses(self) -> list[Doubles]:
        """The validation losses (R,) of all evaluation points; infinite for runs that had ended."""
        points = max(map(len, self._rows))
        return [
            np.array([rows[point]["validation_loss"] if point < len(rows) else np.inf for rows in self._rows])
            for point in range(points)
        ]
