"""What stands around a figure of a report."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from matplotlib.figure import Figure

from cifar_linear.config.figure_names import FigureName
from cifar_linear.report.charts import Chart, Numbers


class Drawing(NamedTuple):
    """A figure that can be drawn.

    Attributes:
        name: which of the report's figures it is.
        title: its heading.
        alt: what it shows, for readers who do not see it.
        caption: what one should see, computed from the numbers.
        draw: draws it.
        number: distinguishes several with the same name.
        chart: the numbers that it shows, if a page draws them itself.
        numbers: the numbers that it shows, if they are a grid.
    """

    name: FigureName
    title: str
    alt: str
    caption: str
    draw: Callable[[], Figure]
    number: int | None = None
    chart: Chart | None = None
    numbers: Numbers | None = None

    @property
    def file(self) -> str:
        """The name of its file, without the ending."""
        return self.name if self.number is None else f"{self.name}-{self.number}"


def extremes(values: Mapping[str, float], written: Callable[[float], str], lowest: str, highest: str) -> str:
    """Name the lowest and the highest of several values; only one of a single value, or of equal ones.

    >>> extremes({"a": 1.0, "b": 2.5}, "{:.1f}".format, "Lowest", "highest")
    'Lowest: a (1.0); highest: b (2.5).'
    """
    low, high = min(values, key=values.__getitem__), max(values, key=values.__getitem__)
    if len(values) == 1:
        return f"{written(values[low])}."
    if values[low] == values[high]:
        return f"All the same: {written(values[low])}."
    return f"{lowest}: {low} ({written(values[low])}); {highest}: {high} ({written(values[high])})."
