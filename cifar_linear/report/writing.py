"""The report itself: Markdown with figures beside it, and one HTML file that needs nothing else."""

from base64 import b64encode
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from cifar_linear import __version__
from cifar_linear.figures.style import Format, rendered
from cifar_linear.files import write_whole
from cifar_linear.report.collecting import Collection, Run, differences, labelled
from cifar_linear.report.drawing import draw_one, draw_several
from cifar_linear.report.effects import effects


class _Column(NamedTuple):
    """A column of the table: what stands there, and how it is written."""

    title: str
    unit: str
    value: Any


_DETAILS = (
    _Column("gap", "{:.2%}", lambda run: run.gap),
    _Column("best epoch", "{:d}", lambda run: run.best_epoch),
    _Column("|W|", "{:.3f}", lambda run: run.weight_norm),
    _Column("seconds", "{:.1f}", lambda run: run.record["seconds"]),
)
_COLUMNS = (
    _Column("test accuracy", "{:.2%}", lambda run: run.figure("test", "accuracy")),
    _Column("validation accuracy", "{:.2%}", lambda run: run.figure("validation", "accuracy")),
    _Column("training accuracy", "{:.2%}", lambda run: run.figure("train", "accuracy")),
    _Column("training cost", "{:.4f}", lambda run: run.figure("train", "cost")),
    *_DETAILS,
)


class _Cell(NamedTuple):
    """What is shown, and what is sorted by."""

    text: str
    key: float | str


def write_report(found: Collection, out: Path, form: Format = "png") -> Path:
    """Write ``report.md``, ``report.html`` and ``figures/`` into ``out``; returns the path of the page.

    Figures are PNG in the page, and files of the wanted format besides.
    """
    runs = labelled(found.runs)
    drawings = list(draw_one(found.runs[0]) if len(runs) == 1 else draw_several(runs))
    figures = []
    for drawing in drawings:
        png = rendered(drawing.figure)
        for kind, picture in {"png": png, form: rendered(drawing.figure, form) if form != "png" else png}.items():
            write_whole(out / "figures" / f"{drawing.name}.{kind}", picture)
        figures.append({**drawing._asdict(), "base64": b64encode(png).decode()})
    content = {"figures": figures, "notes": found.notes, "version": __version__, **_tables(runs)}
    environment = Environment(
        loader=PackageLoader("cifar_linear.report"),
        autoescape=select_autoescape(["html.j2"]),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    for name in ("report.md", "report.html"):
        text = environment.get_template(f"{name}.j2").render(content)
        write_whole(out / name, text.encode())
    return out / "report.html"


def _tables(runs: Mapping[str, Run]) -> dict[str, Any]:
    """Everything in the report that is not a figure."""
    differing = differences(list(runs.values()))
    first = next(iter(runs.values()))
    return {
        "title": first.name if len(runs) == 1 else f"{len(runs)} runs",
        "synthetic": any(run.record["data"]["synthetic"] for run in runs.values()),
        "differing": differing,
        "settings": {label: [run.settings.get(key, "-") for key in differing] for label, run in runs.items()},
        "shared": {key: value for key, value in first.settings.items() if key not in differing},
        "alone": first if len(runs) == 1 else None,
        "columns": [column.title for column in _COLUMNS],
        "details": {column.title: _cell(column, first) for column in _DETAILS},
        "table": {label: [_cell(column, run) for column in _COLUMNS] for label, run in runs.items()},
        "status": {label: run.status for label, run in runs.items()},
        "folders": {label: run.name for label, run in runs.items()},
        "effects": effects(list(runs.values())),
        "environments": {label: _environment(run) for label, run in runs.items()},
    }


def _cell(column: _Column, run: Run) -> _Cell:
    value = column.value(run)
    if value is None:
        return _Cell("-", "")
    return _Cell(column.unit.format(value).replace("%", " %"), value)


def _environment(run: Run) -> dict[str, str]:
    """What the figures of a run depend on, for people."""
    environment, data = run.record["environment"], run.record["data"]
    return {
        "created": run.record["created"],
        "data": ", ".join(f"{split} {count} images" for split, count in data["images"].items()),
        **{f"SHA-256 of {split}": digest for split, digest in data["sha256"].items()},
        "versions": ", ".join(f"{name} {version}" for name, version in environment["versions"].items()),
        "BLAS": "; ".join(
            f"{blas['internal_api']} {blas['version']} ({blas['architecture']}), {blas['num_threads']} threads"
            for blas in environment["blas"]
        ),
        "commit": environment["commit"] or "not a checkout",
        "platform": environment["platform"],
    }
