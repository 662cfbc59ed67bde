"""The figures of a report, in its order."""

from collections.abc import Iterator, Mapping

from cifar_linear.report.captions import Drawing
from cifar_linear.report.charts import NO_LIMITS, Limits
from cifar_linear.report.collecting import Run
from cifar_linear.report.curves import curves_of_one, curves_of_several, norms
from cifar_linear.report.grids import heat_maps, parallel
from cifar_linear.report.networks import filters, inside
from cifar_linear.report.predictions import by_class, histograms, mistakes, reliability
from cifar_linear.report.settings import best_and_worst
from cifar_linear.report.weights import templates


def draw(runs: Mapping[str, Run], ylim: Limits = NO_LIMITS) -> Iterator[Drawing]:
    """Yield the figures of one run, or of several side by side; ``ylim`` are ends of axes."""
    return draw_one(next(iter(runs.values())), ylim) if len(runs) == 1 else draw_several(runs, ylim)


def draw_one(run: Run, ylim: Limits = NO_LIMITS) -> Iterator[Drawing]:
    """Yield the figures of one run."""
    yield from curves_of_one(run, ylim)
    yield from templates({run.name: run})
    yield from inside(run)
    yield from histograms({run.name: run})
    yield from reliability({run.name: run})
    if run.predictions is not None:
        yield from by_class(run.predictions, run.model.class_names)
        yield from mistakes(run.predictions, run.model)


def draw_several(runs: Mapping[str, Run], ylim: Limits = NO_LIMITS) -> Iterator[Drawing]:
    """Yield the figures of several runs side by side; of many, heat maps show all, the others some."""
    all_runs = list(runs.values())
    yield from heat_maps(all_runs)
    yield from parallel(all_runs)
    runs = best_and_worst(runs)
    yield from curves_of_several(runs, ylim)
    yield from norms(all_runs)
    yield from templates(runs)
    yield from filters(runs)
    yield from histograms(runs)
    yield from reliability(runs)
