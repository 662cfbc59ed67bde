"""Which figures a report has, from runs that were read; each with a title and the text of what it shows."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from matplotlib.figure import Figure

from cifar_linear.arrays import Bools, Floats
from cifar_linear.figures.curves import accuracy_figure, cost_figure, overlaid_figure
from cifar_linear.figures.images import image_figure, template_figure
from cifar_linear.figures.predictions import confusion_figure, histogram_figure
from cifar_linear.metrics import confusion, hits, true_class_probability
from cifar_linear.report.collecting import Run


class Drawing(NamedTuple):
    """A figure with its file's name, its title, and what it shows for those who do not see it."""

    name: str
    title: str
    alt: str
    figure: Figure


def draw_one(run: Run) -> Iterator[Drawing]:
    """Everything about one run; what needs test predictions only if the run has them."""
    lam, model = run.record.config.lam, run.model
    yield Drawing("cost", "Loss and cost", _spans(run, "cost"), cost_figure(run.rows, lam))
    yield Drawing("accuracy", "Accuracy", _spans(run, "accuracy"), accuracy_figure(run.rows))
    yield from _templates({run.name: run})
    if run.predictions is None:
        return
    yield _histograms({run.name: run})
    probabilities, labels, mistakes, images = run.predictions
    counts = confusion(probabilities, labels)
    alt = f"Confusion matrix of {counts.sum()} test images, {counts.trace()} on the diagonal."
    yield Drawing("confusion", "What is taken for what", alt, confusion_figure(counts, model.class_names))
    if mistakes.size:
        said = [model.class_names[k] for k in probabilities[mistakes].argmax(axis=1)]
        truly = [model.class_names[k] for k in labels[mistakes]]
        sure = probabilities[mistakes].max(axis=1)
        titles = [f"{t}\nas {s} {p:.2f}" for t, s, p in zip(truly, said, sure, strict=True)]
        alt = f"The most confident mistakes, surest first: {'; '.join(titles)}.".replace("\n", " ")
        figure = image_figure(list(images), titles, model.image_shape)
        yield Drawing("mistakes", "The most confident mistakes: class, what it was taken for, probability", alt, figure)


def draw_several(runs: Mapping[str, Run]) -> Iterator[Drawing]:
    """Several runs side by side, each by its label."""
    for quantity in ("cost", "accuracy"):
        ends = "; ".join(f"{label}: {run.rows[-1][f'validation_{quantity}']:.3f}" for label, run in runs.items())
        figure = overlaid_figure({label: run.rows for label, run in runs.items()}, quantity)
        alt = f"{quantity.capitalize()} over epochs of each run; on validation images it ends at {ends}."
        yield Drawing(quantity, quantity.capitalize(), alt, figure)
    yield from _templates(runs)
    predicted = {label: run for label, run in runs.items() if run.predictions is not None}
    if predicted:
        yield _histograms(predicted)


def _spans(run: Run, quantity: str) -> str:
    """Where the curves of a quantity begin and end."""
    first, last = run.rows[0], run.rows[-1]
    spans = [
        f"{name} from {first[f'{split}_{quantity}']:.3f} to {last[f'{split}_{quantity}']:.3f}"
        for split, name in (("train", "training"), ("validation", "validation"))
    ]
    return f"{quantity.capitalize()} over {last['epoch']:g} epochs: {', '.join(spans)}."


def _templates(runs: Mapping[str, Run]) -> Iterator[Drawing]:
    """The weights as images, on two scales; runs on another kind of images have figures of their own."""
    kinds: dict[tuple[object, ...], dict[str, Run]] = defaultdict(dict)
    for label, run in runs.items():
        kinds[run.model.class_names, run.model.image_shape][label] = run
    for kind in kinds.values():
        first = next(iter(kind.values()))
        model, dataset = first.model, first.record.config.data.dataset
        of, ending = (f" ({dataset})", f"-{dataset}") if len(kinds) > 1 else ("", "")
        weights = {label: run.model.W for label, run in kind.items()}
        for name, title, common in (
            ("templates", "Class templates, each on its own scale", False),
            ("templates-common-scale", "Class templates, each run on one scale", True),
        ):
            alt = f"The weights of {', '.join(model.class_names)} as images, a row for each run: {', '.join(kind)}."
            figure = template_figure(weights, model.class_names, model.image_shape, common)
            yield Drawing(name + ending, title + of, alt, figure)


def _histograms(runs: Mapping[str, Run]) -> Drawing:
    parts: dict[str, tuple[Floats, Bools]] = {}
    said = []
    for label, run in runs.items():
        if run.predictions is not None:
            probabilities, labels = run.predictions.probabilities, run.predictions.labels
            parts[label] = true_class_probability(probabilities, labels), hits(probabilities, labels)
            said.append(f"{label}: {parts[label][1].sum()} of {len(labels)} correct")
    alt = f"Histograms of the probability of the true class on test images. {'; '.join(said)}."
    return Drawing("probabilities", "Probability of the true class", alt, histogram_figure(parts))
