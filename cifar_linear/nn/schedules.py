"""How the learning rate changes: a schedule gives the factor on eta for an epoch, counted from 1.

It sees the validation losses of all evaluations so far, the one before training included, and nothing else: whoever
knows the history knows the rate, so that a schedule has no state to store.
"""

import math
from collections.abc import Callable, Iterable

Schedule = Callable[[int, Iterable[float]], float]


def constant(_epoch: int, _losses: Iterable[float]) -> float:
    """Always 1."""
    return 1.0


def step(every: int, factor: float) -> Schedule:
    """``factor`` once more after each ``every`` epochs: epochs 1 to ``every`` have the full rate.

    >>> [step(2, 0.1)(epoch, ()) for epoch in (1, 2, 3, 4)]
    [1.0, 1.0, 0.1, 0.1]
    """
    return lambda epoch, _losses: factor ** ((epoch - 1) // every)


def cosine(epochs: int) -> Schedule:
    """Half a cosine from 1 in the first of ``epochs`` down towards 0 after the last.

    >>> [round(cosine(4)(epoch, ()), 3) for epoch in (1, 2, 3, 4)]
    [1.0, 0.854, 0.5, 0.146]
    """
    return lambda epoch, _losses: 0.5 * (1 + math.cos(math.pi * (epoch - 1) / epochs))


def plateau(patience: int, factor: float) -> Schedule:
    """``factor`` once more each time the loss has not fallen below its minimum for ``patience`` evaluations.

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
