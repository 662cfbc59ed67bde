"""The report itself: Markdown with figures beside it, and one HTML file that needs nothing else."""

import re
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from cifar_linear import __version__
from cifar_linear.config.questions import Question, Questions
from cifar_linear.errors import RunError
from cifar_linear.figures.style import Format, rendered
from cifar_linear.report.collecting import Collection, Run, collect, differences, labelled, settings_label
from cifar_linear.report.comparing import changes, losses_compared, paired, repeated
from cifar_linear.report.drawing import MOST_DRAWN, NO_LIMITS, Drawing, Limits, draw
from cifar_linear.report.effects import effects
from cifar_linear.storage.atomic import write_whole

_DRAWN = re.compile(
    r"(grid|norms|cost|accuracy|templates(-common-scale)?(-\d+)?|probabilities|confusion|mistakes)\.(png|pdf|svg)"
)
"""The files that a report can have drawn."""


class _Column(NamedTuple):
    """A column of the table: its title, how a value is written, and where it comes from."""

    title: str
    written: str
    value: Callable[[Run], float | None]


_TRAINING = _Column("training accuracy", "{:.2%}", lambda run: run.last["train_accuracy"])
_VALIDATION = _Column("validation accuracy", "{:.2%}", lambda run: run.last["validation_accuracy"])
_BEST_VALIDATION = _Column("validation accuracy, best weights", "{:.2%}", lambda run: run.of_best("validation"))
_DETAILS = (
    _Column("gap in points", "{:.2f}", lambda run: 100 * run.gap),
    _Column("best epoch", "{:d}", lambda run: run.best_epoch),
    _Column("|W|", "{:.3f}", lambda run: run.weight_norm),
    _Column("seconds", "{:.1f}", lambda run: run.record.seconds),
)
_COLUMNS = (
    _Column("test accuracy", "{:.2%}", lambda run: run.test_accuracy),
    _VALIDATION,
    _TRAINING,
    _Column("training cost", "{:.4f}", lambda run: run.last["train_cost"]),
    *_DETAILS,
)
_BEST = (_Column("test accuracy, best weights", "{:.2%}", lambda run: run.of_best("test")), _BEST_VALIDATION)
"""Columns for runs that have kept their best weights."""
_ANSWERS = (
    _VALIDATION,
    _BEST_VALIDATION,
    _TRAINING,
    _Column("validation loss", "{:.4f}", lambda run: run.last["validation_loss"]),
    _Column("training loss", "{:.4f}", lambda run: run.last["train_loss"]),
    _Column("epochs", "{:d}", lambda run: int(run.last["epoch"])),
    _Column("|w|^2", "{:.3f}", lambda run: run.weight_norm**2),
)
"""Columns of the tables that answer questions."""


class _Cell(NamedTuple):
    """What is shown, and what is sorted by."""

    text: str
    key: float | str


def write_report(
    found: Collection, out: Path, form: Format = "png", title: str | None = None, ylim: Limits = NO_LIMITS
) -> Path:
    """Write ``report.md``, ``report.html`` and ``figures/`` into ``out``; returns the path of the page.

    Figures are PNG in the page, and files of the wanted format besides. ``ylim`` sets the ends of axes.
    """
    runs = labelled(found.runs)
    if len(runs) > MOST_DRAWN:
        # Too many to be laid side by side: the best come first, and they are drawn.
        runs = dict(sorted(runs.items(), key=lambda item: -(item[1].outcome("validation") or 0.0)))
    figures = [_drawn(drawing, drawing.file, out, form) for drawing in draw(runs, ylim)]
    _remove_old_figures(out / "figures", {figure["name"] for figure in figures}, form)
    content = {"figures": figures, "notes": [*found.notes, *_notes(runs)], **_tables(runs)}
    content["title"] = title or content["title"]
    return _write("report", content, out)


