"""A curve in two lines of text, of Braille characters: two by four dots each."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

_DOTS = ((0x40, 0x04, 0x02, 0x01), (0x80, 0x20, 0x10, 0x08))
"""The bits of the left and of the right dots of a character, from below."""
_LEVELS = 8


def curve(values: Sequence[float], width: int) -> tuple[str, str]:
    r"""Return the upper and the lower line of a curve.

    The lowest value is at the foot, the highest at the top; neighbours are joined. Where there are more values than
    dots, each dot is the mean of its share.

    Args:
        values: finite numbers, in order; one dot each.
        width: of a line, in characters.

    >>> print(*curve([0, 1, 2, 3, 4, 5, 6, 7], 4), sep="\n")
    ⠀⠀⡠⠊
    ⡠⠊⠀⠀
    """
    levels = _levels(_means(values, 2 * width))
    upper, lower = ([0] * ((len(levels) + 1) // 2) for _ in range(2))
    for place, level in enumerate(levels):
        last = levels[place - 1] if place else level
        for dot in _joined(last, level):
            (upper if dot >= _LEVELS // 2 else lower)[place // 2] |= _DOTS[place % 2][dot % (_LEVELS // 2)]
    return _text(upper), _text(lower)


def _means(values: Sequence[float], most: int) -> list[float]:
    """The means of equal shares of the values, at most ``most`` of them."""
    count = min(most, len(values))
    ends = [place * len(values) // count for place in range(count + 1)] if count else []
    return [sum(values[start:end]) / (end - start) for start, end in pairwise(ends)]


def _levels(values: Sequence[float]) -> list[int]:
    lowest, highest = min(values, default=0), max(values, default=0)
    span = highest - lowest or 1.0
    return [round((value - lowest) / span * (_LEVELS - 1)) for value in values]


def _joined(last: int, level: int) -> range:
    """The dots of a column: its own, and those that lead there from the column before."""
    return range(min(last + 1, level), level + 1) if level >= last else range(level, last)


def _text(bits: Sequence[int]) -> str:
    return "".join(chr(0x2800 + dots) for dots in bits)
