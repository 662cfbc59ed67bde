"""R linear classifiers that share one matrix product.

Weights ``W`` are (R, K, d), biases ``b`` (R, K), images ``X`` (n, d) in rows, ``lam`` (R,). `Linear` takes raw pixels;
the functions are the formulas for images that are standardised already.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from cifar_linear.arrays import Doubles, Examples, Floats, Labels
from cifar_linear.nn.losses import Loss
from cifar_linear.nn.matmul import columns_times_columns, rows_times_rows
from cifar_linear.nn.parameters import Parameters
from cifar_linear.nn.standardization import Standardization

_GAP = 16  # floats, a line of the cache


@dataclass(frozen=True)
class Linear:
    """The model W ((x - shift) * scale) + b of raw pixels x, with the standardisation as a part of it.

    Attributes:
        outputs: number of scores per image, K.
        standardization: standardisation of the d dimensions of a raw image.
        init_std: standard deviation of the normal distribution from which W and b are drawn, with mean 0.
        bias_is_weight: whether the penalty includes b, as if b were the weights of a constant feature 1.
    """

    outputs: int
    standardization: Standardization
    init_std: float = 0.01
    bias_is_weight: bool = False
    _memory: dict[Any, Floats] = field(default_factory=dict, repr=False, compare=False)
    """Workspaces that are reused for every batch: that is faster than allocating new ones."""

    @property
    def parameter_shapes(self) -> Mapping[str, tuple[int, ...]]:
        """The shapes of ``W`` (K, d) and ``b`` (K,)."""
        return {"W": (self.outputs, len(self.standardization.mean)), "b": (self.outputs,)}

    @property
    def penalised(self) -> frozenset[str]:
        """The names of the penalised parameters: ``W``, and ``b`` with `bias_is_weight`."""
        return frozenset(self.parameter_shapes if self.bias_is_weight else ("W",))

    def initial(self, rng: np.random.Generator) -> dict[str, Doubles]:
        """Draw the initial W (K, d), then b (K,), in float64."""
        return {name: rng.normal(0, self.init_std, shape) for name, shape in self.parameter_shapes.items()}

    def scores(self, pixels: Iterable[Floats], parameters: Parameters) -> Floats:
        """Return the scores of all images, (n, R, K), from chunks of raw pixels (n_i, d)."""
        return scores_of_parts(pixels, *self.standardization.fold(parameters["W"], parameters["b"]))

    def forward(self, pixels: Examples, parameters: Parameters) -> tuple[Floats, Floats]:
        """Return the scores (n, R, K) of raw pixels (n, d), and the trace for `backward`: floats of `_with_shift`."""
        W, b = parameters["W"], parameters["b"]
        X = self._with_shift(pixels, W.dtype)
        return scores_of_parts([X[:-1]], *self.standardization.fold(W, b, self._workspace("folded", W))), X

    def backward(self, G: Floats, trace: Floats, parameters: Parameters) -> Iterator[dict[str, Floats]]:
        """Yield the gradients of ``W`` (K, d) and ``b`` (K,) run by run, so that each update finds them in the cache.

        db is the sum of G over the images, and dW = (G^T x - db shift^T) * scale. With -db as the derivatives of the
        last row of the trace, the difference is one product for all runs.

        Args:
            G: derivatives of the mean loss with respect to the scores, (n, R, K).
            trace: raw pixels and their shift in rows, (n + 1, d), as returned by `forward`.
            parameters: the parameters that `forward` was called with.
        """
        W = parameters["W"]
        grad_W, grad_b = self._workspace("gradient", W), G.sum(axis=0)
        with_shift = np.concatenate([G.reshape(len(G), -1).T, -grad_b.reshape(-1, 1)], axis=1)
        columns_times_columns(with_shift.T, trace, grad_W.reshape(-1, W.shape[2]))
        scale = self.standardization.scale_in(W.dtype)
        for run in range(len(W)):
            grad_W[run] *= scale
            yield {"W": grad_W[run], "b": grad_b[run]}

    def _with_shift(self, pixels: Examples, dtype: np.dtype[Any]) -> Floats:
        """Return raw pixels (n, d) as floats, with the shift of the standardisation as one more row, (n + 1, d)."""
        key = "pixels", (len(pixels) + 1, pixels.shape[1]), dtype
        if key not in self._memory:
            # A gap between the rows: at distances of 4096 bytes or a multiple, they compete for the same places in the
            # processor's cache.
            self._memory[key] = np.empty((key[1][0], key[1][1] + _GAP), dtype)[:, :-_GAP]
            self._memory[key][-1] = self.standardization.shift
        np.copyto(self._memory[key][:-1], pixels)
        return self._memory[key]

    def _workspace(self, purpose: str, like: Floats) -> Floats:
        key = purpose, like.shape, like.dtype
        if key not in self._memory:
            self._memory[key] = np.empty_like(like)
        return self._memory[key]


def scores(X: Floats, W: Floats, b: Floats) -> Floats:
    """Return X W^T + b for every run, (n, R, K)."""
    return scores_of_parts([X], W, b)


def scores_of_parts(parts: Iterable[Floats], W: Floats, b: Floats) -> Floats:
    """Return the scores (n, R, K) of images that come in chunks (n_i, d)."""
    products = [rows_times_rows(X, W.reshape(-1, W.shape[2])) for X in parts]
    product = products[0] if len(products) == 1 else np.concatenate(products)
    # In memory the image axis is last: operations along the few classes are then vectorised over the images.
    return np.add(product.T, b.reshape(-1, 1), order="C").T.reshape(-1, *b.shape)


def cost(X: Floats, labels: Labels, W: Floats, b: Floats, lam: Floats, loss: Loss) -> Doubles:
    """Return the mean loss over the images plus lam * sum(W**2), (R,).

    Args:
        X: standardised images, (n, d).
        labels: true classes, (n,).
        W: weights, (R, K, d).
        b: biases, (R, K).
        lam: penalty strength of each run, (R,).
        loss: loss of one image.
    """
    data_loss: Doubles = loss.values(scores(X, W, b), labels).mean(axis=0, dtype=np.float64)
    squares: Doubles = np.array([np.vdot(run, run) for run in W], np.float64)
    return data_loss + lam * squares
