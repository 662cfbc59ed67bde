"""Whether a run standardised its pixels with the numbers of its own training images, and else with which."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from cifar_linear.arrays import Images
from cifar_linear.course.handins.flags import Flag
from cifar_linear.course.handins.reading import HandedRun
from cifar_linear.data.dataset import Dataset
from cifar_linear.experiments.assembly import make_standardization
from cifar_linear.nn.standardization import Standardization
from cifar_linear.runs.artifacts import StoredModel

_SAME = 1e-9


def preprocessing_flags(run: HandedRun, dataset: Dataset) -> Iterator[Flag]:
    """Yield whether mean or standard deviation of a model are not those of the training images, and what they are."""
    wanted = make_standardization(run.config, dataset.train)
    for weights, model in run.models.items():
        if not _is(model, wanted):
            known = (words for words, other in _signatures(dataset, wanted) if _is(model, other))
            found = next(known, f"of no known kind; {_largest(model, wanted)}")
            yield Flag("preprocessing", f"{weights} weights: mean and standard deviation are {found}")


def _signatures(dataset: Dataset, wanted: Standardization) -> Iterator[tuple[str, Standardization]]:
    """Yield what else students standardise with, in words."""
    d, n = len(wanted.mean), len(dataset.train)
    test = [dataset.test] if dataset.test else []
    everything = np.concatenate([split.images for split in (dataset.train, dataset.validation, *test)])
    sets: dict[str, Images] = {
        "the training images": dataset.train.images,
        "the validation images": dataset.validation.images,
        **({"the test images": test[0].images} if test else {}),
        "training and validation images": everything[: n + len(dataset.validation)],
        "all images, with those of the test set": everything,
    }
    yield "0 and 1: pixels from 0 to 1 as they are", Standardization.same_for_all(d, 0, 1)
    yield "0 and 1/255: pixels from 0 to 255 as they are", Standardization.same_for_all(d, 0, 1 / 255)
    yield "1/2 and 1/2, for pixels from -1 to 1", Standardization.same_for_all(d, 0.5, 0.5)
    for words, images in sets.items():
        own = Standardization.of(images)
        yield f"those of {words}", own
        yield f"those of {words}, with n in the place of n - 1", _with_n(own, len(images))
        yield f"those of {words} in pixels from 0 to 255", Standardization(255 * own.mean, 255 * own.std)
        yield f"the mean of {words} and no standard deviation", Standardization(own.mean, np.ones(d))
        yield f"one mean of {words} and no standard deviation", own.centred(groups=1)
        yield f"one mean and one standard deviation of {words}", own.centred(groups=1, std=images.std() / 255)


def _with_n(own: Standardization, n: int) -> Standardization:
    return Standardization(own.mean, own.std * np.sqrt((n - 1) / n))


def _is(model: StoredModel, other: Standardization) -> bool:
    return bool(
        np.allclose(model.mean, other.mean, rtol=_SAME, atol=_SAME)
        and np.allclose(model.std, other.std, rtol=_SAME, atol=_SAME)
    )


def _largest(model: StoredModel, wanted: Standardization) -> str:
    for name, found, expected in (("mean", model.mean, wanted.mean), ("standard deviation", model.std, wanted.std)):
        place = int(np.abs(found - expected).argmax())
        if abs(found[place] - expected[place]) > _SAME:
            return f"the {name} of dimension {place} is {found[place]:.6g}, expected {expected[place]:.6g}"
    return "the differences are small"
