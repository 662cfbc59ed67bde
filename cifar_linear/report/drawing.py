"""The figures of a report, in its order."""

from collections.abc import Callable, Iterator, Mapping, Sequence

from cifar_linear.report.captions import Drawing
from cifar_linear.report.charts import NO_LIMITS, Limits
from cifar_linear.report.collecting import Run
from cifar_linear.report.curves import curves_of_one, curves_of_several, distances
from cifar_linear.report.grids import heat_maps, parallel
from cifar_linear.report.inside import filters, inside
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
    yield from distances(_one_of_each(settings, lambda run: run.certificate))
    yield from norms(all_runs)
    for figures, known in (
        (templates, lambda _: True),
        (filters, lambda _: True),
        (histograms, lambda run: run.predictions),
        (reliability, lambda run: run.calibration),
    ):
        shown = _one_of_each(settings, known)
        for drawing in figures(shown):
            yield drawing._replace(caption=f"{drawing.caption} {_which_seed(settings, shown)}".strip())


def _one_of_each(settings: Mapping[str, Sequence[Run]], known: Callable[[Run], object]) -> dict[str, Run]:
    """Return the first run of each setting of which something is known; just the first, if it is of none."""
    return {label: next(filter(known, group), group[0]) for label, group in settings.items()}


def _which_seed(settings: Mapping[str, Sequence[Run]], shown: Mapping[str, Run]) -> str:
    """Say which of several seeds stands for its setting."""
    if all(len(group) == 1 for group in settings.values()):
        return ""
    seeds = {run.settings["seed"] for run in shown.values()}
    return f"Of each setting one run is shown, {f'with seed {seeds.pop()}' if len(seeds) == 1 else 'of one seed'}."
