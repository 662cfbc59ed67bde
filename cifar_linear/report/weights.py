"""The figures of the weights of linear classifiers, as images."""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial

import numpy as np

from cifar_linear.arrays import Doubles
from cifar_linear.config.questions import FigureName
from cifar_linear.figures.images import as_pictures, template_figure
from cifar_linear.report.captions import Drawing, extremes
from cifar_linear.report.collecting import Run
from cifar_linear.report.settings import by_data
from cifar_linear.runs.artifacts import StoredModel


def templates(runs: Mapping[str, Run]) -> Iterator[Drawing]:
    """Yield the weights as images, on two scales; runs on another kind of images have figures of their own."""
    kinds = by_data({label: run for label, run in runs.items() if run.model.is_linear and run.model.is_of_images})
    for number, (dataset, kind) in enumerate(kinds.items(), start=1):
        model = next(iter(kind.values())).model
        suffix = f" ({dataset})" if len(kinds) > 1 else ""
        weights = {label: run.model.W for label, run in kind.items()}
        names = model.class_names if len(model.W) > 1 else (" against ".join(model.class_names),)
        scales: Sequence[tuple[FigureName, str, str, bool]] = (
            ("templates", "Class templates, each on its own scale", _smoothness(kind), False),
            ("templates-common-scale", "Class templates, each run on one scale", _strongest(kind, names), True),
        )
        for name, title, caption, common in scales:
            alt = f"The weights of {', '.join(model.class_names)} as images, a row for each run: {', '.join(kind)}."
            figure = partial(template_figure, weights, names, model.image_shape, common)
            yield Drawing(name, title + suffix, alt, caption, figure, number if suffix else None)


def _smoothness(runs: Mapping[str, Run]) -> str:
    correlations = {label: neighbour_correlation(run.model) for label, run in runs.items()}
    return "Correlation of the weights of neighbouring pixels: " + extremes(
        correlations, "{:.2f}".format, "noisiest", "smoothest"
    )


def _strongest(runs: Mapping[str, Run], names: tuple[str, ...]) -> str:
    peaks = {label: float(np.abs(run.model.W).max()) for label, run in runs.items()}
    said = "Largest weight, without sign: " + extremes(peaks, "{:.3g}".format, "smallest", "largest")
    top = max(peaks, key=peaks.__getitem__)
    k = int(np.linalg.norm(runs[top].model.W, axis=1).argmax())
    return f"{said} The strongest template there is that of {names[k]}." if len(names) > 1 else said


def neighbour_correlation(model: StoredModel) -> float:
    """Return how much the weights of pixels that touch are alike, on average over classes and channels; 0 for noise."""
    pictures = as_pictures(model.W, model.image_shape)
    centred = pictures - pictures.mean(axis=(1, 2), keepdims=True)
    return float(
        np.mean([_correlation(centred[:, 1:], centred[:, :-1]), _correlation(centred[:, :, 1:], centred[:, :, :-1])])
    )


def _correlation(first: Doubles, second: Doubles) -> float:
    scale = np.sqrt((first**2).sum() * (second**2).sum())
    return float((first * second).sum() / scale) if scale else 0.0
