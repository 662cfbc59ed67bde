"""The order of a report: its sections, each with what belongs to it."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from cifar_linear.config.figure_names import FigureName


class Section(NamedTuple):
    """A part of a report with a heading.

    Attributes:
        id: by which links find it.
        title: its heading.
        figures: the names of the figures that belong to it.
        tables: the parts of the content that belong to it; what is empty is left out.
    """

    id: str
    title: str
    figures: Sequence[FigureName]
    tables: Sequence[str] = ()


SHEETS: Sequence[FigureName] = (
    "templates",
    "templates-common-scale",
    "filters",
    "patches",
    "maps",
    "saliency",
    "mistakes",
)
"""Figures that are images; a page in dark mode turns around the others as a whole."""
SECTIONS = (
    Section("results", "Results", ("grid", "parallel"), ("table",)),
    Section("curves", "Training", ("cost", "accuracy", "optimum", "norms")),
    Section(
        "weights",
        "What was learnt",
        ("templates", "templates-common-scale", "filters", "patches", "maps", "saliency"),
        ("layers",),
    ),
    Section("probabilities", "Probabilities", ("probabilities",)),
    Section("calibration", "Calibration", ("reliability",), ("calibration",)),
    Section("confusion", "Classes", ("confusion", "classes"), ("classes",)),
    Section("mistakes", "Mistakes", ("mistakes",)),
    Section("settings", "Settings", (), ("shared", "settings")),
    Section("provenance", "Where the numbers come from", (), ("environments",)),
    Section("notes", "Notes", (), ("notes",)),
)


def arranged(content: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the sections that have a figure or a table in ``content``, with their figures, numbered throughout."""
    numbers = iter(range(1, len(content["figures"]) + 1))
    return [
        {"id": section.id, "title": section.title, "figures": [each | {"number": next(numbers)} for each in figures]}
        for section, figures in _filled(content)
    ]


def _filled(content: Mapping[str, Any]) -> Iterator[tuple[Section, list[dict[str, Any]]]]:
    for section in SECTIONS:
        figures = [figure for name in section.figures for figure in content["figures"] if figure["of"] == name]
        if figures or any(content[table] for table in section.tables):
            yield section, figures
