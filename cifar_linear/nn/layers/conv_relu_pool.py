"""A convolution, a ReLU and a maximum over windows of 2 x 2 pixels in one piece, for speed.

The result is that of `Conv`, `ReLU` and `MaxPool` one after another. The input is split by the parity of its rows and
columns, so that the four members of every pooling window come out of the product as four contiguous blocks: the maximum
takes no strided pass. Since the maximum and ReLU commute, and a bias shifts all members alike, bias and ReLU are
applied to a quarter of the numbers. The gradient with respect to the input is a convolution of the same kind.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from cifar_linear.arrays import Bools, Floats
from cifar_linear.nn.layers.conv import Conv
from cifar_linear.nn.layers.layer import Layer, Shape, Trace
from cifar_linear.nn.layers.max_pool import MaxPool
from cifar_linear.nn.layers.products import weight_gradient, weighted
from cifar_linear.nn.layers.relu import ReLU


@dataclass(frozen=True)
class ConvReLUPool:
    """`Conv`, `ReLU` and `MaxPool(2)` one after another: (C, H, W) -> (F, H' / 2, W' / 2).

    Of equal maxima the first gets the gradient, as in `MaxPool`.

    Attributes:
        conv: the convolution, of stride 1.
    """

    conv: Conv

    def suits(self, shape: Shape) -> bool:
        """Return whether images of a shape (C, H, W) can be split by parity, before and after the convolution."""
        _, *output = self.conv.output_shape(shape)
        sides = (*shape[1:], *output)
        return self.conv.stride == 1 and self.conv.padding < self.conv.kernel and not any(side % 2 for side in sides)

    def forward(self, x: Floats, parameters: Mapping[str, Floats]) -> tuple[Floats, Trace]:
        """Return the output (R, F, H' / 2, W' / 2, n), and the trace for `backward`.

        Args:
            x: images (R, C, H, W, n), or (1, C, H, W, n) if all runs share them.
            parameters: W (R, F, C, k, k) and b (R, F).
        """
        W, b = parameters["W"], parameters["b"]
        kernel, padding = self.conv.kernel, self.conv.padding
        windows = _windows(_phases(x, padding), kernel)
        members = _at_both_parities(W, windows)
        of_rows, won_in_row = np.maximum(members[:, :, 0], members[:, :, 1]), members[:, :, 1] > members[:, :, 0]
        y, won = np.maximum(of_rows[:, 0], of_rows[:, 1]), of_rows[:, 1] > of_rows[:, 0]
        y += b[..., None]
        np.maximum(y, 0, out=y)
        _, rows, columns = self.conv.output_shape(x.shape[1:-1])
        shape = (*W.shape[:2], rows // 2, columns // 2, x.shape[-1])
        return y.reshape(shape), (windows, won_in_row, won, y, x.shape)

    def backward(
        self, dy: Floats, trace: Trace, parameters: Mapping[str, Floats], want_dx: bool
    ) -> tuple[Floats | None, dict[str, Floats]]:
        """Return the gradients with respect to x (None unless wanted) and to W and b; arguments as in `Layer`."""
        windows, won_in_row, won, y, shape = trace
        W = parameters["W"]
        g = dy.reshape(y.shape) * (y > 0)
        members = _to_members(g, won_in_row, won)
        gradients = {"W": _filter_gradient(members, windows, W), "b": g.sum(axis=2)}
        return (self._input_gradient(members, W, dy.shape, shape) if want_dx else None), gradients

    def _input_gradient(self, members: Floats, W: Floats, of_dy: Shape, shape: Shape) -> Floats:
        """Correlate the gradient of the convolution's output, members of each window apart, with turned filters."""
        _, channels, rows, columns, n = shape
        flipped = W[..., ::-1, ::-1].transpose(0, 2, 1, 3, 4)
        apart = members.reshape(len(W), 2, 2, W.shape[1], *of_dy[2:])
        windows = _windows(_padded_phases(apart, self.conv.kernel - 1 - self.conv.padding), self.conv.kernel)
        dx = _at_both_parities(flipped, windows).reshape(len(W), 2, 2, channels, rows // 2, columns // 2, n)
        return dx.transpose(0, 3, 4, 1, 5, 2, 6).reshape(len(W), channels, rows, columns, n)


def fused(layers: Sequence[Layer], shape: Shape) -> ConvReLUPool | None:
    """Return layers in one piece; None if they are not a convolution, a ReLU and a pooling of 2 x 2, or do not suit it.

    Args:
        layers: neighbouring layers in order; ReLU may come before or after the pooling.
        shape: of one image before the first of them.
    """
    conv, *others = layers
    # Types, not instances of them: a subclass may compute something else.
    kinds = {type(other) for other in others}
    if type(conv) is not Conv or kinds != {ReLU, MaxPool} or MaxPool(2) not in others:
        return None
    together = ConvReLUPool(conv)
    return together if together.suits(shape) else None


def _phases(x: Floats, padding: int) -> Floats:
    """Return padded images (R, C, H, W, n) by parity of row and column, (R, 2, 2, C, H / 2 + p, W / 2 + p, n)."""
    runs, channels, rows, columns, n = x.shape
    apart = x.reshape(runs, channels, rows // 2, 2, columns // 2, 2, n).transpose(0, 3, 5, 1, 2, 4, 6)
    return _padded_phases(apart, padding)


def _padded_phases(apart: Floats, padding: int) -> Floats:
    """Return images by parity of row and column, (R, 2, 2, C, h, w, n), in a frame of ``padding`` zeros."""
    runs, _, _, channels, rows, columns, n = apart.shape
    framed = np.zeros((runs, 2, 2, channels, rows + padding, columns + padding, n), apart.dtype)
    places = [((parity + padding) % 2, (parity + padding) // 2) for parity in (0, 1)]
    for row, (to_row, top) in enumerate(places):
        for column, (to_column, left) in enumerate(places):
            framed[:, to_row, to_column, :, top : top + rows, left : left + columns] = apart[:, row, column]
    return framed


def _windows(phases: Floats, kernel: int) -> Floats:
    """Return windows of (k + 1) x (k + 1) padded pixels, two pixels apart, as columns, (R, (k + 1)^2 C, h w n).

    Such a window holds what the filter sees at four neighbouring places. The rows are ordered by the pixel's row and
    column in the window, then by channel.
    """
    half = (kernel + 1) // 2
    seen = sliding_window_view(phases, (half, half), axis=(4, 5))
    ordered = seen.transpose(0, 7, 1, 8, 2, 3, 4, 5, 6)
    return ordered.reshape(len(phases), (kernel + 1) ** 2 * phases.shape[3], -1)


def _at_each_parity(windows: Floats, kernel: int) -> tuple[Floats, Floats]:
    """Return views (R, k (k + 1) C, h w n): the pixels of each window that filters at its even and its odd row see."""
    of_a_row = windows.shape[1] // (kernel + 1)
    return windows[:, :-of_a_row], windows[:, of_a_row:]


def _at_both_parities(W: Floats, windows: Floats) -> Floats:
    """Correlate: (R, 2, 2, F, h w n), by the parity of the output's row and column."""
    runs, filters, channels, kernel, _ = W.shape
    wide = np.zeros((runs, 2, filters, kernel, kernel + 1, channels), W.dtype)
    ordered = W.transpose(0, 1, 3, 4, 2)
    wide[:, 0, ..., :kernel, :], wide[:, 1, ..., 1:, :] = ordered, ordered
    members = np.empty((runs, 2, 2 * filters, windows.shape[2]), np.result_type(W, windows))
    for parity, seen in enumerate(_at_each_parity(windows, kernel)):
        weighted(wide.reshape(runs, 2 * filters, -1), seen, members[:, parity])
    return members.reshape(runs, 2, 2, filters, -1)


def _filter_gradient(members: Floats, windows: Floats, W: Floats) -> Floats:
    """Return the gradient with respect to W from that with respect to `_at_both_parities`."""
    runs, filters, channels, kernel, _ = W.shape
    flat = members.reshape(runs, 2, 2 * filters, -1)
    even, odd = (weight_gradient(flat[:, parity], some) for parity, some in enumerate(_at_each_parity(windows, kernel)))
    wide = (even + odd).reshape(runs, 2, filters, kernel, kernel + 1, channels)
    gradient: Floats = wide[:, 0, ..., :kernel, :] + wide[:, 1, ..., 1:, :]
    return np.ascontiguousarray(gradient.transpose(0, 1, 4, 2, 3))


def _to_members(g: Floats, won_in_row: Bools, won: Bools) -> Floats:
    """Return the gradient of each member of the windows, (R, 2, 2, F, h w n): all of it for the first maximum."""
    of_rows = np.empty(won_in_row.shape, g.dtype)
    np.multiply(g, won, out=of_rows[:, 1])
    np.subtract(g, of_rows[:, 1], out=of_rows[:, 0])
    members = np.empty((len(g), 2, 2, *g.shape[1:]), g.dtype)
    np.multiply(of_rows, won_in_row, out=members[:, :, 1])
    np.subtract(of_rows, members[:, :, 1], out=members[:, :, 0])
    return members
