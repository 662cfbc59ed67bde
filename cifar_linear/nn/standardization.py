"""Standardisation as a part of the linear model, rather than of the images.

A linear map of standardised pixels is another linear map of raw pixels. Folding the first into the second costs a
pass over the weights instead of two passes over every batch of images, and the images stay as they are.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from cifar_linear.arrays import Doubles, Floats, Images

_CHUNK = 500


@dataclass(frozen=True)
class Standardization:
    """x -> (x / 255 - mean) / std in each of the d dimensions; where std is 0 the result is 0.

    Attributes:
        mean: of the training images scaled to [0, 1], (d,).
        std: their standard deviation with n - 1 in the denominator, as in the course notes, (d,).
    """

    mean: Doubles
    std: Doubles

    @classmethod
    def of(cls, images: Images) -> Standardization:
        """The statistics of uint8 images (n, d); exact up to the last division and root."""
        n = len(images)
        total = np.zeros(images.shape[1], np.int64)
        total_of_squares = np.zeros_like(total)
        for start in range(0, n, _CHUNK):
            chunk = images[start : start + _CHUNK]
            total += chunk.sum(axis=0, dtype=np.uint32)
            total_of_squares += np.square(chunk, dtype=np.uint16).sum(axis=0, dtype=np.uint32)
        # n * sum(x^2) - sum(x)^2 in integers: no cancellation, and exactly 0 for a constant dimension.
        variance = (n * total_of_squares - total**2) / (n * max(n - 1, 1))
        return cls(total / n / 255, np.sqrt(variance) / 255)

    @classmethod
    def same_for_all(cls, features: int, mean: float, std: float) -> Standardization:
        """One mean and one standard deviation, on the [0, 1] scale, for each of so many dimensions."""
        return cls(np.full(features, mean), np.full(features, std))

    @cached_property
    def shift(self) -> Doubles:
        """The mean in units of raw pixels, 0 to 255, (d,)."""
        return 255 * self.mean

    @cached_property
    def scale(self) -> Doubles:
        """What a raw pixel is multiplied with after the shift: 1 / (255 std), or 0 where std is 0, (d,)."""
        return np.divide(1 / 255, self.std, out=np.zeros_like(self.std), where=self.std > 0)

    def apply(self, pixels: Images | Floats) -> Doubles:
        """Standardised images (n, d) from raw pixels of 0 to 255 (n, d)."""
        return (pixels - self.shift) * self.scale

    def fold(self, W: Floats, b: Floats, out: Floats | None = None) -> tuple[Floats, Floats]:
        """Weights (R, K, d) and biases (R, K) that give raw pixels the scores of standardised images.

        W ((x - shift) * scale) + b = V x + c with V = W * scale and c = b - V shift. V is put into ``out``, if there
        is one.
        """
        shift, scale = self._in(W.dtype)
        V = np.multiply(W, scale, out=out)
        return V, b - V @ shift

    def unfold_gradient(self, grad_V: Floats, grad_c: Floats) -> None:
        """Make of the gradients with respect to V (K, d) and c (K,) of `fold` that with respect to W, in their place.

        By the chain rule dW = (dV - dc shift^T) * scale; db is dc itself.
        """
        shift, scale = self._in(grad_V.dtype)
        grad_V -= np.multiply.outer(grad_c, shift)
        grad_V *= scale

    def _in(self, dtype: np.dtype[Any]) -> tuple[Floats, Floats]:
        """Shift and scale, rounded once for all steps of a training."""
        if dtype not in self._rounded:
            self._rounded[dtype] = self.shift.astype(dtype), self.scale.astype(dtype)
        return self._rounded[dtype]

    @cached_property
    def _rounded(self) -> dict[np.dtype[Any], tuple[Floats, Floats]]:
        return {}
