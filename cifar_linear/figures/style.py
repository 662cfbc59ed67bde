"""What all figures share: look, formats, and the same bytes for the same figure."""

import io
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import wraps
from pathlib import Path
from typing import Any, Literal, NamedTuple, ParamSpec

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.image import imsave
from matplotlib.ticker import LogLocator, NullLocator

from cifar_linear.arrays import Images
from cifar_linear.errors import ConfigError

Format = Literal["png", "pdf", "svg"]

# M. Okabe and K. Ito, Color Universal Design (2008): told apart with any colour vision. Yellow, their eighth, is left
# out: too light for a line on white.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000")
# Besides colour, so that grey printing keeps lines apart; lengths of ink and gap in points.
DASHES = ((), (5, 2), (1.5, 1.5), (7, 2, 1.5, 2), (9, 3), (3, 1.5, 1, 1.5, 1, 1.5))
_LIGHTEST, _DARKEST = 0.25, 0.35
"""How much white or black the lightest and the darkest shade of a colour hold."""

FAR_APART = 4
"""A largest value this many times the smallest asks for a logarithmic axis."""

DPI = 160
"""Pixels of an inch in PNG files."""
LONGEST_NAME = 16
"""Characters of a class's name that are drawn; the place of an image has room for about as many."""

_LOOK: Any = {  # Matplotlib types its keys as a union of four hundred literals
    "font.size": 9,
    "axes.titlesize": 9,
    "axes.labelsize": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "legend.fontsize": 8,
    "legend.frameon": False,
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
    "svg.hashsalt": "cifar-linear",
    "text.parse_math": False,  # names of classes and runs are text, whatever characters they hold
}
_UNDATED: dict[str, dict[str, None]] = {
    "png": {"Software": None},
    "pdf": {"CreationDate": None, "Creator": None, "Producer": None},
    "svg": {"Date": None, "Creator": None},
}
_Arguments = ParamSpec("_Arguments")


class Look(NamedTuple):
    """How a line is drawn.

    Attributes:
        hue: which of the colours, counted from 0; lines that belong together share one.
        shade: from -1, the darkest, to 1, the lightest; lines with one hue are ordered by it.
        dash: which of the patterns.
    """

    hue: int
    shade: float = 0.0
    dash: int = 0

    @property
    def colour(self) -> str:
        """The colour as ``#rrggbb``.

        >>> [Look(0, shade).colour for shade in (-1, 0, 1)]
        ['#004a74', '#0072b2', '#4095c5']
        """
        base = COLOURS[self.hue % len(COLOURS)]
        towards, part = (255, _LIGHTEST * self.shade) if self.shade > 0 else (0, -_DARKEST * self.shade)
        mixed = [round((1 - part) * int(base[i : i + 2], 16) + part * towards) for i in (1, 3, 5)]
        return "#" + "".join(f"{channel:02x}" for channel in mixed)

    @property
    def line(self) -> dict[str, Any]:
        """What Matplotlib calls it."""
        return {"color": self.colour, "linestyle": (0, DASHES[self.dash % len(DASHES)] or None)}


def looks_of(names: Iterable[str], looks: Mapping[str, Look] | None = None) -> dict[str, Look]:
    """Return how each line is drawn: as in ``looks``, else each in a hue of its own."""
    return {name: (looks or {}).get(name, Look(i, 0, i)) for i, name in enumerate(names)}


def format_of(path: Path) -> Format:
    """Return the format that a file's ending asks for. Raises `ConfigError` if it is none of the three."""
    formats: dict[str, Format] = {".png": "png", ".pdf": "pdf", ".svg": "svg"}
    try:
        return formats[path.suffix.lower()]
    except KeyError:
        raise ConfigError(f"{path}: a figure's file ends in .png, .pdf or .svg") from None


def styled(draw: Callable[_Arguments, Figure]) -> Callable[_Arguments, Figure]:
    """Let a function draw with the project's look; Matplotlib's own settings stay as they are."""

    @wraps(draw)
    def drawn(*args: _Arguments.args, **kwargs: _Arguments.kwargs) -> Figure:
        with rc_context(_LOOK):
            return draw(*args, **kwargs)

    return drawn


