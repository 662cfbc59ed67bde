"""Schedules of the learning rate: functions that return the factor on eta in an epoch, counted from 1.

A schedule depends only on the epoch and the validation losses of all evaluations so far, including the one before
training. It has no state, so a resumed run gets the same rates from its history.
"""

import math
from collections.abc import Callable, Iterable

Schedule = Callable[[int, Iterable[float]], float]


def constant(_epoch: int, _losses: Iterable[float]) -> float:
    """Return 1: the learning rate does not change."""
    return 1.0


def step(every: int, factor: float) -> Schedule:
    """Return a schedule with ``factor`` once more after every ``every`` epochs; epochs 1 to ``every`` have factor 1.

    >>> [step(2, 0.1)(epoch, ()) for epoch in (1, 2, 3, 4)]
    [1.0, 1.0, 0.1, 0.1]
    """
    return lambda epoch, _losses: factor ** ((epoch - 1) // every)


def cosine(epochs: int) -> Schedule:
    """Return a schedule that follows half a cosine, from 1 in the first epoch to 0 after the last of ``epochs``.

    >>> [round(cosine(4)(epoch, ()), 3) for epoch in (1, 2, 3, 4)]
    [1.0, 0.854, 0.5, 0.146]
    """
    return lambda epoch, _losses: 0.5 * (1 + math.cos(math.pi * (epoch - 1) / epochs))


def plateau(patience: int, factor: float) -> Schedule:
    """Return a schedule with ``factor`` once more after each ``patience`` evaluations without a new minimum.

    >>> plateau(2, 0.5)(5, [3.0, 2.0, 2.1, 2.0, 1.9])
    0.5
    """

    def at(_epoch: int, losses: Iterable[float]) -> float:
        best, waited, cuts = math.inf, 0, 0
        for loss in losses:
            if loss < best:
                best, waited = loss, 0
            else:
                waited += 1
            if waited == patience:
                waited, cuts = 0, cuts + 1
        return factor**cuts

    return at
