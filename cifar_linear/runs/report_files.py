"""The files of a report, which may be in a run folder."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

from cifar_linear.config.figure_names import FigureName

PAGES = ("report.md", "report.html")
FIGURES = "figures"
"""The folder of the figures, next to the pages."""
_DRAWN = re.compile(
    rf"({'|'.join(get_args(FigureName))}|(templates|templates-common-scale|filters|maps)-\d+)\.(png|pdf|svg)"
)


def drawn_in(figures: Path) -> Iterator[Path]:
    """Yield the figures of a report in a folder; none if it is a link, which may lead to unrelated files."""
    if figures.is_dir() and not figures.is_symlink():
        yield from (path for path in figures.iterdir() if _DRAWN.fullmatch(path.name))
