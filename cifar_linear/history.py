"""The figures of a group of runs by evaluation point, and the rows of one run."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from cifar_linear.arrays import Bools


class History:
    """Grows by one evaluation point at a time. A run's history ends when the run does."""

    def __init__(self, runs: int) -> None:
        self._rows: list[list[dict[str, Any]]] = [[] for _ in range(runs)]

    def append(self, figures: Mapping[str, ArrayLike], valid: Bools) -> None:
        """Add the figures of one evaluation point, each one number for all runs or (R,), for the ``valid`` runs."""
        for run in np.flatnonzero(valid):
            row = {name: np.broadcast_to(figure, len(valid))[run].item() for name, figure in figures.items()}
            self._rows[run].append(row)

    def rows(self, run: int) -> list[dict[str, Any]]:
        """One run's evaluation points in order, as plain Python numbers by column."""
        return self._rows[run]
