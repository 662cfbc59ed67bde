"""The report of a sweep: of the runs of its cells, with the choice that it made."""

from pathlib import Path

from cifar_linear.config.formatting import as_text
from cifar_linear.config.sweeps import Sweep
from cifar_linear.figures.style import Format
from cifar_linear.report.charts import NO_LIMITS, Limits
from cifar_linear.report.collecting import collect
from cifar_linear.report.pages import refuse_link
from cifar_linear.report.writing import write_report
from cifar_linear.sweep.folder import SweepFolder, existing_folders
from cifar_linear.sweep.table import table_of


def report_on(
    folder: SweepFolder,
    sweep: Sweep,
    out: Path | None,
    form: Format,
    title: str | None = None,
    ylim: Limits = NO_LIMITS,
    place: Path | None = None,
) -> Path:
    """Write the report of a sweep and return the path of its page; runs that its grid no longer has are left out.

    Args:
        folder: where the runs are.
        sweep: the grid whose runs are reported.
        out: the folder that is written into; ``report`` in the sweep's, if None.
        form: the format of the figures' files, besides PNG.
        title: the heading; name and number of runs, if None.
        ylim: the ends of the axes of cost and accuracy.
        place: the folder from which links lead to other pages, if the page will not stay in ``out``.

    Raises `RunError` if there is no run to report, or the report cannot be written.
    """
    if out is None:
        out = folder.path / "report"
        refuse_link(out)
    runs = folder.runs()
    known = [run.path for run in existing_folders(sweep.cells, runs) if run]
    found = collect(known or [folder.path])
    first = table_of(sweep, runs)[0]
    if first.selected and len(sweep.cells) > 1 and first.settings:
        found.notes.insert(0, f"selected by {sweep.select_by.replace('_', ' ')}: {as_text(first.settings)}")
    default = f"Sweep {folder.path.resolve().name}: {len(found.runs)} runs"
    return write_report(found, out, form, title or default, ylim, place)
