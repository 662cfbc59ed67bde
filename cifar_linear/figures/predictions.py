"""Histograms of predicted probabilities, accuracy over confidence, the confusion matrix, metrics of each class."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import PowerNorm, to_rgba
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from cifar_linear.arrays import Bools, Doubles, Floats, Integers
from cifar_linear.figures.style import (
    COLOURS,
    FAR_APART,
    LONGEST_NAME,
    even_columns,
    fix_margins,
    logarithmic,
    new_figure,
    shortened,
    styled,
    text_width,
)
from cifar_linear.nn.metrics import ClassMetrics, class_metrics

BINS = np.linspace(0, 1, 41)

_MANY_CLASSES = 25
"""More than these get smaller lines, without room for counts."""


@styled
def histogram_figure(runs: Mapping[str, tuple[Floats, Bools]]) -> Figure:
    """Draw histograms of the probability of the true class, those of right and of wrong classifications apart.

    All runs share bins and axes; above each histogram are counts and medians.

    Args:
        runs: for each name the probability that each image's true class gets, (n,), and whether the image is classified
            correctly, (n,).
    """
    columns = even_columns(len(runs), 4)
    lines = len(runs) // columns
    figure = new_figure(9 if len(runs) > 1 else 4.5, 0.6 + (2.4 if columns > 1 or lines == 1 else 1.7) * lines)
    grid = figure.subplots(lines, columns, sharex=True, sharey=True, squeeze=False).ravel()
    for axes, (run, (probability, correct)) in zip(grid, runs.items(), strict=True):
        _histogram(axes, probability[correct], "correct", 0)
        _histogram(axes, probability[~correct], "wrong", 1, hatch="////")
        axes.set_xlim(0, 1)
        axes.text(0, 1.24, run if len(runs) > 1 else "", transform=axes.transAxes)
    tops = [axes.dataLim.y1 for axes in grid[: len(runs)]]
    if max(tops) > FAR_APART * min(tops) > 0:
        logarithmic(grid[0])
        grid[0].set_ylim(bottom=0.8)
        for patch in (patch for axes in grid for patch in axes.patches):
            # An area would lie on a logarithmic axis.
            patch.set(facecolor="none", hatch="", linestyle="--" if patch.get_hatch() else "-")
    figure.supxlabel("probability of the true class", fontsize=9)
    figure.supylabel(f"test images{', logarithmic' if grid[0].get_yscale() == 'log' else ''}", fontsize=9)
    fix_margins(figure, 0.7, 0.2, 0.5, 0.6 if len(runs) > 1 else 0.45, 0.25, 0.85)
    return figure


def _histogram(axes: Axes, values: Floats, name: str, place: int, hatch: str = "") -> None:
    median = f", median {np.median(values):.3f}" if values.size else ""
    colour = COLOURS[place]
    at: Any = {"transform": axes.transAxes, "fontsize": 8, "color": colour}
    axes.text(0, 1.13 - 0.1 * place, f"{name}: {values.size}{median}", **at)
    counts, edges = np.histogram(values, BINS)
    look: Any = {"facecolor": to_rgba(colour, 0.35), "edgecolor": colour, "hatch": hatch}
    axes.stairs(counts, edges, fill=True, linewidth=1, **look)


class Curve(NamedTuple):
    """Accuracy over confidence.

    Attributes:
        confidence: mean probability of the predicted class in each bin, (m,).
        accuracy: fraction of right predictions, (m,).
        low, high: the ends of its 95 % interval, (m,).
    """

    confidence: Doubles
    accuracy: Doubles
    low: Doubles
    high: Doubles


@styled
def reliability_figure(runs: Mapping[str, tuple[Curve, Curve | None]]) -> Figure:
    """Draw accuracy over confidence beside the diagonal, on which an honest classifier lies.

    Args:
        runs: for each name the curve of the probabilities as they are, and that with the temperature, if there is one.
    """
    columns = even_columns(len(runs), 4) if len(runs) not in (5, 7) else len(runs)
    lines = len(runs) // columns
    width = 3.6 if columns == 1 else max(9 / columns, 1.8)
    figure = new_figure(width * columns, 0.7 + 0.9 * width * lines)
    grid = figure.subplots(lines, columns, sharex=True, sharey=True, squeeze=False).ravel()
    for axes, (run, curves) in zip(grid, runs.items(), strict=True):
        axes.plot([0, 1], [0, 1], color="0.6", linewidth=1)
        _reliability(axes, curves[0], "as it is", "o-", COLOURS[0])
        if curves[1] is not None:
            _reliability(axes, curves[1], "with temperature", "s--", COLOURS[1])
        axes.set_title(run.replace(", ", "\n") if len(runs) > 1 else "")
        if axes is grid[0]:
            axes.legend(loc="upper left")
        axes.set(xlim=(0, 1), ylim=(0, 1), aspect="equal")
    figure.supxlabel("confidence: probability of the predicted class", fontsize=9)
    figure.supylabel("accuracy", fontsize=9)
    fix_margins(figure, 0.6, 0.15, 0.5, 0.4 if len(runs) > 1 else 0.1, across=0.2)
    return figure


def _reliability(axes: Axes, curve: Curve, name: str, look: str, colour: str) -> None:
    axes.plot(curve.confidence, curve.accuracy, look, color=colour, label=name, linewidth=1, markersize=3)
    axes.vlines(curve.confidence, curve.low, curve.high, colors=colour, linewidth=1)


@styled
def confusion_figure(confusion: Integers, class_names: Sequence[str]) -> Figure:
    """Draw a confusion matrix, with recall at the right and precision below.

    The counts of many classes are colours only, on a scale on which rare mistakes can be seen.

    Args:
        confusion: counts (K, K) by true class (row) and predicted class (column).
        class_names: K names.
    """
    classes = len(class_names)
    many = classes > _MANY_CLASSES
    side, size = (0.12, 5) if many else (0.36, 8)
    names = [shortened(name, LONGEST_NAME) for name in class_names]
    beside, above = text_width(*names, "precision") + 0.3, 0.75 * text_width(*names) + 0.3
    square = side * max(classes, 3)
    figure = new_figure(beside + square + 1.4, above + square + 0.3)
    axes = figure.subplots()
    colours = axes.imshow(confusion, cmap="Blues", norm=PowerNorm(0.5 if many else 1, vmin=0), aspect="auto")
    bar = figure.colorbar(colours, cax=axes.inset_axes((1 + 0.65 / square, 0, 0.12 / square, 1)), label="images")
    bar.outline.set_visible(False)
    fix_margins(figure, beside, 1.4, 0.3, above)
    if not many:
        _write_counts(axes, confusion)
    _write_precision_and_recall(axes, confusion, size)
    axes.set_xticks(range(classes), names, rotation=90 if many else 45, ha="center" if many else "left", fontsize=size)
    axes.set_yticks(range(classes), names, fontsize=size)
    axes.xaxis.tick_top()
    axes.tick_params(length=0)
    axes.xaxis.set_label_position("top")
    axes.set_xlabel("predicted class")
    axes.set_ylabel("true class")
    for spine in axes.spines.values():
        spine.set_visible(False)
    return figure


def _write_counts(axes: Axes, confusion: Integers) -> None:
    dark = confusion.max() / 2
    for row, column in np.ndindex(confusion.shape):
        count = int(confusion[row, column])
        ink = "white" if count > dark else "black"
        # Outside the layout, which would measure a hundred numbers that stay within their squares.
        axes.text(column, row, str(count), ha="center", va="center", fontsize=7, color=ink, in_layout=False)


def _write_precision_and_recall(axes: Axes, confusion: Integers, size: float) -> None:
    precision, recall = (part.value for part in class_metrics(confusion)[:2])
    end, turned = len(confusion) - 0.3, 90 if len(confusion) > _MANY_CLASSES else 0
    for k in range(len(confusion)):
        axes.text(end, k, _percent(recall[k]), va="center", fontsize=size)
        axes.text(k, end, _percent(precision[k]), ha="center", va="top", fontsize=size, rotation=turned)
    axes.text(end, -0.8, "recall", fontsize=8)
    axes.text(-0.7, end, "precision", fontsize=8, ha="right", va="top")


@styled
def class_figure(metrics: ClassMetrics, class_names: Sequence[str]) -> Figure:
    """Draw precision, recall and F1 of each class as points with their 95 % intervals, a line for each class.

    Args:
        metrics: of K classes; what is NaN has no point.
        class_names: K names.
    """
    classes = len(class_names)
    names = [shortened(name, LONGEST_NAME) for name in class_names]
    line, size = (0.2, 2) if classes > _MANY_CLASSES else (0.42, 4)
    figure = new_figure(6.5, 0.85 + line * classes)
    axes = figure.subplots()
    for i, (name, part) in enumerate(zip(("precision", "recall", "F1"), metrics, strict=True)):
        reach = np.abs(np.stack([part.value - part.low, part.high - part.value]))
        height = np.arange(classes) + 0.22 * (i - 1)
        look: dict[str, Any] = {"color": COLOURS[i], "marker": "os^"[i], "markersize": size, "linewidth": size / 3}
        axes.errorbar(part.value, height, xerr=reach, linestyle="none", capsize=size / 2, label=name, **look)
    for k in range(1, classes):
        axes.axhline(k - 0.5, color="0.9", linewidth=0.8, zorder=0)
    axes.set_yticks(range(classes), names)
    axes.set_ylim(classes - 0.5, -0.5)
    axes.tick_params(axis="y", length=0)
    axes.xaxis.set_major_formatter(PercentFormatter(1, symbol=" %"))
    axes.set_xlabel("with 95 % intervals")
    axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1), ncols=3)
    fix_margins(figure, text_width(*names), 0.3, 0.5, 0.35)
    return figure


def _percent(fraction: float) -> str:
    return "-" if np.isnan(fraction) else f"{100 * fraction:.0f} %"
