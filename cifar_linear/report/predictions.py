"""The figures of what runs predict for the test images."""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial

import numpy as np

from cifar_linear.arrays import Bools, Floats, Integers
from cifar_linear.figures.images import image_figure
from cifar_linear.figures.predictions import (
    BINS,
    Curve,
    class_figure,
    confusion_figure,
    histogram_figure,
    reliability_figure,
)
from cifar_linear.figures.style import FAR_APART, LONGEST_NAME, Look, shortened
from cifar_linear.nn.metrics import class_metrics, confusion, true_class_probability, wilson
from cifar_linear.report.captions import Drawing, extremes
from cifar_linear.report.charts import Chart, Numbers, Series
from cifar_linear.report.collecting import Run
from cifar_linear.report.settings import by_data
from cifar_linear.runs.artifacts import Predictions, StoredModel
from cifar_linear.runs.record import CalibrationMetrics
from cifar_linear.wording import percent

_MISTAKES_ACROSS = 5
_LONGEST_SAID = LONGEST_NAME - 3
"""Characters of a class beside "said" and a probability."""


def histograms(runs: Mapping[str, Run]) -> Iterator[Drawing]:
    """Yield histograms of the probability of the true class, of the runs with test predictions."""
    parts: dict[str, tuple[Floats, Bools]] = {}
    for label, run in runs.items():
        if run.predictions is not None:
            probabilities, labels = run.predictions.probabilities, run.predictions.labels
            parts[label] = true_class_probability(probabilities, labels), run.predictions.correct
    if parts:
        counts = "; ".join(f"{label}: {ok.sum()} of {len(ok)} correct" for label, (_, ok) in parts.items())
        alt = f"Histograms of the probability of the true class on test images. {counts}."
        figure = partial(histogram_figure, parts)
        kinds = {label: kind for kind, group in by_data(runs).items() for label in group}
        chart = _counts(parts, kinds)
        yield Drawing("probabilities", "Probability of the true class", alt, _medians(parts), figure, chart=chart)


def _counts(parts: Mapping[str, tuple[Floats, Bools]], kinds: Mapping[str, str]) -> Chart:
    """Return how many images each bin has, correctly classified ones and others apart; runs on one kind share axes."""
    series = []
    for label, (probability, correct) in parts.items():
        for i, (name, chosen) in enumerate((("correct", correct), ("wrong", ~correct))):
            counts, _ = np.histogram(probability[chosen], BINS)
            points = list(zip(BINS[:-1].tolist(), counts.tolist(), strict=True))
            panel = label if len(parts) > 1 else ""
            series.append(Series(panel, name, Look(i, 0, i), points, kinds[label], "steps"))
    panels = {one.panel for one in series}
    tops = [max(count for one in series if one.panel == panel for _, count in one.points) for panel in panels]
    apart = max(tops) > FAR_APART * min(tops)  # a spike would flatten all other panels
    return Chart("probability of the true class", "test images", series, logarithmic=apart, from_zero=True)


def _medians(parts: Mapping[str, tuple[Floats, Bools]]) -> str:
    wrong = {label: float(np.median(p[~ok])) for label, (p, ok) in parts.items() if not ok.all()}
    right = {label: float(np.median(p[ok])) for label, (p, ok) in parts.items() if ok.any()}
    said = []
    if right:
        said.append("Median of correctly classified images: " + extremes(right, "{:.2f}".format, "lowest", "highest"))
    if wrong:
        said.append("Median of wrongly classified images: " + extremes(wrong, "{:.2f}".format, "lowest", "highest"))
    return " ".join(said)


def reliability(runs: Mapping[str, Run]) -> Iterator[Drawing]:
    """Yield accuracy over confidence, of the runs that know it."""
    known = {label: run.calibration.test for label, run in runs.items() if run.calibration and run.calibration.test}
    if known:
        curves = {
            label: (_curve(split.plain), _curve(split.tempered) if split.tempered else None)
            for label, split in known.items()
        }
        errors = "; ".join(
            f"{label}: expected calibration error {split.plain.ece:.3f}" for label, split in known.items()
        )
        alt = f"Accuracy over confidence in bins of equal size, with 95 % intervals. {errors}."
        caption = _trust({label: split.plain for label, split in known.items()})
        figure = partial(reliability_figure, curves)
        chart = _over_confidence(curves)
        yield Drawing("reliability", "Accuracy over confidence", alt, caption, figure, chart=chart)


def _over_confidence(curves: Mapping[str, tuple[Curve, Curve | None]]) -> Chart:
    series = []
    for label, pair in curves.items():
        panel = label if len(curves) > 1 else ""
        series.append(Series(panel, "ideal", Look(-1), [(0.0, 0.0), (100.0, 100.0)], "all", "reference"))
        for i, (name, curve) in enumerate(zip(("as it is", "with temperature"), pair, strict=True)):
            if curve is not None:
                points = [tuple((100 * value).tolist()) for value in np.transpose(curve)]
                series.append(Series(panel, name, Look(i, 0, i), points, "all", "marks"))
    return Chart("confidence in %", "accuracy in %", series, from_zero=True)


