"""What an experienced eye would say of a run, each sentence from a number that supports it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import sqrt

import numpy as np

from cifar_linear.arrays import Floats
from cifar_linear.config.models import Config
from cifar_linear.data.dataset import Dataset, Split
from cifar_linear.errors import CheckError, RunError
from cifar_linear.experiments.assembly import make_model, make_objective
from cifar_linear.experiments.classifier import Classifier
from cifar_linear.experiments.loading import make_standardization
from cifar_linear.nn.curvature import largest_curvature
from cifar_linear.nn.metrics import true_class_probability
from cifar_linear.nn.objective import Objective
from cifar_linear.nn.parameters import stacked
from cifar_linear.randomness import Purpose, rng_for
from cifar_linear.runs.folder import RunFolder
from cifar_linear.runs.provenance import other_images

_IMAGES = 1000
"""The largest number of training images used to estimate the curvature."""
SURE = 0.99
_Z = 1.96
_MANY_WRONG, _MUCH_PENALTY, _CLEAR_GAP, _STILL_FALLING, _SLOW = 0.1, 0.5, 0.05, 0.005, 10


@dataclass(frozen=True)
class Facts:
    """The numbers of a diagnosis; None for what is not known before a run, or of a run without weights.

    Attributes:
        eta: the learning rate that is used, or that a schedule starts from.
        shrinking: eta * lambda; above 1 the penalty alone makes weights grow.
        curvature_at_start: the largest curvature of the cost at the first weights.
        curvature_at_end: the same at the last ones.
        diverged_at: the step at which the run diverged, if it did.
        sure: the fraction of the validation images that get a probability above 0.99, and the fraction of these that is
            wrong.
        penalty_share: the part of the training cost that is the penalty.
        training, validation: accuracies with the number of images.
        late_fall: by which part the training cost fell in the last tenth of the epochs.
    """

    eta: float
    shrinking: float
    curvature_at_start: float
    curvature_at_end: float | None = None
    diverged_at: int | None = None
    sure: tuple[float, float] | None = None
    penalty_share: float | None = None
    training: tuple[float, int] | None = None
    validation: tuple[float, int] | None = None
    late_fall: float | None = None


def facts_before(config: Config, dataset: Dataset) -> Facts:
    """What is known of a config before it is trained."""
    seen = make_standardization(config, dataset.train)
    model = make_model(config, len(dataset.class_names), dataset.image_shape, seen)
    first = model.initial(rng_for(config.seed, Purpose.WEIGHTS))
    curvature = _curvature(make_objective([config], model), dataset.train, stacked([first]), config)
    return Facts(config.eta, config.eta * config.lam, curvature)


def facts_after(folder: RunFolder, dataset: Dataset) -> Facts:
    """What is known of a run that has ended. Raises `RunError` for one under way, `CheckError` for other images."""
    record = folder.read_record()
    if folder.is_at_work():
        raise RunError(f"{folder.path}: still under way; diagnose it when it has ended")
    if other := other_images(record.data, dataset):
        raise CheckError(f"{folder.path}: was trained with other {' and '.join(other)} images than these")
    before, config = facts_before(record.config, dataset), record.config
    if record.status == "diverged":
        return Facts(before.eta, before.shrinking, before.curvature_at_start, diverged_at=record.step)
    classifier, train = Classifier.of(folder), record.metrics["train"]
    rows = folder.read_metrics()
    parameters = {name: array.astype(np.float64) for name, array in classifier.parameters.items()}
    return Facts(
        before.eta,
        before.shrinking,
        before.curvature_at_start,
        _curvature(classifier.objective, dataset.train, parameters, config),
        None,
        _sure(classifier, dataset.validation),
        (train.cost - train.loss) / train.cost if train.cost else None,
        (train.accuracy, len(dataset.train)),
        (record.metrics["validation"].accuracy, len(dataset.validation)),
        _late_fall(rows),
    )


def sentences(facts: Facts) -> Iterator[str]:
    """Yield what the numbers say; nothing where they say nothing."""
    yield from _of_the_rate(facts)
    if facts.sure and facts.sure[0] * facts.sure[1] > _MANY_WRONG:
        sure, wrong = facts.sure
        yield (
            f"saturation: {100 * sure:.0f} % of the validation images get a probability above {SURE}, and "
            f"{100 * wrong:.0f} % of these are wrong: the scores are too large"
        )
    if facts.penalty_share is not None and facts.penalty_share > _MUCH_PENALTY:
        yield f"penalty: it is {100 * facts.penalty_share:.0f} % of the training cost; a smaller lambda would fit more"
    if facts.training and facts.validation:
        yield from _of_the_gap(*facts.training, *facts.validation)
    if facts.late_fall is not None and facts.late_fall > _STILL_FALLING and not _too_large(facts):
        yield (
            f"unfinished: the training cost still fell by {100 * facts.late_fall:.1f} % in the last tenth of the "
            "epochs; more of them would go on"
        )


def stable_rate(curvature: float) -> float:
    """The largest rate with which gradient descent does not move away from a minimum: 2 / curvature."""
    return 2 / curvature if curvature > 0 else float("inf")


def _too_large(facts: Facts) -> bool:
    return facts.eta > stable_rate(max(facts.curvature_at_start, facts.curvature_at_end or 0))


def _of_the_rate(facts: Facts) -> Iterator[str]:
    start = stable_rate(facts.curvature_at_start)
    if facts.diverged_at is not None:
        why = (
            f"eta * lambda is {facts.shrinking:.3g}, and above 1 the penalty alone makes W grow"
            if facts.shrinking > 1
            else f"eta {facts.eta:g} is {_times(facts.eta / start)} the largest stable rate at the start, {start:.2g}"
            if facts.eta > start
            else None
        )
        yield f"diverged at step {facts.diverged_at}" + (f": {why}" if why else "")
    elif facts.eta > start:
        yield (
            f"rate: eta {facts.eta:g} is {_times(facts.eta / start)} the largest stable rate at the start, {start:.2g} "
            f"(2 / curvature, {facts.curvature_at_start:.3g}): every step overshoots, so that the cost jumps"
        )
    elif facts.shrinking > 1:
        yield f"rate: eta * lambda is {facts.shrinking:.3g}; above 1 the penalty alone makes W grow"
    if facts.curvature_at_end is not None and facts.eta > (end := stable_rate(facts.curvature_at_end)):
        yield f"rate: at the end eta is {_times(facts.eta / end)} the largest stable rate, {end:.2g}: nothing settles"
    stable = stable_rate(max(facts.curvature_at_start, facts.curvature_at_end or 0))
    if facts.eta * _SLOW < stable < float("inf") and facts.diverged_at is None and facts.shrinking <= 1:
        yield f"rate: eta {facts.eta:g} is stable; up to {stable:.2g}, {_times(stable / facts.eta)} as much, would be"


def _of_the_gap(training: float, of_training: int, validation: float, of_validation: int) -> Iterator[str]:
    gap = training - validation
    half = _Z * sqrt(training * (1 - training) / of_training + validation * (1 - validation) / of_validation)
    if gap - half > _CLEAR_GAP:
        yield (
            f"over-fitting: training accuracy is {100 * gap:.1f} ± {100 * half:.1f} points above validation accuracy; "
            "more images, augmentation or a larger lambda would narrow that"
        )


def _times(factor: float) -> str:
    return f"{factor:.2g} times" if factor < 100 else f"{factor:.0f} times"


def _curvature(objective: Objective, train: Split, parameters: Mapping[str, Floats], config: Config) -> float:
    pixels, labels = train.images[:_IMAGES].astype(np.float64), train.labels[:_IMAGES]
    rng = rng_for(config.seed, Purpose.GRADIENT_CHECK)
    point = {name: array.astype(np.float64) for name, array in parameters.items()}

    def gradient(at: Mapping[str, Floats]) -> Mapping[str, Floats]:
        (found,) = objective.gradients(pixels, labels, at)
        return {name: array[None].copy() for name, array in found.items()}

    return largest_curvature(gradient, point, rng)


def _sure(classifier: Classifier, split: Split) -> tuple[float, float]:
    probabilities, predicted = classifier.predict(split.images)
    sure = true_class_probability(probabilities, predicted) > SURE
    wrong = float((predicted != split.labels)[sure].mean()) if sure.any() else 0.0
    return float(sure.mean()), wrong


def _late_fall(rows: list[dict[str, float]]) -> float | None:
    """By which part of itself the training cost fell in the last tenth of the evaluations; None of fewer than ten."""
    if len(rows) <= 10:
        return None
    before, last = rows[-1 - len(rows) // 10]["train_cost"], rows[-1]["train_cost"]
    return (before - last) / before if before > 0 else None
