"""What all figures share: look, formats, and the same bytes for the same figure."""

import io
from collections.abc import Callable, Sequence
from functools import wraps
from pathlib import Path
from typing import Any, Literal, ParamSpec

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter

from cifar_linear.errors import ConfigError

Format = Literal["png", "pdf", "svg"]

# M. Okabe and K. Ito, Color Universal Design (2008): told apart with any colour vision. Yellow, their eighth, is left
# out: too light for a line on white.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000")
# Besides colour, so that grey printing keeps lines apart.
DASHES = ("-", "--", "-.", ":")

FAR_APART = 4
"""A largest value this many times the smallest asks for a logarithmic axis."""

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


def format_of(path: Path) -> Format:
    """Return the format that a file's ending asks for. Raises `ConfigError` if it is none of the three."""
    formats: dict[str, Format] = {".png": "png", ".pdf": "pdf", ".svg": "svg"}
    try:
        return formats[path.suffix.lower()]
    except KeyError:
        raise ConfigError(f"{path}: a figure's file ends in .png, .pdf or .svg") from None


def figure_file(path: Path) -> Format:
    """Return the same for a file that can be written. Raises `ConfigError` if its folder does not exist."""
    form = format_of(path)
    if not path.parent.is_dir():
        raise ConfigError(f"{path}: there is no folder {path.parent}; make it first, or choose another with -o")
    return form


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
    axes.yaxis.set_minor_formatter(NullFormatter())


def rendered(figure: Figure, form: Format = "png") -> bytes:
    """Return the content of a figure's file; the same figure gives the same bytes."""
    content = io.BytesIO()
    with rc_context(_LOOK):
        figure.savefig(content, format=form, dpi=160, metadata=_UNDATED[form])
    return content.getvalue()