def _trust(known: Mapping[str, CalibrationMetrics]) -> str:
    """Say whose probabilities are nearest to the truth, and in which direction the others err."""
    said = [
        "Below the diagonal: over-confident; above it: under-confident. Expected calibration error: "
        + extremes({label: metrics.ece for label, metrics in known.items()}, "{:.3f}".format, "lowest", "highest")
    ]
    over, under = (
        [label for label, each in known.items() if each.ece > each.ece_limit and sign * each.over_confidence > 0]
        for sign in (1, -1)
    )
    said += [f"Over-confident beyond chance: {'; '.join(over)}."] if over else []
    said += [f"Under-confident beyond chance: {'; '.join(under)}."] if under else []
    return " ".join(said if over or under else [*said, "Chance alone explains the distances from the diagonal."])


def _curve(metrics: CalibrationMetrics) -> Curve:
    """Return the bins as arrays."""
    images = np.array([each.images for each in metrics.bins])
    accuracy = np.array([each.accuracy for each in metrics.bins])
    interval = wilson(np.rint(accuracy * images), images)
    return Curve(np.array([each.confidence for each in metrics.bins]), accuracy, interval.low, interval.high)


def by_class(predictions: Predictions, class_names: Sequence[str]) -> Iterator[Drawing]:
    """Yield the confusion matrix and the metrics of each class, from the same counts."""
    counts = confusion(predictions.predicted, predictions.labels, len(class_names))
    alt = f"Confusion matrix of {counts.sum()} test images, {counts.trace()} on the diagonal."
    figure = partial(confusion_figure, counts, class_names)
    rows = [(name, [str(count) for count in row]) for name, row in zip(class_names, counts, strict=True)]
    numbers = Numbers("true class", [f"as {name}" for name in class_names], rows)
    caption = _confused(counts, class_names)
    yield Drawing("confusion", "Confusion matrix", alt, caption, figure, numbers=numbers)
    f1 = dict(zip(class_names, class_metrics(counts).f1.value.tolist(), strict=True))
    alt = "Precision, recall and F1 of each class with 95 % intervals; F1: " + (
        "; ".join(f"{name} {percent(value)}" for name, value in f1.items()) + "."
    )
    known = {name: value for name, value in f1.items() if not np.isnan(value)}
    caption = "F1: " + extremes(known, percent, "lowest", "highest") if known else ""
    figure = partial(class_figure, class_metrics(counts), class_names)
    yield Drawing("classes", "Precision, recall and F1 of each class", alt, caption, figure)


def _confused(counts: Integers, names: Sequence[str]) -> str:
    """Say how many images are on the diagonal, and the most frequent mistake."""
    said = f"{counts.trace()} of {counts.sum()} test images are on the diagonal."
    off = counts - np.diag(np.diag(counts))
    if not off.any():
        return said
    true, predicted = divmod(int(off.argmax()), len(names))
    return f"{said} The most frequent mistake: {names[true]} as {names[predicted]}, {off.max()} times."


def mistakes(predictions: Predictions, model: StoredModel) -> Iterator[Drawing]:
    """Yield the most confident mistakes, if there are any."""
    if not (predictions.mistakes.size and model.is_of_images):
        return
    names = model.class_names
    columns = min(_MISTAKES_ACROSS, len(predictions.mistakes))
    indices = predictions.mistakes[: len(predictions.mistakes) // columns * columns]  # whole rows
    classes = predictions.predicted[indices]
    probabilities = predictions.probabilities[indices, classes]
    predicted = [names[k] for k in classes]
    true = [names[k] for k in predictions.labels[indices]]
    pairs = list(zip(true, predicted, probabilities, strict=True))
    titles = [
        f"true {shortened(t, _LONGEST_SAID)}\nsaid {shortened(p, _LONGEST_SAID)} ({sure:.2f})" for t, p, sure in pairs
    ]
    alt = f"The most confident mistakes, surest first: {'; '.join(f'{t} as {p} {sure:.2f}' for t, p, sure in pairs)}."
    total = int((~predictions.correct).sum())
    ends = [f"{sure:.2f}" for sure in (probabilities.max(), probabilities.min())]
    caption = (
        f"The {len(pairs)} surest of {total} mistakes, each with its true class and with what it was said to be, "
        f"with a probability of {' to '.join(dict.fromkeys(ends))}."
    )
    images = list(predictions.mistake_images[: len(pairs)])
    figure = partial(image_figure, images, titles, model.image_shape, columns, size=1.3)
    yield Drawing("mistakes", "The most confident mistakes", alt, caption, figure)
