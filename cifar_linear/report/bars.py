"""The bars of a summary: accuracies with their intervals, on one scale."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from cifar_linear.nn.metrics import wilson
from cifar_linear.report.collecting import Run
from cifar_linear.wording import percent

_MOST_TICKS = 6


class Bar(NamedTuple):
    """An accuracy with its 95 % interval, as fractions; ``places`` are value and ends on the scale of its summary.

    ``leads`` is whether no other is known to be better.
    """

    label: str
    value: float
    low: float
    high: float
    places: tuple[float, float, float] = (0.0, 0.0, 0.0)
    leads: bool = False

    @property
    def shown(self) -> str:
        """The value, as a percentage."""
        return percent(self.value)

    @property
    def ends(self) -> str:
        """Its interval, in percent."""
        return f"{100 * self.low:.2f} to {100 * self.high:.2f}"


def bar_of(label: str, run: Run) -> Bar:
    """Return the validation accuracy of a run with Wilson's interval."""
    accuracy, images = run.outcome("validation") or 0.0, run.record.data.images["validation"]
    interval = wilson(np.array([round(accuracy * images)]), np.array([images]))
    return Bar(label, accuracy, float(interval.low[0]), float(interval.high[0]))


def placed(bars: Sequence[Bar], tied: Sequence[str]) -> tuple[list[Bar], list[tuple[str, float]]]:
    """Return the bars with their places, as percentages of a scale with room for all of them, and its numbers.

    Args:
        bars: at least one.
        tied: the labels of those that lead.
    """
    low, high = min(bar.low for bar in bars), max(bar.high for bar in bars)
    room = 0.05 * ((high - low) or 1.0)
    low, high = max(0.0, low - room), min(1.0, high + room)

    def place(x: float) -> float:
        return round(100 * (x - low) / (high - low), 2)

    power = 10.0 ** np.floor(np.log10((high - low) / _MOST_TICKS))
    step = next(size for size in (power, 2 * power, 5 * power, 10 * power) if (high - low) / size <= _MOST_TICKS)
    ticks = np.arange(np.ceil(low / step), np.floor(high / step) + 1) * step
    bars = [
        bar._replace(places=(place(bar.value), place(bar.low), place(bar.high)), leads=bar.label in tied)
        for bar in bars
    ]
    return bars, [(f"{100 * tick:.6g} %", place(float(tick))) for tick in ticks]
