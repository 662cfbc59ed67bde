"""Whether a run standardised its pixels with the numbers of its own training images, and else with which."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from cifar_linear.arrays import Doubles, Images
from cifar_linear.course.handins.flags import Flag
from cifar_linear.course.handins.reading import HandedRun
from cifar_linear.data.dataset import Dataset
from cifar_linear.experiments.loading import make_standardization
from cifar_linear.nn.standardization import Standardization

_SAME = 1e-9


def preprocessing_flags(run: HandedRun, dataset: Dataset) -> Iterator[Flag]:
    """Yield for each model whose mean or standard deviation is not that of the training images, what these are."""
    wanted = make_standardization(run.config, dataset.train)
    for weights, model in run.models.items():
        parts = {"mean": (model.mean, wanted.mean), "standard deviation": (model.std, wanted.std)}
        for name, (found, expected) in parts.items():
            if not _same(found, expected):
                known = (words for words, other in _signatures(dataset, name) if _same(found, other))
                what = next(known, None) or _largest(found, expected)
                yield Flag("preprocessing", f"{weights} weights: the {name} is {what}")


def _signatures(dataset: Dataset, part: str) -> Iterator[tuple[str, Doubles]]:
    """Yield what else students take for the mean or the standard deviation, in words."""
    d = dataset.train.images.shape[1]
    yield ("0: pixels are not centred", np.zeros(d)) if part == "mean" else ("1: pixels are from 0 to 1", np.ones(d))
    yield "1/2, as for pixels from -1 to 1", np.full(d, 0.5)
    yield "1/255: pixels are from 0 to 255", np.full(d, 1 / 255)
    for words, images in _sets(dataset):
        own = Standardization.of(images)
        values = own.mean if part == "mean" else own.std
        yield f"that of {words}", values
        yield f"that of {words} in pixels from 0 to 255", 255 * values
        yield f"one number for {words}", np.full(d, (images.mean() if part == "mean" else images.std()) / 255)
        if part != "mean":
            n = len(images)
            yield f"that of {words} with n in the place of n - 1", values * np.sqrt((n - 1) / n)


def _sets(dataset: Dataset) -> Iterator[tuple[str, Images]]:
    images = {name: split.images for name, split in dataset.splits.items()}
    yield from ((f"the {name} images", part) for name, part in images.items())
    yield "training and validation images", np.concatenate([images["train"], images["validation"]])
    yield "all images, with those of the test set", np.concatenate(list(images.values()))


def _same(found: Doubles, expected: Doubles) -> bool:
    return bool(np.allclose(found, expected, rtol=_SAME, atol=_SAME))


def _largest(found: Doubles, expected: Doubles) -> str:
    place = int(np.abs(found - expected).argmax())
    return f"of no known kind: in dimension {place} {found[place]:.6g}, expected {expected[place]:.6g}"
