"""How sure a classifier is, and what it mixes up."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure

from cifar_linear.arrays import Bools, Floats, Integers
from cifar_linear.figures.style import COLOURS, FAR_APART, logarithmic, new_figure, styled
from cifar_linear.nn.metrics import precision_and_recall

BINS = np.linspace(0, 1, 41)


@styled
def histogram_figure(runs: Mapping[str, tuple[Floats, Bools]]) -> Figure:
    """The probability of the true class (n,), split by whether the image is classified correctly (n,).

    All runs share bins and axes; the legend holds counts and medians.
    """
    columns = min(2, len(runs))
    lines = -(-len(runs) // columns)
    figure = new_figure(4.5 * columns, 0.5 + 2.4 * lines)
    grid = figure.subplots(lines, columns, sharex=True, sharey=True, squeeze=False).ravel()
    for axes, (run, (probability, correct)) in zip(grid, runs.items(), strict=False):
        for chosen, name, colour, hatch in (
            (correct, "correct", COLOURS[0], ""),
            (~correct, "wrong", COLOURS[1], "////"),
        ):
            values = probability[chosen]
            median = f", median {np.median(values):.3f}" if values.size else ""
            axes.hist(
                values,
                bins=BINS,
                histtype="stepfilled",
                label=f"{name}: {values.size}{median}",
                facecolor=(colour, 0.35),
                edgecolor=colour,
                hatch=hatch,
            )
        title = run if len(runs) > 1 else None
        axes.legend(title=title, loc="lower center", bbox_to_anchor=(0.5, 1), ncols=2)
        axes.set_xlim(0, 1)
    for axes in grid[len(runs) :]:
        axes.set_axis_off()
    for axes in grid[:-columns] if len(runs) % columns else []:
        axes.tick_params(labelbottom=True)
    tops = [axes.dataLim.y1 for axes in grid[: len(runs)]]
    if max(tops) > FAR_APART * min(tops) > 0:
        logarithmic(grid[0])
        grid[0].set_ylim(bottom=0.8)
    figure.supxlabel("probability of the true class", fontsize=9)
    figure.supylabel("test images", fontsize=9)
    return figure


@styled
def confusion_figure(confusion: Integers, class_names: Sequence[str]) -> Figure:
    """Counts by true class (rows) and predicted class (columns), with recall at the right and precision below."""
    classes = len(class_names)
    figure = new_figure(2.6 + 0.36 * classes, 1.8 + 0.36 * classes)
    axes = figure.subplots()
    axes.imshow(confusion, cmap="Blues", vmin=0)
    dark = confusion.max() / 2
    for row, column in np.ndindex(confusion.shape):
        count = int(confusion[row, column])
        ink = "white" if count > dark else "black"
        # The layout need not ask a hundred numbers whether they stay within their squares.
        axes.text(column, row, str(count), ha="center", va="center", fontsize=7, color=ink, in_layout=False)
    precision, recall = precision_and_recall(confusion)
    for k in range(classes):
        axes.text(classes - 0.3, k, _percent(recall[k]), va="center", fontsize=8)
        axes.text(k, classes - 0.3, _percent(precision[k]), ha="center", va="top", fontsize=8)
    axes.text(classes - 0.3, -0.8, "recall", fontsize=8)
    axes.text(-0.7, classes - 0.3, "precision", fontsize=8, ha="right", va="top")
    axes.set_xticks(range(classes), class_names, rotation=45, ha="left")
    axes.set_yticks(range(classes), class_names)
    axes.xaxis.tick_top()
    axes.tick_params(length=0)
    axes.xaxis.set_label_position("top")
    axes.set_xlabel("predicted class")
    axes.set_ylabel("true class")
    for spine in axes.spines.values():
        spine.set_visible(False)
    return figure


def _percent(fraction: float) -> str:
    return "-" if np.isnan(fraction) else f"{100 * fraction:.0f} %"
