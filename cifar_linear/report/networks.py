"""The figures of what a network has learnt: filters before and after training, and what it does with test images."""

from collections.abc import Iterator, Mapping
from functools import partial

import numpy as np

from cifar_linear.arrays import Bools, Floats
from cifar_linear.figures.networks import filter_figure, map_figure, patch_figure, saliency_figure
from cifar_linear.figures.style import LONGEST_NAME, shortened
from cifar_linear.nn.introspection import agreement, first_filters
from cifar_linear.nn.network import Network
from cifar_linear.randomness import Purpose, rng_for
from cifar_linear.report.captions import Drawing
from cifar_linear.report.collecting import Run
from cifar_linear.runs.artifacts import Predictions
from cifar_linear.runs.introspection import MOST_FILTERS, Introspection

_GREY = "Zero is grey in each filter; the brightest and the darkest grey are as far from it as its largest weight."
_SALIENCY = (
    "Saliency: the brighter a pixel, the more a small change of it changes the score. "
    "Occlusion: where a covered square makes the score fall (red) or rise (blue)."
)


def filters(runs: Mapping[str, Run]) -> Iterator[Drawing]:
    """Yield for each network among the runs its first filters before and after training."""
    networks = {label: run for label, run in runs.items() if run.network is not None}
    for number, (label, run) in enumerate(networks.items(), start=1):
        suffix = f" ({label})" if len(runs) > 1 else ""
        yield from _filters(run, suffix, number if suffix else None)


def inside(run: Run) -> Iterator[Drawing]:
    """Yield the figures of a single network; without a stored introspection only its filters."""
    if run.network is None:
        return
    yield from filters({run.name: run})
    if run.inside is not None and run.predictions is not None:
        yield from _patches(run, run.network, run.inside)
        yield from _maps(run, run.network, run.inside)
        yield _saliency(run, run.inside, run.predictions)


def _filters(run: Run, suffix: str, number: int | None) -> Iterator[Drawing]:
    network = run.network
    after = first_filters(network, run.model.parameters) if network else None
    if network is None or after is None:
        return
    config = run.record.config
    # As they were drawn: a seed and a purpose are all that first weights depend on.
    before = first_filters(network, network.initial(rng_for(config.seed, Purpose.WEIGHTS)))
    moments = {"before training": before, "after training": after}
    shown = {name: weights[:MOST_FILTERS] for name, weights in moments.items() if weights is not None}
    name, dead = network.names[network.first_with_weights], _dead_filters(network, run.inside)
    dead_ones = _dead_among(dead, len(shown["after training"]))
    shares = _first(len(dead_ones), len(after))
    alt = f"{shares} filters of {name}{suffix} before and after training. {_count_of_dead(dead, run.inside)}"
    title = f"Filters of {name}{suffix}, before and after training"
    none = f"No filter of {name} is dead." if dead is not None and not dead.any() else ""
    caption = f"{_GREY} {_change(shown)} {_count_of_dead(dead, run.inside) or none}".strip()
    yield Drawing("filters", title, alt.strip(), caption, partial(filter_figure, shown, dead_ones), number)


def _change(shown: Mapping[str, Floats]) -> str:
    """Say which filter training changed most, and which least, as a part of its first length."""
    before, after = (shown[moment].reshape(len(shown[moment]), -1) for moment in ("before training", "after training"))
    change = np.linalg.norm(after - before, axis=1) / np.linalg.norm(before, axis=1)
    most, least = int(change.argmax()), int(change.argmin())
    return (
        f"Training changed filter {most + 1} most, by {change[most]:.2f} of its first length, "
        f"and filter {least + 1} least, by {change[least]:.2f}."
    )


def _patches(run: Run, network: Network, inside: Introspection) -> Iterator[Drawing]:
    filters = first_filters(network, run.model.parameters)
    if filters is None:
        return
    name, dead = network.names[network.first_with_weights], _dead_filters(network, inside)
    shown = filters[:MOST_FILTERS]
    alt = (
        f"Beside each filter of {name} the {inside.patches.shape[1]} parts of the first {inside.searched} test images "
        "with the strongest response, at most one of each image. What lies outside of an image is drawn as the mean."
    )
    dead_ones = _dead_among(dead, len(shown))
    title = f"What excites the filters of {name} most"
    caption = f"Strongest response at the left. {_count_of_dead(dead, inside)}".strip()
    yield Drawing("patches", title, alt, caption, partial(patch_figure, shown, inside.patches, dead_ones))


