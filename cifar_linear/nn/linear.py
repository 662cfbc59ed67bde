"""R linear classifiers side by side: one matrix product serves them all.

Weights ``W`` are (R, K, d), biases ``b`` (R, K), images ``X`` (n, d) in rows, ``lam`` (R,). `Linear` is the model of
raw pixels; the functions are the formulas on images that have been standardised already.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from cifar_linear.arrays import Doubles, Floats, Labels
from cifar_linear.nn.losses import Loss
from cifar_linear.nn.matmul import columns_times_columns, rows_times_rows
from cifar_linear.nn.parameters import Parameters
from cifar_linear.nn.standardization import Standardization


@dataclass(frozen=True)
class Linear:
    """The model W ((x - shift) * scale) + b of raw pixels x: standardisation is a part of it.

    Attributes:
        outputs: scores per image, K.
        standardization: from raw pixels to what the weights see; its length is the number of features, d.
        init_std: W, then b, start from N(0, init_std**2).
        bias_is_weight: whether the penalty covers b, as if it belonged to a column of ones among the images.
    """

    outputs: int
    standardization: Standardization
    init_std: float = 0.01
    bias_is_weight: bool = False
    _memory: dict[Any, Floats] = field(default_factory=dict, repr=False, compare=False)
    """Used again from batch to batch; memory that is used again is faster than new."""

    @property
    def parameter_shapes(self) -> Mapping[str, tuple[int, ...]]:
        """``W`` (K, d) and ``b`` (K,)."""
        return {"W": (self.outputs, len(self.standardization.mean)), "b": (self.outputs,)}

    @property
    def penalised(self) -> frozenset[str]:
        """The weights, and perhaps the biases."""
        return frozenset(self.parameter_shapes if self.bias_is_weight else ("W",))

    def initial(self, rng: np.random.Generator) -> dict[str, Doubles]:
        """Draw W (K, d), then b (K,), in float64."""
        return {name: rng.normal(0, self.init_std, shape) for name, shape in self.parameter_shapes.items()}

    def scores(self, pixels: Iterable[Floats], parameters: Parameters) -> Floats:
        """The scores of all images, (n, R, K), from parts of raw pixels (n_i, d)."""
        return scores_of_parts(pixels, *self.standardization.fold(parameters["W"], parameters["b"]))

    def forward(self, pixels: Floats, parameters: Parameters) -> tuple[Floats, Floats]:
        """The scores (n, R, K) of raw pixels (n, d), which are also all that `backward` needs."""
        W, b = parameters["W"], parameters["b"]
        return scores_of_parts([pixels], *self.standardization.fold(W, b, self._workspace("folded", W))), pixels

    def backward(self, G: Floats, trace: Floats, parameters: Parameters) -> Iterator[dict[str, Floats]]:
        """Yield the gradients of ``W`` (K, d) and ``b`` (K,) run by run, so that each update finds them in the cache.

        The gradient of the folded weights, G^T x, is one product for all runs; the chain rule turns each run's part of
        it into the gradient of W, and db is the sum of G over the images.
        """
        W = parameters["W"]
        grad_W, grad_b = self._workspace("gradient", W), G.sum(axis=0)
        columns_times_columns(G.reshape(len(trace), -1), trace, grad_W.reshape(-1, W.shape[2]))
        for run in range(len(W)):
            self.standardization.unfold_gradient(grad_W[run], grad_b[run])
            yield {"W": grad_W[run], "b": grad_b[run]}

    def _workspace(self, purpose: str, like: Floats) -> Floats:
        key = purpose, like.shape, like.dtype
        if key not in self._memory:
            self._memory[key] = np.empty_like(like)
        return self._memory[key]


def scores(X: Floats, W: Floats, b: Floats) -> Floats:
    """X W^T + b for every run, (n, R, K)."""
    return scores_of_parts([X], W, b)


def scores_of_parts(parts: Iterable[Floats], W: Floats, b: Floats) -> Floats:
    """The `scores` of images that come one part after another, for all parts together."""
    products = [rows_times_rows(X, W.reshape(-1, W.shape[2])) for X in parts]
    product = products[0] if len(products) == 1 else np.concatenate(products)
    # In memory the images come last: what a loss does along ten classes is then done for many images at once.
    return np.add(product.T, b.reshape(-1, 1), order="C").T.reshape(-1, *b.shape)


def cost(X: Floats, labels: Labels, W: Floats, b: Floats, lam: Floats, loss: Loss) -> Doubles:
    """Mean loss over the images plus lam * sum(W**2), (R,)."""
    data_loss: Doubles = loss.values(scores(X, W, b), labels).mean(axis=0, dtype=np.float64)
    squares: Doubles = np.array([np.vdot(run, run) for run in W], np.float64)
    return data_loss + lam * squares
