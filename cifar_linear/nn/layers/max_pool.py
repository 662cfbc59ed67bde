"""The largest pixel of each window."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from cifar_linear.arrays import Bools, Floats
from cifar_linear.nn.layers.layer import Shape, Trace, Window, WithoutWeights, pooled
from cifar_linear.nn.layers.real_part import larger

_ROWS, _COLUMNS = 2, 3


@dataclass(frozen=True)
class MaxPool(WithoutWeights):
    """The largest value of each window: (C, H, W) -> (C, H / size, W / size).

    Of equals the first wins, row by row: (0, 0), (0, 1), (1, 0), (1, 1). Where images are black, ties are the rule.

    Attributes:
        size: rows and columns of a window, and the step to the next; must divide H and W.
    """

    size: int
    kind = "maxpool"

    def output_shape(self, shape: Shape) -> Shape:
        """(C, H / size, W / size)."""
        return pooled(shape, self.size)

    def forward(self, x: Floats, _parameters: Mapping[str, Floats]) -> tuple[Floats, Trace]:
        """The maxima, first along each row of a window, then of its rows; the trace says who won."""
        of_rows, won_in_row = _largest(x, self.size, _COLUMNS)
        y, won = _largest(of_rows, self.size, _ROWS)
        return y, (won_in_row, won)

    def backward(
        self, dy: Floats, trace: Trace, _parameters: Mapping[str, Floats], want_dx: bool
    ) -> tuple[Floats | None, dict[str, Floats]]:
        """The winner of each window gets its gradient, all others 0."""
        if not want_dx:
            return None, {}
        won_in_row, won = trace
        return _to_winners(_to_winners(dy, won, _ROWS), won_in_row, _COLUMNS), {}

    def window(self, _shape: Shape) -> Window:
        """Size x size pixels, side by side."""
        return self.size, self.size


def _largest(x: Floats, size: int, axis: int) -> tuple[Floats, list[Bools]]:
    """Maxima of ``size`` neighbours along an axis; and of each neighbour but the first, where it beat all before it."""
    best, *others = _members(x, size, axis)
    won = []
    for other in others:
        won.append(other.real > best.real)
        best = larger(best, other)
    return best, won


def _to_winners(dy: Floats, won: list[Bools], axis: int) -> Floats:
    """The gradient before `_largest`: asked from the last, the first neighbour that won takes all."""
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
    """Views of each window's first member, its second, ..., along an axis."""
    return [x[(slice(None),) * axis + (slice(member, None, size),)] for member in range(size)]