def new_figure(width: float = 4.5, height: float = 3.2) -> Figure:
    """Return an empty figure of a size in inches; a width of 4.5 stays readable at half a page's width."""
    return Figure(figsize=(width, height), layout="constrained", facecolor="white")


def fix_margins(
    figure: Figure, left: float, right: float, bottom: float, top: float, across: float = 0.15, between: float = 0.75
) -> None:
    """Place panels by margins that are known, all in inches; finding them takes half the time of drawing.

    Args:
        figure: has all its panels, in one grid.
        left: the margin at the left.
        right: the margin at the right.
        bottom: the margin below.
        top: the margin above.
        across: the space between columns.
        between: the space between lines of panels.
    """
    figure.set_layout_engine(None)
    lines, columns = figure.axes[0].get_subplotspec().get_gridspec().get_geometry()  # type: ignore[union-attr]
    width, height = figure.get_size_inches()
    panel = (width - left - right - (columns - 1) * across) / columns
    high = (height - bottom - top - (lines - 1) * between) / lines
    ends = {"left": left / width, "right": 1 - right / width, "bottom": bottom / height, "top": 1 - top / height}
    figure.subplots_adjust(**ends, wspace=across / panel, hspace=between / high)


def text_width(*texts: str) -> float:
    """Return the room that the longest line of some texts needs in the type of ticks, in inches; rather too much."""
    return 0.068 * max(len(line) for text in texts for line in text.splitlines() or [""]) + 0.1


def even_columns(panels: int, most: int) -> int:
    """Return the largest number of columns, up to ``most``, that leaves no place of a grid empty.

    >>> [even_columns(panels, 4) for panels in range(1, 9)]
    [1, 2, 3, 4, 1, 3, 1, 4]
    """
    return max(columns for columns in range(1, most + 1) if panels % columns == 0)


def shortened(text: str, most: int) -> str:
    """Return a text of at most ``most`` characters, so that a long name takes no room from the axes.

    >>> shortened("quarterly", 5)
    'quar…'
    """
    return text if len(text) <= most else f"{text[: most - 1]}…"


def logarithmic(axes: Axes, subs: Sequence[float] = (1,)) -> None:
    """Make the y axis logarithmic, with plain numbers at ``subs`` times each power of ten."""
    axes.set_yscale("log")
    axes.yaxis.set_major_locator(LogLocator(subs=subs))
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.yaxis.set_minor_locator(NullLocator())


def rendered(figure: Figure, form: Format = "png") -> bytes:
    """Return the content of a figure's file; the same figure gives the same bytes."""
    if form == "png":
        return as_png(painted(figure))
    content = io.BytesIO()
    with rc_context(_LOOK):
        _lay_out(figure)
        figure.savefig(content, format=form, metadata=_UNDATED[form])
    return content.getvalue()


def painted(figure: Figure) -> Images:
    """Return a figure as pixels of 0 to 255, (height, width, 4)."""
    usual = figure.dpi
    with rc_context(_LOOK):
        _lay_out(figure)
        figure.set_dpi(DPI)
        canvas = FigureCanvasAgg(figure)
        canvas.draw()  # type: ignore[no-untyped-call]
        figure.set_dpi(usual)
    return np.array(canvas.buffer_rgba())  # type: ignore[no-untyped-call]


def as_png(pixels: Images) -> bytes:
    """Return pixels as the content of a PNG file, a tenth larger than it could be and in a third of the time."""
    content = io.BytesIO()
    quick: Any = {"metadata": _UNDATED["png"], "pil_kwargs": {"compress_level": 2}}
    imsave(content, pixels, format="png", dpi=DPI, **quick)
    return content.getvalue()


def _lay_out(figure: Figure) -> None:
    """Lay a figure out once: by itself Matplotlib draws the whole figure a first time for that, and in each format."""
    if engine := figure.get_layout_engine():
        engine.execute(figure)
        figure.set_layout_engine("none")