def write_answers(questions: Questions, find: Callable[[str], Sequence[Path]], out: Path, form: Format = "png") -> Path:
    """Write ``report.md`` and ``report.html`` that answer questions, with ``figures/``; returns the path of the page.

    ``find`` gives the run folders of a name. Raises `RunError` if one of them cannot be read.
    """
    folders = _found(questions, find)
    sections = [
        _answer(number, question, collect(paths), out, form)
        for number, (question, paths) in enumerate(zip(questions.questions, folders, strict=True), start=1)
    ]
    return _write("questions", {"title": questions.title, "sections": sections}, out)


def _answer(number: int, question: Question, found: Collection, out: Path, form: Format) -> dict[str, Any]:
    """One section: what the reader shall see, the table, what was computed, and the figures, which are written."""
    runs = labelled(found.runs)
    limits = {str(quantity): ends for quantity, ends in question.ylim.items()}
    drawings = [drawing for drawing in draw(runs, limits) if drawing.name in question.figures]
    missing = sorted(set(question.figures) - {drawing.name for drawing in drawings})
    columns = [column for column in _ANSWERS if any(column.value(run) is not None for run in found.runs)]
    return {
        "question": question.question,
        "answer": [" ".join(paragraph.split()) for paragraph in question.answer.strip().split("\n\n")],
        "columns": [column.title for column in columns],
        "table": {label: [_cell(column, run) for column in columns] for label, run in runs.items()},
        "sentences": [
            *found.notes,
            *effects(found.runs),
            *_early_ends(runs),
            *(f"no figure {name}: these runs do not have what it shows" for name in missing),
            f"From {', '.join(run.name for run in found.runs)}.",
        ],
        "figures": [_drawn(drawing, f"{number}-{drawing.file}", out, form) for drawing in drawings],
    }


def _found(questions: Questions, find: Callable[[str], Sequence[Path]]) -> list[list[Path]]:
    """The run folders of each question. Raises `RunError` with all names that have none."""
    folders: list[list[Path]] = []
    problems = []
    for number, question in enumerate(questions.questions):
        folders.append([])
        for name in question.runs:
            try:
                folders[-1] += find(name)
            except RunError as error:
                problems.append(f"questions.{number}.runs: {error}")
    if problems:
        raise RunError("\n  ".join(problems))
    return folders


def _drawn(drawing: Drawing, name: str, out: Path, form: Format) -> dict[str, str]:
    """Write a figure's files; returns what a page needs of it."""
    figure = drawing.draw()
    png = rendered(figure)
    pictures: dict[str, bytes] = {"png": png}
    if form != "png":
        pictures[form] = rendered(figure, form)
    for kind, picture in pictures.items():
        write_whole(out / "figures" / f"{name}.{kind}", picture)
    return {"name": name, "title": drawing.title, "alt": drawing.alt, "base64": b64encode(png).decode()}


def _remove_old_figures(folder: Path, names: set[str], form: Format) -> None:
    """What an earlier report drew, of other runs perhaps, must not stand beside this one."""
    kept = {f"{name}.{kind}" for name in names for kind in ("png", form)}
    for old in folder.iterdir():
        if _DRAWN.fullmatch(old.name) and old.name not in kept:
            old.unlink()


