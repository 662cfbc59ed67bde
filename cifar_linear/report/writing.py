"""The report of one run, or of several side by side."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from cifar_linear.figures.style import Format
from cifar_linear.report.charts import NO_LIMITS, Limits
from cifar_linear.report.collecting import Collection, Run
from cifar_linear.report.comparing import Change, changes, paired, repeated
from cifar_linear.report.drawing import draw
from cifar_linear.report.effects import effects
from cifar_linear.report.notes import notes, synthetic
from cifar_linear.report.pages import refuse_link, remove_old_figures, write_figure, write_pages
from cifar_linear.report.sections import arranged
from cifar_linear.report.settings import MOST_DRAWN, best_first, by_data, differences, in_order_of_settings, labelled
from cifar_linear.report.summary import heading, outcome_of_one, subject, summaries
from cifar_linear.report.tables import (
    RESULTS,
    calibration,
    classes,
    details,
    environments,
    layers,
    results,
    settings_table,
)
from cifar_linear.runs.report_files import FIGURES, PAGES


def write_report(
    found: Collection,
    out: Path,
    form: Format = "png",
    title: str | None = None,
    ylim: Limits = NO_LIMITS,
    place: Path | None = None,
) -> Path:
    """Write ``report.md``, ``report.html`` and ``figures/``.

    Args:
        found: the runs, at least one, and what is to be said about folders that could not be read.
        out: the folder that is written into; made if missing.
        form: the format of the figures' files, besides PNG.
        title: the heading; the run's name without its time, or what is compared and how many there are, if None.
        ylim: the ends of the axes of cost and accuracy.
        place: the folder from which links lead to other pages, if the page will not stay in ``out``.

    Returns the path of the page. Raises `RunError` if ``out`` cannot be written.
    """
    refuse_link(out / FIGURES)
    runs = in_order_of_settings(labelled(found.runs))
    figures = [write_figure(drawing, drawing.file, out, form) for drawing in draw(runs, ylim)]
    remove_old_figures(out, {figure["name"] for figure in figures}, form)
    content = {"figures": figures, "notes": [*found.notes, *notes(runs)], **_tables(runs)}
    content["links"] = {label: _link(run, place or out) for label, run in runs.items()} if len(runs) > 1 else {}
    content["above"] = _page_above(runs, place or out)
    content["title"] = title or heading(runs)
    content["sections"] = arranged(content)
    return write_pages("report", content, out)


def _link(run: Run, out: Path) -> str | None:
    """Return the address of a run's own page, as seen from a report; None if it has none."""
    page = run.folder.path / PAGES[1]
    return os.path.relpath(page, out) if page.is_file() else None


def _page_above(runs: Mapping[str, Run], out: Path) -> str | None:
    """Return the address of the page of the sweep that a single run belongs to; None if there is none."""
    page = next(iter(runs.values())).folder.path.parent / "report" / PAGES[1]
    return os.path.relpath(page, out) if len(runs) == 1 and page.is_file() else None


_CALIBRATION_MEANS = (
    "ECE: expected calibration error, the mean distance between confidence and accuracy in 15 bins of equal size. "
    "ECE by chance: what a perfectly calibrated classifier would show on as many images."
)


def _pairs_of(changed: Sequence[Change]) -> str:
    """Say what the differences of changes are."""
    if all(change.pairs == 1 for change in changed):
        return "Differences between two runs that differ in this setting only."
    return "Means over all pairs of runs that differ in this setting only; the lowest and the highest in brackets."


def _tables(runs: Mapping[str, Run]) -> dict[str, Any]:
    """Return everything in the report that is not a figure."""
    all_runs = list(runs.values())
    differing, first = differences(all_runs), all_runs[0]
    changed, found = changes(all_runs), summaries(runs) if len(runs) > 1 else []
    # The first weights of a network are set by model.init.
    hidden = {*differing, "init_std"} if all(run.network for run in all_runs) else {*differing}
    return {
        "synthetic": synthetic(runs),
        "differing": differing,
        "settings": settings_table(runs, differing, MOST_DRAWN),
        "shared": {key: value for key, value in first.settings.items() if key not in hidden},
        "alone": first if len(runs) == 1 else None,
        "details": details(first),
        "layers": layers(first) if len(runs) == 1 else None,
        "classes": classes(first) if len(runs) == 1 else [],
        "table": results(best_first(runs), RESULTS),
        "calibration": calibration(runs),
        "calibration_means": _CALIBRATION_MEANS,
        "folders": {label: run.name for label, run in runs.items()},
        "effects": effects(all_runs),
        "changes": changed,
        "changed": _pairs_of(changed),
        "repeated": repeated(runs),
        "paired": [pairs for kind in by_data(runs).values() if not repeated(kind) and (pairs := paired(kind))],
        "subject": subject(runs),
        "summaries": found,
        "leaders": {label for summary in found for label in summary.leaders if label in runs},
        "outcome": list(outcome_of_one(first)) if len(runs) == 1 else [],
        "environments": environments(runs),
    }
