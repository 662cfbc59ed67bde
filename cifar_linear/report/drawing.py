"""The figures of a report, each with a title and a text for readers who do not see it."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from itertools import islice, product
from math import prod
from statistics import fmean

import numpy as np

from cifar_linear.arrays import Bools, Floats
from cifar_linear.figures.curves import accuracy_figure, cost_figure, distance_figure, norm_figure, overlaid_figure
from cifar_linear.figures.grids import heat_figure
from cifar_linear.figures.images import image_figure, template_figure
from cifar_linear.figures.predictions import (
    Curve,
    class_figure,
    confusion_figure,
    histogram_figure,
    reliability_figure,
)
from cifar_linear.figures.style import LONGEST_NAME, shortened
from cifar_linear.nn.metrics import class_metrics, confusion, true_class_probability, wilson
from cifar_linear.report.captions import Drawing
from cifar_linear.report.collecting import Run
from cifar_linear.report.inside import filters, inside
from cifar_linear.report.settings import as_label, factors, grouped, in_order
from cifar_linear.report.statistics import percent
from cifar_linear.runs.artifacts import Predictions, StoredModel
from cifar_linear.runs.record import Honesty

MOST_DRAWN = 8
"""Runs that can be told apart in one figure."""
_LONGEST_TICK = 40
Limits = Mapping[str, tuple[float, float]]
"""The ends of the axes of cost and accuracy; what is left out fits the curves."""
NO_LIMITS: Limits = {}


def draw(runs: Mapping[str, Run], ylim: Limits = NO_LIMITS) -> Iterator[Drawing]:
    """Yield the figures of one run, or of several side by side; ``ylim`` are ends of axes."""
    return draw_one(next(iter(runs.values())), ylim) if len(runs) == 1 else draw_several(runs, ylim)


def draw_one(run: Run, ylim: Limits = NO_LIMITS) -> Iterator[Drawing]:
    """Yield the figures of one run; those of test predictions only if it has any."""
    known = run.certificate
    optimum = (known.lower, known.upper) if known else None
    lam, steps = run.record.config.lam, run.steps
    cost = partial(cost_figure, run.rows, lam, steps, ylim.get("cost"), optimum, penalty=run.shows_penalty)
    lowest = f" The lowest cost is {known.lower:.5g} to {known.upper:.5g}." if known else ""
    yield Drawing("cost", "Loss and cost", _spans(run, "cost") + lowest, cost)
    yield from _distances({run.name: run})
    accuracy = partial(accuracy_figure, run.rows, ylim.get("accuracy"))
    yield Drawing("accuracy", "Accuracy", _spans(run, "accuracy"), accuracy)
    yield from _templates({run.name: run})
    yield from inside(run)
    if run.predictions is not None:
        yield _histograms({run.name: run})
        yield from _reliability({run.name: run})
        yield from _by_class(run.predictions, run.model.class_names)
        if run.predictions.mistakes.size and run.model.is_of_images:
            yield _mistakes(run.predictions, run.model)


def _distances(runs: Mapping[str, Run]) -> Iterator[Drawing]:
    """Yield how the training cost came near its optimum, of the runs with a certificate."""
    bounds = {label: (run.certificate.lower, run.certificate.upper) for label, run in runs.items() if run.certificate}
    if bounds:
        rows = {label: runs[label].rows for label in bounds}
        ends = "; ".join(
            f"{label}: {runs[label].last['train_cost'] - lower:.2g}" for label, (lower, _) in bounds.items()
        )
        alt = f"Training cost minus the lowest possible, on a logarithmic axis; it ends at {ends}."
        yield Drawing("optimum", "Training cost above its optimum", alt, partial(distance_figure, rows, bounds))


def _by_class(predictions: Predictions, class_names: Sequence[str]) -> Iterator[Drawing]:
    """Yield the confusion matrix and the metrics of each class, from the same counts."""
    counts = confusion(predictions.predicted, predictions.labels, len(class_names))
    alt = f"Confusion matrix of {counts.sum()} test images, {counts.trace()} on the diagonal."
    yield Drawing("confusion", "Confusion matrix", alt, partial(confusion_figure, counts, class_names))
    metrics = class_metrics(counts)
    of_classes = "; ".join(f"{name} {f1:.3f}" for name, f1 in zip(class_names, metrics.f1.value, strict=True))
    alt = f"Precision, recall and F1 of each class with 95 % intervals; F1: {of_classes}."
    yield Drawing("classes", "Precision, recall and F1 of each class", alt, partial(class_figure, metrics, class_names))


def _mistakes(predictions: Predictions, model: StoredModel) -> Drawing:
    names, mistakes = model.class_names, predictions.mistakes
    classes = predictions.predicted[mistakes]
    probabilities = predictions.probabilities[mistakes, classes]
    predicted = [names[k] for k in classes]
    true = [names[k] for k in predictions.labels[mistakes]]
    pairs = list(zip(true, predicted, probabilities, strict=True))
    titles = [f"{shortened(t, LONGEST_NAME)}\nas {shortened(p, LONGEST_NAME)} {sure:.2f}" for t, p, sure in pairs]
    listed = "; ".join(f"{t} as {p} {sure:.2f}" for t, p, sure in pairs)
    alt = f"The most confident mistakes, surest first: {listed}."
    figure = partial(image_figure, list(predictions.mistake_images), titles, model.image_shape)
    return Drawing("mistakes", "The most confident mistakes: true class, predicted class, probability", alt, figure)


def draw_several(runs: Mapping[str, Run], ylim: Limits = NO_LIMITS) -> Iterator[Drawing]:
    """Yield the figures of several runs side by side; of many, heat maps show all, the other figures the first ones."""
    all_runs = list(runs.values())
    yield from _heat_maps(all_runs)
    if len(runs) > MOST_DRAWN:
        runs = dict(islice(runs.items(), MOST_DRAWN))
    for quantity in ("cost", "accuracy"):
        ends = "; ".join(f"{label}: {_written(run.last, 'validation', quantity)}" for label, run in runs.items())
        figure = partial(
            overlaid_figure, {label: run.rows for label, run in runs.items()}, quantity, ylim.get(quantity)
        )
        alt = f"{quantity.capitalize()} of each run during training; on validation images it ends at {ends}."
        yield Drawing(quantity, quantity.capitalize(), alt, figure)
    yield from _distances(runs)
    yield from _templates(runs)
    yield from filters(runs)
    yield from _norms(all_runs)
    predicted = {label: run for label, run in runs.items() if run.predictions is not None}
    if predicted:
        yield _histograms(predicted)
        yield from _reliability(predicted)


def _norms(runs: Sequence[Run]) -> Iterator[Drawing]:
    """Yield |W|² over lambda, a line for each choice of the other settings with several lambdas; means over seeds."""
    finished = [run for run in runs if run.finished]
    groups = grouped(finished, ("lambda", "seed")).values()
    shown = [run for group in groups if len({run.record.config.lam for run in group}) > 1 for run in group]
    # Named by what sets the lines apart, not by what other runs differ in.
    lines = {as_label(setting): group for setting, group in grouped(shown, ("lambda", "seed")).items()}
    if not 0 < len(lines) <= MOST_DRAWN:
        return
    means = {name: _mean_norms(group) for name, group in lines.items()}
    courses = "; ".join(
        f"{name} {', '.join(f'{norm:.3g} at {lam:g}' for lam, norm in line.items())}".strip()
        for name, line in means.items()
    )
    alt = f"Sum of squared weights over lambda: {courses}."
    names = ", ".join(run.given_name for run in shown) if len(shown) <= MOST_DRAWN else f"{len(shown)} runs"
    of = "" if len(shown) == len(finished) else f" ({names})"
    yield Drawing("norms", "What lambda leaves of the weights" + of, alt, partial(norm_figure, means))


def _mean_norms(runs: Sequence[Run]) -> dict[float, float]:
    """Return |W|² by lambda, from the smallest."""
    norms: dict[float, list[float]] = defaultdict(list)
    for run in runs:
        norms[run.record.config.lam].append(run.weight_norm**2)
    return {lam: fmean(norms[lam]) for lam in sorted(norms)}


def _heat_maps(runs: Sequence[Run]) -> Iterator[Drawing]:
    """Yield validation accuracy over the two settings with the most values, a map for each choice of the others."""
    settings = [{key: value for key, value in of_run.items() if key != "seed"} for of_run in factors(runs)]
    values = {key: in_order({of_run[key] for of_run in settings}) for key in settings[0]}
    if len(values) < 2 or any(len(value) > _LONGEST_TICK for key in values for value in values[key]):
        return  # No grid, or values so long that they would leave no room for the numbers.
    keys = sorted(values, key=lambda key: -len(values[key]))
    cells = [tuple(of_run[key] for key in keys) for of_run in settings]
    known = _mean_accuracies(cells, runs)
    if len(known) < 4 or 4 * len(set(cells)) < 3 * prod(map(len, values.values())):
        return  # Scattered runs are no grid.
    down, across, *others = keys
    maps = {}
    for choice in product(*(values[key] for key in others)):
        means = [[known.get((row, column, *choice), np.nan) for column in values[across]] for row in values[down]]
        maps[as_label(tuple(zip(others, choice, strict=True)))] = np.array(means)
    best = max(known, key=known.__getitem__)
    at = as_label(tuple(zip(keys, best, strict=True)))
    alt = f"Validation accuracy over {', '.join(values)}; the highest, {known[best]:.2f} %, at {at}."
    figure = partial(heat_figure, maps, (down, across), (values[down], values[across]), "validation accuracy in %")
    yield Drawing("grid", "Validation accuracy over the grid; the highest is framed", alt, figure)


def _mean_accuracies(cells: Sequence[tuple[str, ...]], runs: Sequence[Run]) -> dict[tuple[str, ...], float]:
    """Return the mean validation accuracy of the finished runs of each cell, in percent."""
    accuracies: dict[tuple[str, ...], list[float]] = defaultdict(list)
    for cell, run in zip(cells, runs, strict=True):
        if run.finished and (accuracy := run.outcome("validation")) is not None:
            accuracies[cell].append(100 * accuracy)
    return {cell: fmean(found) for cell, found in accuracies.items()}


def _spans(run: Run, quantity: str) -> str:
    """Say where the curves of a quantity begin and end."""
    spans = [
        f"{name} from {_written(run.rows[0], split, quantity)} to {_written(run.last, split, quantity)}"
        for split, name in (("train", "training"), ("validation", "validation"))
    ]
    return f"{quantity.capitalize()} over {run.last['epoch']:g} epochs: {', '.join(spans)}."


def _written(row: Mapping[str, float], split: str, quantity: str) -> str:
    value = row[f"{split}_{quantity}"]
    return percent(value) if quantity == "accuracy" else f"{value:.3f}"


def _templates(runs: Mapping[str, Run]) -> Iterator[Drawing]:
    """Yield the weights as images, on two scales; runs on another kind of images have figures of their own."""
    kinds: dict[tuple[object, ...], dict[str, Run]] = defaultdict(dict)
    for label, run in runs.items():
        if run.model.is_linear and run.model.is_of_images:
            kinds[run.model.class_names, run.model.W.shape, run.model.image_shape][label] = run
    for number, kind in enumerate(kinds.values(), start=1):
        model, dataset = (first := next(iter(kind.values()))).model, first.record.config.data.dataset
        of = f" ({dataset}: {', '.join(model.class_names)})" if len(kinds) > 1 else ""
        weights = {label: run.model.W for label, run in kind.items()}
        for name, title, common in (
            ("templates", "Class templates, each on its own scale", False),
            ("templates-common-scale", "Class templates, each run on one scale", True),
        ):
            alt = f"The weights of {', '.join(model.class_names)} as images, a row for each run: {', '.join(kind)}."
            names = model.class_names if len(model.W) > 1 else (" against ".join(model.class_names),)
            figure = partial(template_figure, weights, names, model.image_shape, common)
            yield Drawing(name, title + of, alt, figure, number if of else None)


def _reliability(runs: Mapping[str, Run]) -> Iterator[Drawing]:
    """Yield accuracy over confidence, of the runs that know it."""
    known = {label: run.calibration.test for label, run in runs.items() if run.calibration and run.calibration.test}
    if known:
        curves = {
            label: (_curve(of.plain), _curve(of.tempered) if of.tempered else None) for label, of in known.items()
        }
        errors = "; ".join(f"{label}: expected calibration error {of.plain.ece:.3f}" for label, of in known.items())
        alt = f"Accuracy over confidence in bins of equal size, with 95 % intervals. {errors}."
        yield Drawing("reliability", "Accuracy over confidence", alt, partial(reliability_figure, curves))


def _curve(of: Honesty) -> Curve:
    """Return the bins as arrays."""
    images = np.array([each.images for each in of.bins])
    accuracy = np.array([each.accuracy for each in of.bins])
    interval = wilson(np.rint(accuracy * images), images)
    return Curve(np.array([each.confidence for each in of.bins]), accuracy, interval.low, interval.high)


def _histograms(runs: Mapping[str, Run]) -> Drawing:
    parts: dict[str, tuple[Floats, Bools]] = {}
    counts = []
    for label, run in runs.items():
        if run.predictions is not None:
            probabilities, labels = run.predictions.probabilities, run.predictions.labels
            parts[label] = true_class_probability(probabilities, labels), run.predictions.correct
            counts.append(f"{label}: {parts[label][1].sum()} of {len(labels)} correct")
    alt = f"Histograms of the probability of the true class on test images. {'; '.join(counts)}."
    return Drawing("probabilities", "Probability of the true class", alt, partial(histogram_figure, parts))
