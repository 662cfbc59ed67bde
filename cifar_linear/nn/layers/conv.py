"""A convolution: the same filters at every place of the image."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from cifar_linear.arrays import Doubles, Floats
from cifar_linear.nn.layers.initialization import Scheme, draw
from cifar_linear.nn.layers.layer import Shape, Trace, Window, sides
from cifar_linear.nn.layers.products import weight_gradient, weighted

_ENOUGH_ROWS = 64  # of a matrix of windows; measured with 3 (slower) to 80 (faster: a fifth of the memory)


@dataclass(frozen=True)
class Conv:
    """A correlation with each filter, W (R, F, C, k, k) and b (R, F): (C, H, W) -> (F, H', W').

    y[f, i, j] = b[f] + sum over c, u, v of W[f, c, u, v] * x[c, i * stride + u - padding, j * stride + v - padding],
    with x = 0 outside the image, and H' = (H + 2 padding - k) // stride + 1. The filters are not flipped.

    Attributes:
        filters: F.
        kernel: k, rows and columns of a filter; odd, so that a filter has a middle.
        padding: rows and columns of zeros on each side; (k - 1) / 2 keeps the size.
        stride: pixels from one place of the filter to the next.
        init: how the weights are drawn; None for the scheme of the network.
    """

    filters: int
    kernel: int
    padding: int = 0
    stride: int = 1
    init: Scheme | None = None
    kind = "conv"

    def output_shape(self, shape: Shape) -> Shape:
        """Return (F, H', W')."""
        self._check_sizes()
        _, *inner = sides(shape)
        padded = [side + 2 * self.padding for side in inner]
        if min(padded) < self.kernel:
            raise ValueError(
                f"its kernel of {self.kernel} is larger than the padded input of {padded[0]} x {padded[1]}"
            )
        rows, columns = ((side - self.kernel) // self.stride + 1 for side in padded)
        return self.filters, rows, columns

    def parameter_shapes(self, shape: Shape) -> dict[str, Shape]:
        """Return the shapes of W (F, C, k, k) and b (F,)."""
        return {"W": (self.filters, shape[0], self.kernel, self.kernel), "b": (self.filters,)}

    def initial(self, rng: np.random.Generator, shape: Shape, scheme: Scheme) -> dict[str, Doubles]:
        """Draw W by the layer's own scheme or the network's; b is 0."""
        return draw(rng, self.parameter_shapes(shape), self.init or scheme)

    def forward(self, x: Floats, parameters: Mapping[str, Floats]) -> tuple[Floats, Trace]:
        """Multiply filters as rows by windows of x as columns; the trace is these columns and the shape of x."""
        W, b = parameters["W"], parameters["b"]
        columns = _lowered(_padded(x, self.padding), self.kernel, self.stride)
        y = _correlated(W, columns)
        y += b[..., None]
        return y.reshape(*W.shape[:2], *self.output_shape(x.shape[1:-1])[1:], x.shape[-1]), (columns, x.shape)

    def backward(
        self, dy: Floats, trace: Trace, parameters: Mapping[str, Floats], want_dx: bool
    ) -> tuple[Floats | None, dict[str, Floats]]:
        """Return dW = dy times the windows of x, db = the sum of dy over places and images, and dx."""
        columns, shape = trace
        W = parameters["W"]
        flat = dy.reshape(*dy.shape[:2], -1)
        parts = [weight_gradient(flat, some).reshape(*W.shape[:3], -1) for some in columns]
        gradients = {"W": np.stack(parts, axis=3).reshape(W.shape), "b": flat.sum(axis=2)}
        return (self._input_gradient(dy, W, shape) if want_dx else None), gradients

    def window(self, _shape: Shape) -> Window:
        """Return windows of k x k pixels, a stride apart."""
        return Window(self.kernel, self.stride, self.padding)

    def multiplications(self, shape: Shape) -> int:
        """Return F C k k for each of H' W' places."""
        return math.prod(self.output_shape(shape)) * shape[0] * self.kernel**2

    def _check_sizes(self) -> None:
        if self.filters < 1 or self.stride < 1 or self.padding < 0:
            raise ValueError("it needs at least 1 filter, a stride of at least 1 and a padding of at least 0")
        if self.kernel < 1 or self.kernel % 2 == 0:
            raise ValueError(f"its kernel must be odd and at least 1, not {self.kernel}")

    def _input_gradient(self, dy: Floats, W: Floats, shape: Shape) -> Floats:
        """Return dx: pixel i is place u of window i + padding - u, so it is dy, spread out, with turned filters."""
        _, channels, rows, columns, n = shape
        flipped = W[..., ::-1, ::-1].transpose(0, 2, 1, 3, 4)
        spread = self._spread(dy, rows, columns)
        dx = _correlated(flipped, _lowered(spread, self.kernel, 1))
        return dx.reshape(len(W), channels, rows, columns, n)

    def _spread(self, dy: Floats, rows: int, columns: int) -> Floats:
        """Return dy at the places of its windows, with zeros between and around, (R, F, H + k - 1, W + k - 1, n)."""
        runs, filters, _, _, n = dy.shape
        spread = np.zeros((runs, filters, rows + self.kernel - 1, columns + self.kernel - 1, n), dy.dtype)
        # Window o begins at pixel o * stride - padding. The first ones may lie in the padding altogether.
        before = self.kernel - 1 - self.padding
        hidden = max(0, -(before // self.stride))
        start = before + hidden * self.stride
        inside = spread[:, :, start :: self.stride, start :: self.stride]
        seen = dy[:, :, hidden : hidden + inside.shape[2], hidden : hidden + inside.shape[3]]
        inside[:, :, : seen.shape[2], : seen.shape[3]] = seen
        return spread


def _padded(x: Floats, padding: int) -> Floats:
    """Return the images in a frame of zeros, contiguous."""
    if padding == 0:
        return np.ascontiguousarray(x)
    runs, channels, rows, columns, n = x.shape
    frame = np.zeros((runs, channels, rows + 2 * padding, columns + 2 * padding, n), x.dtype)
    frame[:, :, padding : padding + rows, padding : padding + columns] = x
    return frame


def _lowered(x: Floats, kernel: int, stride: int) -> list[Floats]:
    """Return the windows of x as columns of matrices (R, m, H' W' n), whose products with the filters are summed.

    Either one matrix of m = C k k rows, one for each place in a window; or, where C k rows keep a product busy, k
    matrices of m = C k rows, one for each row of the filters: slices of one array that is k times smaller.
    M. Cho and D. Brand, MEC: Memory-efficient convolution, ICML 2017.
    """
    runs, channels, rows, _, n = x.shape
    if channels * kernel < _ENOUGH_ROWS or stride > 1:
        windows = sliding_window_view(x, (kernel, kernel), axis=(2, 3))[:, :, ::stride, ::stride]
        return [windows.transpose(0, 1, 5, 6, 2, 3, 4).reshape(runs, channels * kernel**2, -1)]
    in_rows = sliding_window_view(x, kernel, axis=3).transpose(0, 1, 5, 2, 3, 4)
    length = in_rows.shape[4] * n
    flat = in_rows.reshape(runs, channels * kernel, rows * length)
    return [flat[:, :, u * length : (u + rows - kernel + 1) * length] for u in range(kernel)]


def _correlated(W: Floats, columns: list[Floats]) -> Floats:
    """Correlate the filters (R, F, C, k, k) with every window of `_lowered`: (R, F, H' W' n)."""
    parts = W.reshape(*W.shape[:3], len(columns), -1)
    products = (weighted(parts[:, :, :, u].reshape(*W.shape[:2], -1), some) for u, some in enumerate(columns))
    y = next(products)
    for product in products:
        y += product
    return y
