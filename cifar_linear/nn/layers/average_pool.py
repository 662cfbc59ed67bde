"""Average pooling: means over windows, or over the whole image."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from cifar_linear.arrays import Floats
from cifar_linear.nn.layers.layer import Shape, Trace, Window, WithoutWeights, sides
from cifar_linear.nn.layers.pool import Pool


@dataclass(frozen=True)
class AveragePool(Pool):
    """The mean of each window."""

    kind = "averagepool"

    def forward(self, x: Floats, _parameters: Mapping[str, Floats]) -> tuple[Floats, Trace]:
        """Return the means; the trace is the shape of x."""
        return self._windows(x).mean(axis=(3, 5)), x.shape

    def backward(
        self, dy: Floats, trace: Trace, _parameters: Mapping[str, Floats], want_dx: bool
    ) -> tuple[Floats | None, dict[str, Floats]]:
        """Give each pixel of a window an equal share of its gradient."""
        if not want_dx:
            return None, {}
        dx = np.empty((len(dy), *trace[1:]), dy.dtype)
        self._windows(dx)[...] = (dy / self.size**2)[:, :, :, None, :, None]
        return dx, {}

    def _windows(self, x: Floats) -> Floats:
        """Return a view (R, C, H / size, size, W / size, size, n)."""
        runs, channels, rows, columns, n = x.shape
        return x.reshape(runs, channels, rows // self.size, self.size, columns // self.size, self.size, n)


@dataclass(frozen=True)
class GlobalAveragePool(WithoutWeights):
    """The mean of each channel over all its pixels: (C, H, W) -> (C,), flat."""

    kind = "globalaveragepool"

    def output_shape(self, shape: Shape) -> Shape:
        """Return (C,)."""
        return sides(shape)[:1]

    def forward(self, x: Floats, _parameters: Mapping[str, Floats]) -> tuple[Floats, Trace]:
        """Return the means; the trace is the shape of a channel of one image."""
        return x.mean(axis=(2, 3)), x.shape[2:4]

    def backward(
        self, dy: Floats, trace: Trace, _parameters: Mapping[str, Floats], want_dx: bool
    ) -> tuple[Floats | None, dict[str, Floats]]:
        """Give each pixel an equal share of its channel's gradient."""
        if not want_dx:
            return None, {}
        runs, channels, n = dy.shape
        rows, columns = trace
        share = (dy / (rows * columns))[:, :, None, None]
        return np.broadcast_to(share, (runs, channels, rows, columns, n)).copy(), {}

    def window(self, shape: Shape) -> Window:
        """Return a window of the whole image."""
        return Window(max(shape[1:]))
