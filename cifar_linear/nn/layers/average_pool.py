"""Means over windows, or over the whole image."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from cifar_linear.arrays import Floats
from cifar_linear.nn.layers.layer import Shape, Trace, Window, WithoutWeights, pooled, sides


@dataclass(frozen=True)
class AveragePool(WithoutWeights):
    """The mean of each window: (C, H, W) -> (C, H / size, W / size).

    Attributes:
        size: rows and columns of a window, and the step to the next; must divide H and W.
    """

    size: int
    kind = "averagepool"

    def output_shape(self, shape: Shape) -> Shape:
        """(C, H / size, W / size)."""
        return pooled(shape, self.size)

    def forward(self, x: Floats, _parameters: Mapping[str, Floats]) -> tuple[Floats, Trace]:
        """The means; the trace is the shape of x."""
        return self._windows(x).mean(axis=(3, 5)), x.shape

    def backward(
        self, dy: Floats, trace: Trace, _parameters: Mapping[str, Floats], want_dx: bool
    ) -> tuple[Floats | None, dict[str, Floats]]:
        """Each member of a window gets an equal share of its gradient."""
        if not want_dx:
            return None, {}
        dx = np.empty((len(dy), *trace[1:]), dy.dtype)
        self._windows(dx)[...] = (dy / self.size**2)[:, :, :, None, :, None]
        return dx, {}

    def window(self, _shape: Shape) -> Window:
        """Size x size pixels, side by side."""
        return self.size, self.size

    def _windows(self, x: Floats) -> Floats:
        """A view (R, C, H / size, size, W / size, size, n)."""
        runs, channels, rows, columns, n = x.shape
        return x.reshape(runs, channels, rows // self.size, self.size, columns // self.size, self.size, n)


@dataclass(frozen=True)
class GlobalAveragePool(WithoutWeights):
    """The mean of each channel over all its pixels: (C, H, W) -> (C,), flat."""

    kind = "globalaveragepool"

    def output_shape(self, shape: Shape) -> Shape:
        """(C,)."""
        return sides(shape)[:1]

    def forward(self, x: Floats, _parameters: Mapping[str, Floats]) -> tuple[Floats, Trace]:
        """The means; the trace is the shape of one image's channel."""
        return x.mean(axis=(2, 3)), x.shape[2:4]

    def backward(
        self, dy: Floats, trace: Trace, _parameters: Mapping[str, Floats], want_dx: bool
    ) -> tuple[Floats | None, dict[str, Floats]]:
        """Each pixel gets an equal share of its channel's gradient."""
        if not want_dx:
            return None, {}
        runs, channels, n = dy.shape
        rows, columns = trace
        share = (dy / (rows * columns))[:, :, None, None]
        return np.broadcast_to(share, (runs, channels, rows, columns, n)).copy(), {}

    def window(self, shape: Shape) -> Window:
        """The whole image."""
        return max(shape[1:]), 1
