"""How sure a difference is: intervals over seeds, paired tests of two classifiers on shared test images."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from statistics import fmean, stdev
from typing import NamedTuple

from cifar_linear.wording import percent

CONFIDENCE = 0.95


def thousands(count: int) -> str:
    """Write a large number for people, its groups of digits kept together by spaces that do not break.

    >>> thousands(58000).split()
    ['58', '000']
    """
    return f"{count:,}".replace(",", "\u00a0") if count >= 10_000 else str(count)


def significance(p: float) -> str:
    """Write a p-value for people.

    >>> significance(0.0421), significance(2.5e-168)
    ('= 0.042', '< 0.001')
    """
    return f"= {p:.2g}" if p >= 0.001 else "< 0.001"


class Interval(NamedTuple):
    """A mean over ``seeds`` values, and how far from it the true one may be; None for a single value."""

    mean: float
    half_width: float | None
    seeds: int

    @classmethod
    def of(cls, values: Sequence[float]) -> Interval:
        """Return the 95 % interval of Student's t for the mean of at least one value.

        >>> interval = Interval.of([1.0, 2.0, 3.0])
        >>> round(interval.mean, 3), round(interval.half_width, 3)
        (2.0, 2.484)
        """
        n = len(values)
        half_width = None if n == 1 else t_quantile(n - 1) * stdev(values) / math.sqrt(n)
        return cls(fmean(values), half_width, n)

    @property
    def excludes_zero(self) -> bool:
        """Whether the values are more than chance around zero; never for a single value."""
        return self.half_width is not None and abs(self.mean) > self.half_width

    def __str__(self) -> str:
        """As a percentage, for accuracies."""
        if self.half_width is None:
            return percent(self.mean)
        return f"{100 * self.mean:.2f} ± {percent(self.half_width)}"


@lru_cache
def t_quantile(freedom: int) -> float:
    """Return the t with P(|T| < t) = 0.95 for Student's distribution with ``freedom`` >= 1 degrees of freedom."""
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
    """Return the exact two-sided p-value of the hypothesis that two classifiers are equally good.

    It looks at the images that only one of them classifies correctly: under the hypothesis each is a toss of a coin
    (Q. McNemar, Psychometrika 12, 1947; T. Dietterich, Neural Computation 10, 1998).

    Args:
        only_first: the number of images that only the first classifies correctly.
        only_second: the number of images that only the second classifies correctly.

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
    """Return the p-values of several tests, enlarged so that 5 % bounds the chance of any false claim (S. Holm, 1979).

    >>> holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    adjusted, largest = [0.0] * len(p_values), 0.0
    for rank, i in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[i]))
        adjusted[i] = largest
    return adjusted
