"""What repeated runs and shared test images allow to say: intervals over seeds, paired tests of two classifiers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from statistics import fmean, stdev
from typing import NamedTuple

CONFIDENCE = 0.95


class Interval(NamedTuple):
    """A mean over ``seeds`` values, and how far from it the true one may be; None for a single value."""

    mean: float
    half_width: float | None
    seeds: int

    @classmethod
    def of(cls, values: Sequence[float]) -> Interval:
        """The 95 % interval of Student's t for the mean of at least one value.

        >>> interval = Interval.of([1.0, 2.0, 3.0])
        >>> round(interval.mean, 3), round(interval.half_width, 3)
        (2.0, 2.484)
        """
        n = len(values)
        half_width = None if n == 1 else t_quantile(n - 1) * stdev(values) / math.sqrt(n)
        return cls(fmean(values), half_width, n)

    def __str__(self) -> str:
        """As a percentage, for accuracies."""
        return f"{100 * self.mean:.2f}" + ("" if self.half_width is None else f" ± {100 * self.half_width:.2f}") + " %"


@lru_cache
def t_quantile(freedom: int) -> float:
    """The t with P(|T| < t) = 0.95 for Student's distribution with so many degrees of freedom, at least 1."""
    low, high = 0.0, 16.0
    while high - low > 1e-12 * high:
        middle = (low + high) / 2
        low, high = (middle, high) if _within(middle, freedom) < CONFIDENCE else (low, middle)
    return high


def _within(t: float, freedom: int) -> float:
    """P(|T| < t): M. Abramowitz and I. Stegun, Handbook of Mathematical Functions, 26.7.3 and 26.7.4."""
    theta = math.atan(t / math.sqrt(freedom))
    odd = freedom % 2
    term, total = (math.cos(theta) if odd else 1.0), 0.0
    for i in range(freedom // 2):
        total += term
        term *= math.cos(theta) ** 2 * (1 + odd + 2 * i) / (2 + odd + 2 * i)
    within = math.sin(theta) * total
    return 2 / math.pi * (theta + within) if odd else within


def mcnemar(only_first: int, only_second: int) -> float:
    """The exact two-sided p-value that two classifiers of the same images are equally often right.

    From the images that only one of them has right: under the hypothesis each is a toss of a coin
    (Q. McNemar, Psychometrika 12, 1947; T. Dietterich, Neural Computation 10, 1998).

    >>> round(mcnemar(2, 10), 5)
    0.03857
    """
    tosses, fewer = only_first + only_second, min(only_first, only_second)
    # Integers: exact, and no power of one half that underflows.
    count, tail = 1, 0
    for wins in range(fewer + 1):
        tail += count
        count = count * (tosses - wins) // (wins + 1)
    return min(1.0, float(2 * tail / 2**tosses))


def holm(p_values: Sequence[float]) -> list[float]:
    """P-values made larger for being several, so that 5 % is the chance of any wrong one (S. Holm, 1979).

    >>> holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    adjusted, largest = [0.0] * len(p_values), 0.0
    for rank, i in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[i]))
        adjusted[i] = largest
    return adjusted
