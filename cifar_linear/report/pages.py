"""Writing a report: Markdown with figures beside it, and one HTML file that needs nothing else."""

import re
from base64 import b64encode
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from cifar_linear import __version__
from cifar_linear.errors import RunError
from cifar_linear.figures.layers import split_layers
from cifar_linear.figures.style import Format, rendered
from cifar_linear.report.captions import Drawing
from cifar_linear.report.sections import SHEETS
from cifar_linear.runs.report_files import FIGURES, drawn_in
from cifar_linear.storage.atomic import write_whole
from cifar_linear.wording import percent

_CSS_PIXELS = 96
"""In an inch: at this width the type in a figure is as large as that of the page."""


def refuse_link(folder: Path) -> None:
    """Raise `RunError` if a folder is a link: in a folder from somebody else it may lead to files of the reader."""
    if folder.is_symlink():
        raise RunError(f"{folder}: a symbolic link, through which no report is written; remove it, or choose -o DIR")


def write_figure(drawing: Drawing, name: str, out: Path, form: Format) -> dict[str, Any]:
    """Draw a figure and write its files, a PNG and one of the wanted format; returns what a page needs of it."""
    figure = drawing.draw()
    png, *layers = split_layers(figure) if drawing.name in SHEETS else (rendered(figure),)
    files: dict[str, bytes] = {"png": png}
    if form != "png":
        files[form] = rendered(figure, form)
    for kind, content in files.items():
        write_whole(out / FIGURES / f"{name}.{kind}", content)
    return {
        "of": drawing.name,
        "name": name,
        "title": drawing.title,
        "alt": drawing.alt,
        "caption": drawing.caption,
        "chart": drawing.chart,
        "numbers": drawing.numbers,
        "width": round(figure.get_figwidth() * _CSS_PIXELS),
        "layers": [b64encode(layer).decode() for layer in layers or [png]],
    }


def remove_old_figures(out: Path, names: set[str], form: Format) -> None:
    """Remove the figures of an earlier report, perhaps of other runs, but those called ``names``."""
    kept = {f"{name}.{kind}" for name in names for kind in ("png", form)}
    for old in drawn_in(out / FIGURES):
        if old.name not in kept:
            old.unlink()


def write_pages(template: str, content: Mapping[str, Any], out: Path) -> Path:
    """Fill the templates of a report and write ``report.md`` and ``report.html``; returns the path of the latter."""
    for kind in ("md", "html"):
        write_whole(out / f"report.{kind}", page(f"{template}.{kind}", content).encode())
    return out / "report.html"


def page(template: str, content: Mapping[str, Any]) -> str:
    """Fill a template, by its name without ``.j2``; in HTML everything is escaped."""
    environment = Environment(
        loader=PackageLoader("cifar_linear.report"),
        autoescape=select_autoescape(["html.j2"]),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["md"] = markdown
    environment.filters["gain"] = _gain
    environment.filters["percent"] = percent
    return environment.get_template(f"{template}.j2").render(content, version=__version__)


def markdown(text: str) -> str:
    """Return text that Markdown shows as it is, on one line."""
    return re.sub(r"([\\`*_{}\[\]<>#|])", r"\\\1", " ".join(text.split()))


def _gain(points: tuple[float, float, float] | None) -> str:
    """Write the mean, lowest and highest gain; one number where all are the same."""
    if points is None:
        return "-"
    mean, lowest, highest = points
    return f"{mean:+.2f}" if lowest == highest else f"{mean:+.2f} ({lowest:+.2f} to {highest:+.2f})"
