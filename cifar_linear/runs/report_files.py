"""The files of a report, which may be in a run folder."""

import re
from collections.abc import Iterator
from pathlib import Path

PAGES = ("report.md", "report.html")
FIGURES = "figures"
"""The folder of the figures, next to the pages."""
_DRAWN = re.compile(
    r"(grid|parallel|norms|cost|accuracy|optimum|templates(-common-scale)?(-\d+)?|filters(-\d+)?|patches|maps-\d+|saliency"
    r"|probabilities|reliability|confusion|classes|mistakes)\.(png|pdf|svg)"
)


def drawn_in(figures: Path) -> Iterator[Path]:
    """Yield the figures of a report in a folder; none if it is a link, which may lead to unrelated files."""
    if figures.is_dir() and not figures.is_symlink():
        yield from (path for path in figures.iterdir() if _DRAWN.fullmatch(path.name))
