"""The figures of what happened during training: cost, accuracy, distance to the optimum, size of the weights."""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial

from cifar_linear.figures.curves import (
    AXES,
    Rows,
    accuracy_figure,
    axis_of,
    cost_figure,
    distance_figure,
    overlaid_figure,
)
from cifar_linear.figures.style import FAR_APART, Look
from cifar_linear.report.captions import Drawing, extremes
from cifar_linear.report.charts import SPLITS, Chart, Limits, Series, of_one, over_time, thinned
from cifar_linear.report.collecting import Run
from cifar_linear.report.courses import course_of
from cifar_linear.report.settings import by_data, ordered_looks
from cifar_linear.wording import percent


def curves_of_one(run: Run, ylim: Limits) -> Iterator[Drawing]:
    """Yield the curves of one run."""
    known = run.certificate
    optimum = (known.lower, known.upper) if known else None
    lam, steps = run.record.config.lam, run.steps
    cost = partial(cost_figure, run.rows, lam, steps, ylim.get("cost"), optimum, penalty=run.shows_penalty)
    lowest = f" The lowest cost is {known.lower:.5g} to {known.upper:.5g}." if known else ""
    chart = of_one(run, "cost", _columns(run), ylim)
    yield Drawing("cost", "Loss and cost", _spans(run, "cost") + lowest, validation_loss_of(run), cost, chart=chart)
    yield from distances({run.given_name: run})
    accuracy = partial(accuracy_figure, run.rows, ylim.get("accuracy"))
    columns = {name: (f"{split}_accuracy", Look(i, 0, i)) for i, (split, name) in enumerate(SPLITS.items())}
    chart = of_one(run, "accuracy", columns, ylim)
    yield Drawing("accuracy", "Accuracy", _spans(run, "accuracy"), _highest(run), accuracy, chart=chart)


def _columns(run: Run) -> dict[str, tuple[str, Look]]:
    """Return the lines of a run's cost and loss: one for both where they are the same."""
    columns = {}
    for i, (split, name) in enumerate(SPLITS.items()):
        if split == "validation" or not run.steps:
            if run.record.config.lam:
                columns[f"{name} cost"] = f"{split}_cost", Look(i, 0, 0)
            columns[f"{name} loss"] = f"{split}_loss", Look(i, 0, 1 if run.record.config.lam else i)
    return columns


def curves_of_several(settings: Mapping[str, Sequence[Run]], ylim: Limits) -> Iterator[Drawing]:
    """Yield the curves of several settings, means over their seeds; those on other images in panels of their own."""
    runs = {label: group[0] for label, group in settings.items()}
    courses = {label: course_of(group) for label, group in settings.items()}
    seeds = any(len(group) > 1 for group in settings.values())
    means = " Means over seeds; bands reach from the lowest seed to the highest." if seeds else ""
    looks = {label: look for of in by_data(runs).values() for label, look in ordered_looks(of).items()}
    for quantity in ("cost", "accuracy"):
        panels = _panels(runs, quantity)
        ends = "; ".join(f"{label}: {_written(rows[-1], 'validation', quantity)}" for label, rows in courses.items())
        whose = "setting" if seeds else "run"
        alt = f"{quantity.capitalize()} of each {whose} during training; on validation images it ends at {ends}."
        lines = {panel: {label: courses[label] for label in shown} for panel, shown in panels.items()}
        figure = partial(overlaid_figure, lines, quantity, ylim.get(quantity), looks)
        caption = " ".join(
            (f"{panel}: " if panel else "") + _ends(shown, quantity, quantity in ylim) for panel, shown in lines.items()
        )
        logarithmic = quantity == "cost" and any(_far_apart(shown) for shown in lines.values())
        chart = over_time(lines, quantity, looks, logarithmic, ylim)
        yield Drawing(quantity, quantity.capitalize(), alt, caption + means, figure, chart=chart)


def _panels(runs: Mapping[str, Run], quantity: str) -> dict[str, dict[str, Run]]:
    """Return the runs that share axes; costs do so only if they are of one loss."""
    panels: dict[str, dict[str, Run]] = {}
    kinds = by_data(runs)
    for kind, group in kinds.items():
        losses = {run.record.config.loss for run in group.values()} if quantity == "cost" else set[str]()
        for loss in sorted(losses) if len(losses) > 1 else [None]:
            chosen = {label: run for label, run in group.items() if loss is None or run.record.config.loss == loss}
            panels[", ".join(word for word in (kind if len(kinds) > 1 else "", loss) if word)] = chosen
    return panels


def _ends(courses: Mapping[str, Rows], quantity: str, limited: bool) -> str:
    """Say which curves end lowest and highest, on what axis, and where training was restless."""
    said = []
    if quantity == "cost":
        costs = {label: rows[-1]["train_cost"] for label, rows in courses.items()}
        said.append(
            "Cost in nats, the unit of natural logarithms; at the end, on training images, "
            + extremes(costs, "{:.3f}".format, "lowest", "highest")
        )
        if not limited and (times := _far_apart(courses)):
            said.append(f"The axis is logarithmic: the highest value is {times:.0f} times the lowest.")
    else:
        ends = {label: rows[-1]["validation_accuracy"] for label, rows in courses.items()}
        said.append("At the end, on validation images, " + extremes(ends, percent, "lowest", "highest"))
        gaps = {label: rows[-1]["train_accuracy"] - rows[-1]["validation_accuracy"] for label, rows in courses.items()}
        widest = max(gaps, key=gaps.__getitem__)
        if gaps[widest] > 0:
            said.append(f"Largest gap to training images: {widest}, {100 * gaps[widest]:.2f} points.")
    return " ".join(said)


def _far_apart(courses: Mapping[str, Rows]) -> float:
    """Return how many times the lowest cost the highest is, if that asks for a logarithmic axis; else 0."""
    values = [row[f"{split}_cost"] for rows in courses.values() for row in rows for split in SPLITS]
    return max(values) / min(values) if max(values) > FAR_APART * min(values) > 0 else 0.0


def validation_loss_of(run: Run) -> str:
    """Say whether the validation loss still fell at the end."""
    low, last = run.lowest_loss, run.last
    gap = last["validation_loss"] - last["train_loss"]
    turned = last["validation_loss"] > low["validation_loss"]
    fell = (
        f"The validation loss is lowest {run.when(low)} ({low['validation_loss']:.3f}) and "
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
        f"The validation accuracy is highest {run.when(best)}, {percent(highest)}, and "
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
    looks, axis = ordered_looks(runs), axis_of(list(rows.values()))
    figure = partial(distance_figure, rows, bounds, looks)
    series = [
        Series("", label, looks[label], thinned([(row[axis], row["train_cost"] - lower) for row in rows[label]]))
        for label, (lower, _) in bounds.items()
    ]
    chart = Chart(AXES[axis], "cost minus optimum in nats", series, logarithmic=True)
    yield Drawing("optimum", "Training cost above its optimum", alt, caption, figure, chart=chart)


def _spans(run: Run, quantity: str) -> str:
    """Say where the curves of a quantity begin and end."""
    spans = [
        f"{name} from {_written(run.rows[0], split, quantity)} to {_written(run.last, split, quantity)}"
        for split, name in SPLITS.items()
    ]
    return f"{quantity.capitalize()} over {run.length}: {', '.join(spans)}."


def _written(row: Mapping[str, float], split: str, quantity: str) -> str:
    value = row[f"{split}_{quantity}"]
    return percent(value) if quantity == "accuracy" else f"{value:.3f}"
