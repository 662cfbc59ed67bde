"""Max pooling: the largest pixel of each window."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from cifar_linear.arrays import Bools, Floats
from cifar_linear.nn.layers.layer import Trace
from cifar_linear.nn.layers.pool import Pool
from cifar_linear.nn.layers.real_part import larger

_ROWS, _COLUMNS = 2, 3


@dataclass(frozen=True)
class MaxPool(Pool):
    """The largest value of each window.

    Of equal values the first wins, row by row: (0, 0), (0, 1), (1, 0), (1, 1). In black parts of images, ties are the
    rule.
    """

    kind = "maxpool"

    def forward(self, x: Floats, _parameters: Mapping[str, Floats]) -> tuple[Floats, Trace]:
        """Return the maxima, along the rows of each window and then over its rows; the trace holds the comparisons."""
        of_rows, won_in_row = _largest(x, self.size, _COLUMNS)
        y, won = _largest(of_rows, self.size, _ROWS)
        return y, (won_in_row, won)

    def backward(
        self, dy: Floats, trace: Trace, _parameters: Mapping[str, Floats], want_dx: bool
    ) -> tuple[Floats | None, dict[str, Floats]]:
        """Give the gradient of each window to its first maximum, and 0 to all other pixels."""
        if not want_dx:
            return None, {}
        won_in_row, won = trace
        return _to_winners(_to_winners(dy, won, _ROWS), won_in_row, _COLUMNS), {}


def _largest(x: Floats, size: int, axis: int) -> tuple[Floats, list[Bools]]:
    """Return maxima of ``size`` neighbours along an axis, and where each but the first exceeds all before it."""
    best, *others = _members(x, size, axis)
    won = []
    for other in others:
        won.append(other.real > best.real)
        best = larger(best, other)
    return best, won


def _to_winners(dy: Floats, won: list[Bools], axis: int) -> Floats:
    """Return the gradient with respect to the input of `_largest`: the last neighbour that exceeded takes it."""
    size = len(won) + 1
    dx = np.empty((*dy.shape[:axis], dy.shape[axis] * size, *dy.shape[axis + 1 :]), dy.dtype)
    first, *others = _members(dx, size, axis)
    left = dy
    for other, beat_all in zip(reversed(others), reversed(won), strict=True):
        np.multiply(left, beat_all, out=other)
        left = left - other
    first[...] = left
    return dx


def _members(x: Floats, size: int, axis: int) -> list[Floats]:
    """Return views of the first pixel of each window along an axis, of the second, and so on."""
    return [x[(slice(None),) * axis + (slice(member, None, size),)] for member in range(size)]
