"""What stands around a figure of a report."""

from collections.abc import Callable
from typing import NamedTuple

from matplotlib.figure import Figure


class Drawing(NamedTuple):
    """A figure that can be drawn.

    Attributes:
        name: which of the report's figures it is.
        title: its heading.
        alt: what it shows, for readers who do not see it.
        draw: draws it.
        number: distinguishes several with the same name.
    """

    name: str
    title: str
    alt: str
    draw: Callable[[], Figure]
    number: int | None = None

    @property
    def file(self) -> str:
        """The name of its file, without the ending."""
        return self.name if self.number is None else f"{self.name}-{self.number}"