def _maps(run: Run, network: Network, inside: Introspection) -> Iterator[Drawing]:
    titles = _titles(run, inside)
    shapes = dict(zip(network.names, network.shapes[1:], strict=True))
    for number, (name, maps) in enumerate(inside.maps.items(), start=1):
        dead = _dead_after(network, inside, name)
        dead_ones = _dead_among(dead, maps.shape[1])
        shown, channels = maps.shape[1], shapes[name][0]
        size = " x ".join(map(str, shapes[name]))
        alt = (
            f"{_first(shown, channels)} outputs of {name} for one test image of each class, a row for each image: "
            f"{'; '.join(titles)}. {_count_of_dead(dead, inside)}"
        )
        rows = [shortened(title, 2 * LONGEST_NAME) for title in titles]
        figure = partial(map_figure, inside.images, rows, run.model.image_shape, maps.astype(np.float32), dead_ones)
        caption = f"{_first(shown, channels)} outputs, one column each. {_count_of_dead(dead, inside)}".strip()
        yield Drawing("maps", f"Feature maps after {name}, {size}", alt.strip(), caption, figure, number)


def _saliency(run: Run, inside: Introspection, predictions: Predictions) -> Drawing:
    names = run.model.class_names
    true, predicted = (
        [names[k] for k in classes[inside.indices]] for classes in (predictions.labels, predictions.predicted)
    )
    titles = [
        shortened(t, LONGEST_NAME) + (f"\nas {shortened(p, LONGEST_NAME)}" if t != p else "")
        for t, p in zip(true, predicted, strict=True)
    ]
    found = [agreement(*maps) for maps in zip(inside.saliency, inside.occlusion, strict=True)]
    known = [value for value in found if not np.isnan(value)]
    mean = f", on average {np.mean(known):.2f}" if known else ""
    alt = (
        "For one test image of each class the largest |d score / d pixel| of the channels, the score being that of the "
        "predicted class, and how much this score falls when a square is covered with the mean; and the rank "
        f"correlation of the two{mean}."
    )
    figure = partial(
        saliency_figure,
        inside.images,
        titles,
        run.model.image_shape,
        inside.saliency,
        inside.occlusion,
        found,
    )
    caption = f"{_SALIENCY} Rank correlation of the two maps: "
    caption += f"{np.mean(known):.2f} on average, {min(known):.2f} to {max(known):.2f}." if known else "not defined."
    return Drawing("saliency", "Pixels that the score of the predicted class depends on", alt, caption, figure)


def _titles(run: Run, inside: Introspection) -> list[str]:
    """The class of each image, and the predicted one where it is another."""
    if run.predictions is None:
        return []
    names, found = run.model.class_names, run.predictions
    pairs = zip(found.labels[inside.indices], found.predicted[inside.indices], strict=True)
    return [names[t] if t == p else f"{names[t]} as {names[p]}" for t, p in pairs]


def _dead_filters(network: Network, inside: Introspection | None) -> Bools | None:
    """Which filters of the first layer are dead, all of them; None if that is not known."""
    return _dead_after(network, inside, network.names[network.first_with_weights])


def _dead_after(network: Network, inside: Introspection | None, name: str) -> Bools | None:
    """Which outputs of a layer belong to channels that a ReLU leaves at 0; None where none says so.

    For a layer with weights the next ReLU counts, for others the last before them, the layer itself included; pooling
    does not change which channels are dead.
    """
    if inside is None:
        return None
    at = network.names.index(name)
    weighted = [
        bool(layer.parameter_shapes(shape)) for layer, shape in zip(network.layers, network.shapes, strict=False)
    ]
    for index in range(at + 1, len(weighted)) if weighted[at] else range(at, -1, -1):
        if weighted[index]:
            return None
        if network.names[index] in inside.dead:
            dead = inside.dead[network.names[index]]
            # Behind a flatten each place is a channel of its own.
            return dead if len(dead) == network.shapes[at + 1][0] else None
    return None


def _dead_among(dead: Bools | None, shown: int) -> Bools:
    """Which of the channels that are shown are dead; none of them where that is not known."""
    return np.zeros(shown, np.bool_) if dead is None else dead[:shown]


def _first(shown: int, total: int) -> str:
    return f"The {total}" if shown == total else f"The first {shown} of {total}"


def _count_of_dead(dead: Bools | None, inside: Introspection | None) -> str:
    """Say how many channels are dead; nothing where none is, or that is not known."""
    if dead is None or inside is None or not dead.any():
        return ""
    return f"Dead, at 0 for all of the first {inside.searched} test images: {int(dead.sum())} of {len(dead)}."
