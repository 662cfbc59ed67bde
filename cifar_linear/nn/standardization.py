"""Standardisation as a part of the linear model, rather than of the examples.

A linear map of standardised pixels is another linear map of raw pixels. Folding the first into the second costs a
pass over the weights instead of two passes over every batch of images, and the images stay as they are.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from cifar_linear.arrays import Doubles, Examples, Floats, Images

_CHUNK = 500


@dataclass(frozen=True)
class Standardization:
    """x -> (x / unit - mean) / std in each of the d dimensions; where std is 0 the result is 0.

    Pixels of 0 to 255 are measured on the [0, 1] scale, as in the course notes, so their unit is 255. Other features
    are taken as they are, with a unit of 1.

    Attributes:
        mean: of the training examples, in units of ``unit``, (d,).
        std: their standard deviation with n - 1 in the denominator, as in the course notes, in the same units, (d,).
        unit: 255 for pixels, 1 for features.
    """

    mean: Doubles
    std: Doubles
    unit: float = 255

    @classmethod
    def of(cls, examples: Examples) -> Standardization:
        """The statistics of training examples.

        Args:
            examples: n examples of d dimensions, (n, d). An array of uint8 holds pixels; one of any other dtype holds
                features, whose statistics are computed in double precision.

        Returns:
            Mean and standard deviation. For pixels they are exact up to the last division and root. A constant
            dimension has a standard deviation of exactly 0.

        Raises:
            ValueError: a feature has no finite mean and standard deviation; the message has its index.
        """
        return cls(*_of_pixels(examples), 255) if examples.dtype == np.uint8 else cls(*_of_features(examples), 1)

    @classmethod
    def same_for_all(cls, features: int, mean: float, std: float) -> Standardization:
        """One mean and one standard deviation, on the [0, 1] scale of pixels, for each of ``features`` dimensions."""
        return cls(np.full(features, mean), np.full(features, std))

    def centred(self, groups: int, std: float = 1.0) -> Standardization:
        """The same mean for all dimensions of a group, and no standard deviation of their own.

        Args:
            groups: of neighbouring dimensions: 1 for all of them, or the number of channels of an image.
            std: what the centred numbers are divided by, in units of ``unit``.
        """
        means = self.mean.reshape(groups, -1).mean(axis=1)
        mean = np.repeat(means, len(self.mean) // groups)
        return Standardization(mean, np.full_like(self.std, std), self.unit)

    @cached_property
    def shift(self) -> Doubles:
        """The mean as the raw numbers have it, for pixels 0 to 255, (d,)."""
        return self.unit * self.mean

    @cached_property
    def scale(self) -> Doubles:
        """What a raw number is multiplied by after the shift: 1 / (unit std), or 0 where std is 0, (d,)."""
        return np.divide(1 / self.unit, self.std, out=np.zeros_like(self.std), where=self.std > 0)

    def apply(self, examples: Examples) -> Doubles:
        """Standardised examples (n, d) from raw ones (n, d)."""
        return (examples - self.shift) * self.scale

    def columns(self, examples: Floats) -> Floats:
        """Standardised examples in columns, (d, n), in their own precision, from raw ones in rows, (n, d)."""
        shift, scale = self._in(examples.dtype)
        columns: Floats = np.subtract(examples.T, shift[:, None], order="C")
        columns *= scale[:, None]
        return columns

    def fold(self, W: Floats, b: Floats, out: Floats | None = None) -> tuple[Floats, Floats]:
        """Weights (R, K, d) and biases (R, K) that give raw examples the scores of standardised ones.

        W ((x - shift) * scale) + b = V x + c with V = W * scale and c = b - V shift. V is put into ``out``, if there
        is one.
        """
        shift, scale = self._in(W.dtype)
        V = np.multiply(W, scale, out=out)
        return V, b - V @ shift

    def unfold_gradient(self, grad_V: Floats, grad_c: Floats) -> None:
        """Turn the gradients with respect to V (K, d) and c (K,) of `fold` into that with respect to W, in place.

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


def _of_pixels(images: Images) -> tuple[Doubles, Doubles]:
    """Mean and standard deviation of uint8 images (n, d) on the [0, 1] scale, from sums of integers."""
    n = len(images)
    total = np.zeros(images.shape[1], np.int64)
    total_of_squares = np.zeros_like(total)
    for chunk in _chunks(images):
        total += chunk.sum(axis=0, dtype=np.uint32)
        total_of_squares += np.square(chunk, dtype=np.uint16).sum(axis=0, dtype=np.uint32)
    # n * sum(x^2) - sum(x)^2 in integers: no cancellation, and exactly 0 for a constant dimension.
    variance = (n * total_of_squares - total**2) / (n * max(n - 1, 1))
    return total / n / 255, np.sqrt(variance) / 255


@np.errstate(invalid="ignore", over="ignore")
def _of_features(features: Floats) -> tuple[Doubles, Doubles]:
    """Mean and standard deviation of features (n, d) in two passes, the first for the mean."""
    n = len(features)
    # Differences from the first example: large means do not cancel, and those of a constant dimension are exactly 0.
    first = features[0].astype(np.float64)
    mean: Doubles = first + sum((chunk - first).sum(axis=0) for chunk in _chunks(features)) / n
    squares = sum(np.square(chunk - mean).sum(axis=0) for chunk in _chunks(features))
    std: Doubles = np.sqrt(squares / max(n - 1, 1))
    wrong = np.flatnonzero(~np.isfinite(mean) | ~np.isfinite(std))
    if wrong.size:
        raise ValueError(f"feature {wrong[0]} has no finite mean and standard deviation: it must hold finite numbers")
    return mean, std


def _chunks(examples: Examples) -> Iterator[Examples]:
    """The examples in order, a few at a time: for each pass little memory is needed besides them."""
    return (examples[start : start + _CHUNK] for start in range(0, len(examples), _CHUNK))
