"""The figures of a report, in its order."""

from collections.abc import Callable, Iterator, Mapping, Sequence

from cifar_linear.report.captions import Drawing
from cifar_linear.report.charts import NO_LIMITS, Limits
from cifar_linear.report.collecting import Run
from cifar_linear.report.curves import curves_of_one, curves_of_several, distances
from cifar_linear.report.grids import heat_maps, parallel
from cifar_linear.report.naming import some
from cifar_linear.report.networks import filters, inside
from cifar_linear.report.norms import norms
from cifar_linear.report.predictions import by_class, histograms, mistakes, reliability
from cifar_linear.report.settings import drawn
from cifar_linear.report.weights import templates


def draw(runs: Mapping[str, Run], ylim: Limits = NO_LIMITS) -> Iterator[Drawing]:
    """Yield the figures of one run, or of several side by side; ``ylim`` are ends of axes."""
    return draw_one(next(iter(runs.values())), ylim) if len(runs) == 1 else draw_several(runs, ylim)


def draw_one(run: Run, ylim: Limits = NO_LIMITS) -> Iterator[Drawing]:
    """Yield the figures of one run."""
    yield from curves_of_one(run, ylim)
    yield from templates({run.given_name: run})
    yield from inside(run)
    yield from histograms({run.given_name: run})
    yield from reliability({run.given_name: run})
    if run.predictions is not None:
        yield from by_class(run.predictions, run.model.class_names)
        yield from mistakes(run.predictions, run.model)


def draw_several(runs: Mapping[str, Run], ylim: Limits = NO_LIMITS) -> Iterator[Drawing]:
    """Yield the figures of several settings side by side; of many, heat maps show all, the others some.

    Curves are means over the seeds of a setting; weights and predictions have no mean, so one seed stands for it.
    """
    all_runs = list(runs.values())
    yield from heat_maps(all_runs)
    yield from parallel(all_runs)
    settings = drawn(runs)
    yield from curves_of_several(settings, ylim)
    yield from distances(
        {label: next((run for run in group if run.certificate), group[0]) for label, group in settings.items()}
    )
    yield from norms(all_runs)
    for figures, known in (
        (templates, None),
        (filters, None),
        (histograms, lambda run: run.predictions),
        (reliability, lambda run: run.calibration and run.calibration.test),
    ):
        shown = _one_of_each(settings, known)
        for drawing in figures(shown):
            yield drawing._replace(caption=" ".join([drawing.caption, *_which(settings, shown)]))


def _one_of_each(settings: Mapping[str, Sequence[Run]], known: Callable[[Run], object] | None = None) -> dict[str, Run]:
    """Return the first run of each setting that has what a figure shows; settings without one are left out."""
    firsts = {label: next(filter(known, group), None) for label, group in settings.items()}
    return {label: run for label, run in firsts.items() if run}


def _which(settings: Mapping[str, Sequence[Run]], shown: Mapping[str, Run]) -> Iterator[str]:
    """Say which of several seeds stands for its setting, and which settings are not there."""
    if any(len(group) > 1 for group in settings.values()):
        seeds = {run.settings["seed"] for run in shown.values()}
        yield f"Of each setting one run is shown, {f'with seed {seeds.pop()}' if len(seeds) == 1 else 'of one seed'}."
    if len(shown) < len(settings):
        yield f"Shown: {some(list(shown))}; the others were not evaluated on the test set."
