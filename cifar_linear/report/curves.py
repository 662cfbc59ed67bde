"""The figures of what happened during training: cost, accuracy, distance to the optimum, size of the weights."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from statistics import fmean

from cifar_linear.figures.curves import accuracy_figure, cost_figure, distance_figure, norm_figure, overlaid_figure
from cifar_linear.figures.style import FAR_APART
from cifar_linear.report.captions import Drawing, extremes
from cifar_linear.report.collecting import Run
from cifar_linear.report.settings import as_label, by_data, grouped, ordered_looks
from cifar_linear.report.statistics import percent

MOST_DRAWN = 8
"""Runs that can be told apart in one figure."""
Limits = Mapping[str, tuple[float, float]]
"""The ends of the axes of cost and accuracy; what is left out fits the curves."""
NO_LIMITS: Limits = {}


def curves_of_one(run: Run, ylim: Limits) -> Iterator[Drawing]:
    """Yield the curves of one run."""
    known = run.certificate
    optimum = (known.lower, known.upper) if known else None
    lam, steps = run.record.config.lam, run.steps
    cost = partial(cost_figure, run.rows, lam, steps, ylim.get("cost"), optimum, penalty=run.shows_penalty)
    lowest = f" The lowest cost is {known.lower:.5g} to {known.upper:.5g}." if known else ""
    yield Drawing("cost", "Loss and cost", _spans(run, "cost") + lowest, _losses(run), cost)
    yield from distances({run.name: run})
    accuracy = partial(accuracy_figure, run.rows, ylim.get("accuracy"))
    yield Drawing("accuracy", "Accuracy", _spans(run, "accuracy"), _highest(run), accuracy)


def curves_of_several(runs: Mapping[str, Run], ylim: Limits) -> Iterator[Drawing]:
    """Yield the curves of several runs, those on other images in panels of their own."""
    looks = ordered_looks(runs)
    for quantity in ("cost", "accuracy"):
        panels = _panels(runs, quantity)
        ends = "; ".join(f"{label}: {_written(run.last, 'validation', quantity)}" for label, run in runs.items())
        alt = f"{quantity.capitalize()} of each run during training; on validation images it ends at {ends}."
        rows = {panel: {label: run.rows for label, run in of.items()} for panel, of in panels.items()}
        figure = partial(overlaid_figure, rows, quantity, ylim.get(quantity), looks)
        caption = " ".join(
            (f"{panel}: " if panel else "") + _ends(of, quantity, quantity in ylim) for panel, of in panels.items()
        )
        yield Drawing(quantity, quantity.capitalize(), alt, caption, figure)
    yield from distances(runs)


def _panels(runs: Mapping[str, Run], quantity: str) -> dict[str, dict[str, Run]]:
    """Return the runs that share axes; costs do so only if they are of one loss."""
    panels: dict[str, dict[str, Run]] = {}
    kinds = by_data(runs)
    for kind, of in kinds.items():
        losses = {run.record.config.loss for run in of.values()} if quantity == "cost" else set[str]()
        for loss in sorted(losses) if len(losses) > 1 else [None]:
            chosen = {label: run for label, run in of.items() if loss is None or run.record.config.loss == loss}
            panels[", ".join(word for word in (kind if len(kinds) > 1 else "", loss) if word)] = chosen
    return panels


def _ends(runs: Mapping[str, Run], quantity: str, limited: bool) -> str:
    """Say which curves end lowest and highest, on what axis, and where training was restless."""
    said = []
    if quantity == "cost":
        costs = {label: run.last["train_cost"] for label, run in runs.items()}
        said.append("At the end, on training images, " + extremes(costs, "{:.3f}".format, "lowest", "highest"))
        values = [
            row[f"{split}_cost"] for run in runs.values() for row in run.rows for split in ("train", "validation")
        ]
        if not limited and max(values) > FAR_APART * min(values) > 0:
            said.append(
                f"The axis is logarithmic: the highest value is {max(values) / min(values):.0f} times the lowest."
            )
    else:
        ends = {label: run.last["validation_accuracy"] for label, run in runs.items()}
        said.append("At the end, on validation images, " + extremes(ends, percent, "lowest", "highest"))
        gaps = {label: run.last["train_accuracy"] - run.last["validation_accuracy"] for label, run in runs.items()}
        widest = max(gaps, key=gaps.__getitem__)
        said.append(f"Training images are ahead most with {widest}, by {100 * gaps[widest]:.2f} points.")
    return " ".join(said)


def _losses(run: Run) -> str:
    """Say whether the validation loss still fell at the end."""
    low, last = run.lowest_loss, run.last
    gap = last["validation_loss"] - last["train_loss"]
    turned = last["validation_loss"] > low["validation_loss"]
    fell = (
        f"The validation loss is lowest after epoch {low['epoch']:.0f} ({low['validation_loss']:.3f}) and "
        f"{last['validation_loss']:.3f} at the end"
        if turned
        else f"The validation loss is lowest at the end ({low['validation_loss']:.3f})"
    )
    return f"{fell}, {abs(gap):.3f} nats {'above' if gap > 0 else 'below'} the training loss."


def _highest(run: Run) -> str:
    best = max(run.rows, key=lambda row: row["validation_accuracy"])
    highest, last = best["validation_accuracy"], run.last["validation_accuracy"]
    gap = 100 * (run.last["train_accuracy"] - last)
    return (
        f"The validation accuracy is highest after epoch {best['epoch']:.0f}, {percent(highest)}, and "
        f"{percent(last)} at the end, {abs(gap):.2f} points "
        f"{'below' if gap > 0 else 'above'} training images."
    )


def distances(runs: Mapping[str, Run]) -> Iterator[Drawing]:
    """Yield how the training cost came near its optimum, of the runs with a certificate."""
    bounds = {label: (run.certificate.lower, run.certificate.upper) for label, run in runs.items() if run.certificate}
    if not bounds:
        return
    rows = {label: runs[label].rows for label in bounds}
    ends = {label: runs[label].last["train_cost"] - lower for label, (lower, _) in bounds.items()}
    listed = "; ".join(f"{label}: {end:.2g}" for label, end in ends.items())
    alt = f"Training cost minus the lowest possible, on a logarithmic axis; it ends at {listed}."
    caption = "Distance to the lowest possible cost at the end, in nats: " + extremes(
        ends, "{:.2g}".format, "nearest", "farthest"
    )
    figure = partial(distance_figure, rows, bounds, ordered_looks(runs))
    yield Drawing("optimum", "Training cost above its optimum", alt, caption, figure)


def norms(runs: Sequence[Run]) -> Iterator[Drawing]:
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
    of = "" if len(shown) == len(finished) else f" Of {names}."
    caption = " ".join(_course(name, line) for name, line in means.items()) + of
    yield Drawing("norms", "What lambda leaves of the weights", alt, caption, partial(norm_figure, means))


def _course(name: str, line: Mapping[float, float]) -> str:
    """Say how |W|² changes from the smallest to the largest lambda."""
    (first, before), *_, (last, after) = line.items()
    changed = "falls" if after < before else "rises" if after > before else "stays"
    return (
        f"{name + ': ' if name else ''}|W|² {changed} from {before:.3g} at lambda {first:g} to {after:.3g} at {last:g}."
    )


def _mean_norms(runs: Sequence[Run]) -> dict[float, float]:
    """Return |W|² by lambda, from the smallest."""
    by_lambda: dict[float, list[float]] = defaultdict(list)
    for run in runs:
        by_lambda[run.record.config.lam].append(run.weight_norm**2)
    return {lam: fmean(by_lambda[lam]) for lam in sorted(by_lambda)}


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
