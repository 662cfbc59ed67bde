"""Standardisation as a part of the model instead of the data.

A linear map of standardised pixels is another linear map of raw pixels. Folding the standardisation into the weights
costs one pass over the weights instead of two passes over every batch, and the images need not be copied.
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
    """x -> (x / unit - mean) / std in each of the d dimensions; 0 where std is 0.

    Pixels are measured on the [0, 1] scale, as in the course notes, so their unit is 255. Other features have unit 1.

    Attributes:
        mean: mean of the training examples, in multiples of ``unit``, (d,).
        std: standard deviation with n - 1 in the denominator, as in the course notes, in multiples of ``unit``, (d,).
        unit: 255 for pixels, 1 for features.
    """

    mean: Doubles
    std: Doubles
    unit: float = 255

    @classmethod
    def of(cls, examples: Examples) -> Standardization:
        """Compute the standardisation from training examples.

        Args:
            examples: n examples of d dimensions, (n, d). An array of uint8 holds pixels; one of any other dtype holds
                features, whose statistics are computed in double precision.

        Returns:
            Mean and standard deviation. For pixels they are exact up to the last division and root. A constant
            dimension has a standard deviation of exactly 0.

        Raises:
            ValueError: if a feature has no finite mean and standard deviation; the message contains its index.
        """
        return cls(*_of_pixels(examples), 255) if examples.dtype == np.uint8 else cls(*_of_features(examples), 1)

    @classmethod
    def same_for_all(cls, features: int, mean: float, std: float, unit: float = 255) -> Standardization:
        """Return a standardisation with the same mean and std, in multiples of ``unit``, in all dimensions."""
        return cls(np.full(features, float(mean)), np.full(features, float(std)), unit)

    def centred(self, groups: int, std: float = 1.0) -> Standardization:
        """Return a standardisation with one mean for each group of dimensions, and the same std for all of them.

        Args:
            groups: number of groups of neighbouring dimensions: 1, or the number of channels of an image.
            std: divisor of the centred numbers, in multiples of ``unit``.
        """
        means = self.mean.reshape(groups, -1).mean(axis=1)
        mean = np.repeat(means, len(self.mean) // groups)
        return Standardization(mean, np.full_like(self.std, std), self.unit)

    @cached_property
    def shift(self) -> Doubles:
        """The mean on the scale of the raw numbers, for pixels 0 to 255, (d,)."""
        return self.unit * self.mean

    @cached_property
    def scale(self) -> Doubles:
        """The factor on a raw number after the shift: 1 / (unit std), or 0 where std is 0, (d,)."""
        return np.divide(1 / self.unit, self.std, out=np.zeros_like(self.std), where=self.std > 0)

    def apply(self, examples: Examples) -> Doubles:
        """Return standardised examples (n, d) from raw ones (n, d), in double precision."""
        return (examples - self.shift) * self.scale

    def columns(self, examples: Examples, dtype: np.dtype[Any]) -> Floats:
        """Return standardised examples in columns, (d, n), in ``dtype``, from raw ones in rows, (n, d)."""
        shift, scale = self._in(dtype)
        columns: Floats = np.subtract(examples.T, shift[:, None], order="C")
        columns *= scale[:, None]
        return columns

    def fold(self, W: Floats, b: Floats, out: Floats | None = None) -> tuple[Floats, Floats]:
        """Return weights V (R, K, d) and biases c (R, K) for raw examples, from those for standardised ones.

        W ((x - shift) * scale) + b = V x + c with V = W * scale and c = b - V shift. V is written to ``out`` if given.
        """
        shift, scale = self._in(W.dtype)
        V = np.multiply(W, scale, out=out)
        return V, b - V @ shift

    def scale_in(self, dtype: np.dtype[Any]) -> Floats:
        """Return `scale` in a dtype, (d,)."""
        return self._in(dtype)[1]

    def _in(self, dtype: np.dtype[Any]) -> tuple[Floats, Floats]:
        """Return shift and scale in a dtype; they are converted only once."""
        if dtype not in self._rounded:
            self._rounded[dtype] = self.shift.astype(dtype), self.scale.astype(dtype)
        return self._rounded[dtype]

    @cached_property
    def _rounded(self) -> dict[np.dtype[Any], tuple[Floats, Floats]]:
        return {}


def _of_pixels(images: Images) -> tuple[Doubles, Doubles]:
    """Return mean and standard deviation of uint8 images (n, d) on the [0, 1] scale, from sums of integers."""
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
    """Return mean and standard deviation of features (n, d), in one pass.

    Means and sums of squared deviations of chunks are joined as in T. Chan, G. Golub and R. LeVeque, Updating formulae
    and a pairwise algorithm for computing sample variances, 1979.
    """
    # Differences from the first example avoid cancellation with large means, and are exactly 0 in constant dimensions.
    first = features[0].astype(np.float64)
    n, mean, squares = 0, np.zeros(len(first)), np.zeros(len(first))
    for chunk in _chunks(features):
        deviation = chunk - first
        of_chunk = deviation.mean(axis=0)
        deviation -= of_chunk
        step, total = of_chunk - mean, n + len(chunk)
        squares += np.einsum("nd,nd->d", deviation, deviation) + np.square(step) * (n * len(chunk) / total)
        mean += step * (len(chunk) / total)
        n = total
    mean += first
    std: Doubles = np.sqrt(squares / max(n - 1, 1))
    wrong = np.flatnonzero(~np.isfinite(mean) | ~np.isfinite(std))
    if wrong.size:
        raise ValueError(f"feature {wrong[0]} has no finite mean and standard deviation: it must hold finite numbers")
    return mean, std


def _chunks(examples: Examples) -> Iterator[Examples]:
    """Yield the examples in chunks, so that a pass needs little extra memory."""
    return (np.asarray(examples[start : start + _CHUNK]) for start in range(0, len(examples), _CHUNK))