def _write(template: str, content: Mapping[str, Any], out: Path) -> Path:
    """Fill the templates of a report; returns the path of the page."""
    environment = Environment(
        loader=PackageLoader("cifar_linear.report"),
        autoescape=select_autoescape(["html.j2"]),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["md"] = _markdown
    environment.filters["gain"] = _gain
    for kind in ("md", "html"):
        text = environment.get_template(f"{template}.{kind}.j2").render(content, version=__version__)
        write_whole(out / f"report.{kind}", text.encode())
    return out / "report.html"


def _notes(runs: Mapping[str, Run]) -> Iterator[str]:
    """What a reader of the tables must know."""
    losses = sorted({run.record.config.loss for run in runs.values()})
    if len(losses) > 1:
        yield f"costs and losses of {' and '.join(losses)} are on different scales and cannot be compared"
    if any(run.record.best for run in runs.values()):
        yield "a run with early stopping is compared with others by its best weights"
    finished = [run for run in runs.values() if run.record.status == "finished"]
    met = sum(run.test_accuracy is not None for run in finished)
    if met < len(finished):
        yield f"{met} of {len(finished)} runs have met the test images; of a sweep only the selected setting does"
    if len(runs) > MOST_DRAWN:
        yield f"curves, templates and histograms show the {MOST_DRAWN} runs with the highest validation accuracy"
    yield from _early_ends(runs)


def _early_ends(runs: Mapping[str, Run]) -> Iterator[str]:
    """After how many epochs runs were stopped because they no longer got better."""
    for label, run in runs.items():
        if run.record.stopped_early and run.record.best:
            yield (
                f"{label}: stopped early after epoch {run.record.epoch} of {run.record.config.epochs}; "
                f"the validation loss was lowest after epoch {run.record.best.epoch}"
            )


def _tables(runs: Mapping[str, Run]) -> dict[str, Any]:
    """Everything in the report that is not a figure."""
    differing = differences(list(runs.values()))
    first = next(iter(runs.values()))
    columns = (*_COLUMNS, *_BEST) if any(run.record.best for run in runs.values()) else _COLUMNS
    return {
        "title": first.name if len(runs) == 1 else f"{len(runs)} runs",
        "synthetic": _synthetic(runs),
        "differing": differing,
        "settings": _settings(runs, differing),
        "shared": {key: value for key, value in first.settings.items() if key not in differing},
        "alone": first if len(runs) == 1 else None,
        "columns": [column.title for column in columns],
        "details": {column.title: _cell(column, first) for column in _DETAILS},
        "table": {label: [_cell(column, run) for column in columns] for label, run in runs.items()},
        "status": {label: run.record.status for label, run in runs.items()},
        "folders": {label: run.name for label, run in runs.items()},
        "effects": [*effects(list(runs.values())), *losses_compared(runs)],
        "changes": changes(list(runs.values())),
        "repeated": repeated(list(runs.values())),
        "paired": paired(runs),
        "environments": {label: _environment(run) for label, run in runs.items()},
    }


def _settings(runs: Mapping[str, Run], keys: Sequence[str]) -> dict[str, list[str]]:
    """The table of what differs; nothing for many runs whose labels tell it already."""
    if len(runs) > MOST_DRAWN and all(label == settings_label(run, keys) for label, run in runs.items()):
        return {}
    return {label: [run.settings.get(key, "-") for key in keys] for label, run in runs.items()}


def _synthetic(runs: Mapping[str, Run]) -> str | None:
    """Which of the runs have never seen a photograph."""
    labels = [label for label, run in runs.items() if run.record.data.synthetic]
    if not labels:
        return None
    return "all runs" if len(labels) == len(runs) else "; ".join(labels)


def _cell(column: _Column, run: Run) -> _Cell:
    value = column.value(run)
    if value is None:
        return _Cell("-", "")
    return _Cell(column.written.format(value).replace("%", " %"), value)


def _environment(run: Run) -> dict[str, str]:
    """What the figures of a run depend on, for people."""
    environment, data = run.record.environment, run.record.data
    return {
        "created": run.record.created,
        "data": ", ".join(f"{split} {count} images" for split, count in data.images.items()),
        **{f"SHA-256 of {split}": digest for split, digest in data.sha256.items()},
        "versions": ", ".join(f"{name} {version}" for name, version in environment.versions.items()),
        "BLAS": "; ".join(
            f"{blas.internal_api} {blas.version} ({blas.architecture}), {blas.num_threads} threads"
            for blas in environment.blas
        ),
        "commit": environment.commit or "not a checkout",
        "platform": environment.platform,
    }


def _gain(points: tuple[float, float, float] | None) -> str:
    """Mean, lowest and highest gain; one number where all are the same."""
    if points is None:
        return "-"
    mean, lowest, highest = points
    return f"{mean:+.2f}" if lowest == highest else f"{mean:+.2f} ({lowest:+.2f} to {highest:+.2f})"


def _markdown(text: str) -> str:
    """Text that Markdown shows as it is, on one line."""
    return re.sub(r"([\\`*_{}\[\]<>#|])", r"\\\1", " ".join(text.split()))
