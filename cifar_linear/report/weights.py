"""The figures of the weights of linear classifiers, as images."""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial

import numpy as np

from cifar_linear.config.figure_names import FigureName
from cifar_linear.figures.images import template_figure
from cifar_linear.report.captions import Drawing, extremes
from cifar_linear.report.collecting import Run
from cifar_linear.report.settings import by_data

_PATTERNS = "Each template is drawn from its own smallest weight to its own largest: compare patterns, not brightness."
_STRENGTHS = "All templates of a run share a scale, so that strong classes stand out. Largest absolute weight: "


def templates(runs: Mapping[str, Run]) -> Iterator[Drawing]:
    """Yield the weights as images, on two scales; runs on another kind of images have figures of their own."""
    kinds = by_data({label: run for label, run in runs.items() if run.model.is_linear and run.model.is_of_images})
    for number, (dataset, kind) in enumerate(kinds.items(), start=1):
        model = next(iter(kind.values())).model
        suffix = f" ({dataset})" if len(kinds) > 1 else ""
        weights = {label: run.model.W for label, run in kind.items()}
        names = model.class_names if len(model.W) > 1 else (" against ".join(model.class_names),)
        scales: Sequence[tuple[FigureName, str, str, bool]] = (
            ("templates", "Class templates: their patterns", _PATTERNS, False),
            ("templates-common-scale", "Class templates: how strong they are", _strongest(kind, names), True),
        )
        for name, title, caption, common in scales:
            alt = f"The weights of {', '.join(model.class_names)} as images, a row for each run: {', '.join(kind)}."
            figure = partial(template_figure, weights, names, model.image_shape, common)
            yield Drawing(name, title + suffix, alt, caption, figure, number if suffix else None)


def _strongest(runs: Mapping[str, Run], names: tuple[str, ...]) -> str:
    peaks = {label: float(np.abs(run.model.W).max()) for label, run in runs.items()}
    said = _STRENGTHS + extremes(peaks, "{:.3g}".format, "smallest", "largest")
    top = max(peaks, key=peaks.__getitem__)
    k = int(np.linalg.norm(runs[top].model.W, axis=1).argmax())
    whose = f" of {top}" if len(runs) > 1 else ""
    return f"{said} The strongest template{whose} is that of {names[k]}." if len(names) > 1 else said
