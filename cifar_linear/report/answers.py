"""A report that answers questions, each with runs of its own."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from cifar_linear.config.questions import Question, Questions
from cifar_linear.errors import RunError
from cifar_linear.figures.style import Format
from cifar_linear.report.claims import answer
from cifar_linear.report.collecting import Collection, collect
from cifar_linear.report.drawing import draw
from cifar_linear.report.effects import effects
from cifar_linear.report.notes import early_stops
from cifar_linear.report.pages import refuse_link, write_figure, write_pages
from cifar_linear.report.settings import labelled
from cifar_linear.report.tables import ANSWERS, results
from cifar_linear.runs.report_files import FIGURES

_Find = Callable[[str], Sequence[Path]]


def write_answers(questions: Questions, find: _Find, out: Path, form: Format = "png") -> Path:
    """Write ``report.md`` and ``report.html`` that answer questions, with ``figures/``.

    Args:
        questions: what is asked, of which runs, with which figures.
        find: returns the run folders of a name.
        out: the folder that is written into; made if missing.
        form: the format of the figures' files, besides PNG.

    Returns the path of the page. Raises `RunError` if a run is missing or cannot be read, or ``out`` not be written.
    """
    refuse_link(out / FIGURES)
    folders = _found(questions, find)
    sections = [
        _answer(number, question, collect(paths), out, form)
        for number, (question, paths) in enumerate(zip(questions.questions, folders, strict=True), start=1)
    ]
    for number, figure in enumerate((figure for section in sections for figure in section["figures"]), start=1):
        figure["number"] = number
    return write_pages("questions", {"title": questions.title, "sections": sections}, out)


def _answer(number: int, question: Question, found: Collection, out: Path, form: Format) -> dict[str, Any]:
    """Return one section: answer, table, computed sentences, and figures, whose files are written."""
    runs = labelled(found.runs)
    limits = {str(quantity): ends for quantity, ends in question.ylim.items()}
    drawings = [drawing for drawing in draw(runs, limits) if drawing.name in question.figures]
    missing = sorted(set(question.figures) - {drawing.name for drawing in drawings})
    return {
        "question": question.question,
        "answer": list(answer(question.paragraphs, found.runs)),
        "table": results(runs, ANSWERS),
        "sentences": [
            *found.notes,
            *effects(found.runs),
            *early_stops(runs),
            *(f"no figure {name}: these runs do not have what it shows" for name in missing),
            f"From {', '.join(run.name for run in found.runs)}.",
        ],
        "figures": [write_figure(drawing, f"{number}-{drawing.file}", out, form) for drawing in drawings],
    }


def _found(questions: Questions, find: _Find) -> list[list[Path]]:
    """Return the run folders of each question. Raises `RunError` with all names that have none."""
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
