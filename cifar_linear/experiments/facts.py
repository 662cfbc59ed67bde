"""The numbers of a diagnosis, measured on a config before its training or on a run after it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from cifar_linear.arrays import Floats, Labels
from cifar_linear.config.models import Config
from cifar_linear.data.dataset import Dataset, Split
from cifar_linear.errors import RunError
from cifar_linear.experiments.assembly import make_model, make_objective
from cifar_linear.experiments.classifier import Classifier
from cifar_linear.experiments.introspection import dead_channels
from cifar_linear.experiments.loading import make_standardization
from cifar_linear.experiments.preconditions import refuse_edited, refuse_other_images, refuse_running
from cifar_linear.nn.curvature import Gradient, largest_curvature
from cifar_linear.nn.gradient_noise import GradientNoise, gradient_noise
from cifar_linear.nn.metrics import true_class_probability
from cifar_linear.nn.network import Network
from cifar_linear.nn.objective import Objective
from cifar_linear.nn.parameters import Parameters, stacked
from cifar_linear.randomness import Purpose, rng_for
from cifar_linear.runs.folder import RunFolder
from cifar_linear.runs.record import Record, Sensitivity

_IMAGES = 1000
"""The largest number of training images used to estimate the curvature, and of validation images for dead filters."""
_BATCHES = 10
"""The largest number of batches whose gradients are compared."""
SURE = 0.99


@dataclass(frozen=True)
class Facts:
    """The numbers of a diagnosis; None for what is not known before a run, or of a run without weights.

    Attributes:
        eta: the learning rate that is used, or that a schedule starts from.
        shrinking: eta * lambda; above 1 the penalty alone makes weights grow.
        curvature_at_start: the largest curvature of the cost at the first weights.
        momentum: of the moving average of the gradients; 0 without one.
        n_batch: images in a batch.
        noise_at_start: how far the gradients of batches disagree at the first weights; None for a single batch.
        eta_at_end: the learning rate of the last update.
        curvature_at_end: the largest curvature at the last weights; of a diverged run, at its last finite ones.
        noise_at_end: the disagreement at the last weights; None if their mean is used, in which it cancels.
        diverged_at: the step at which the run diverged, if it did.
        sure: the fraction of the validation images that get a probability above 0.99, and the fraction of these that is
            wrong.
        penalty_share: the part of the training cost that is the penalty.
        training, validation: accuracies with the number of images.
        late_fall: by which part the training cost fell in the last tenth of the epochs.
        dead: for each ReLU, how many of how many channels are 0 in all of some validation images.
        sensitivity: how far the run parts from one with another last bit; None if that was not measured.
    """

    eta: float
    shrinking: float
    curvature_at_start: float
    momentum: float = 0.0
    n_batch: int = 0
    noise_at_start: GradientNoise | None = None
    eta_at_end: float | None = None
    curvature_at_end: float | None = None
    noise_at_end: GradientNoise | None = None
    diverged_at: int | None = None
    sure: tuple[float, float] | None = None
    penalty_share: float | None = None
    training: tuple[float, int] | None = None
    validation: tuple[float, int] | None = None
    late_fall: float | None = None
    dead: Mapping[str, tuple[int, int]] | None = None
    sensitivity: Sensitivity | None = None


def facts_before(config: Config, dataset: Dataset, sensitivity: Sensitivity | None = None) -> Facts:
    """What is known of a config before it is trained; ``sensitivity``, if it was measured, is one of the facts."""
    standardization = make_standardization(config, dataset.train)
    model = make_model(config, len(dataset.class_names), dataset.image_shape, standardization)
    first = stacked([model.initial(rng_for(config.seed, Purpose.WEIGHTS))])
    at = _Point(make_objective([config], model), dataset.train, first, config)
    return Facts(
        config.eta,
        config.eta * config.lam,
        at.curvature(),
        config.momentum or 0.0,
        config.n_batch,
        at.noise(),
        sensitivity=sensitivity,
    )


def facts_after(folder: RunFolder, dataset: Dataset) -> Facts:
    """What is known of a run that has ended.

    Raises `RunError` for one under way or without an evaluation, `ConfigError` for one whose config was edited,
    `CheckError` for other images.
    """
    record = _diagnosable(folder, dataset)
    rows = folder.read_metrics()
    classifier = Classifier.of(folder)
    at = _Point(classifier.objective, dataset.train, classifier.parameters, record.config)
    before = replace(facts_before(record.config, dataset, folder.read_sensitivity()), eta_at_end=rows[-1]["eta"])
    if record.status == "diverged":
        at_step = record.step if record.diverged_at is None else record.diverged_at  # earlier versions had only one
        return replace(before, diverged_at=at_step, curvature_at_end=at.curvature())
    train, validation = record.metrics["train"], record.metrics["validation"]
    return replace(
        before,
        curvature_at_end=at.curvature(),
        noise_at_end=None if record.config.averaging else at.noise(),
        sure=_sure(classifier, dataset.validation),
        penalty_share=(train.cost - train.loss) / train.cost if train.cost else None,
        training=(train.accuracy, len(dataset.train)),
        validation=(validation.accuracy, len(dataset.validation)),
        late_fall=_late_fall(rows),
        dead=_dead(classifier, dataset.validation),
    )


def _diagnosable(folder: RunFolder, dataset: Dataset) -> Record:
    """The record of a run that has ended and been evaluated. Raises what `facts_after` raises."""
    record = folder.read_record()
    refuse_running(folder, "diagnose")
    if not record.metrics:
        raise RunError(f"{folder.path}: ended before its first evaluation was saved; there is nothing to diagnose")
    refuse_edited(folder, record)
    refuse_other_images(folder, record, dataset)
    return record


class _Point:
    """An objective at some parameters, in double precision."""

    def __init__(self, objective: Objective, train: Split, parameters: Parameters, config: Config) -> None:
        self._objective, self._train, self._config = objective, train, config
        self._parameters = {name: array.astype(np.float64) for name, array in parameters.items()}

    def curvature(self) -> float:
        """The largest curvature, of the cost on the first images."""
        rng = rng_for(self._config.seed, Purpose.GRADIENT_CHECK)
        return largest_curvature(self._on(slice(_IMAGES)), self._parameters, rng)

    def noise(self) -> GradientNoise | None:
        """How far the gradients of the first batches disagree; None for fewer than two."""
        config, images = self._config, len(self._train)
        order = rng_for(config.seed, Purpose.ORDER, 1).permutation(images) if config.shuffle else np.arange(images)
        count = min(_BATCHES, images // config.n_batch)
        if count < 2:
            return None
        batches = order[: count * config.n_batch].reshape(count, -1)
        of_batches = [self._on(batch)(self._parameters) for batch in batches]
        return gradient_noise(self._of_all(), of_batches, self._on(slice(_IMAGES)), self._parameters)

    def _of_all(self) -> Mapping[str, Floats]:
        """The gradient of the cost on all training images, some at a time."""
        total = {name: np.zeros_like(array) for name, array in self._parameters.items()}
        for start in range(0, len(self._train), _IMAGES):
            part = slice(start, min(start + _IMAGES, len(self._train)))
            for name, array in self._on(part)(self._parameters).items():
                total[name] += array * ((part.stop - part.start) / len(self._train))
        return total

    def _on(self, rows: slice | Labels) -> Gradient:
        pixels, labels = self._train.images[rows].astype(np.float64), self._train.labels[rows]

        def gradient(at: Mapping[str, Floats]) -> Mapping[str, Floats]:
            (found,) = self._objective.gradients(pixels, labels, at)
            return {name: array[None].copy() for name, array in found.items()}

        return gradient


def _sure(classifier: Classifier, split: Split) -> tuple[float, float]:
    probabilities, predicted = classifier.predict(split.images)
    sure = true_class_probability(probabilities, predicted) > SURE
    wrong = float((predicted != split.labels)[sure].mean()) if sure.any() else 0.0
    return float(sure.mean()), wrong


def _dead(classifier: Classifier, validation: Split) -> dict[str, tuple[int, int]] | None:
    if not isinstance(network := classifier.objective.model, Network):
        return None
    dead = dead_channels(network, classifier.parameters, validation.part(slice(_IMAGES)))
    return {name: (int(channels.sum()), len(channels)) for name, channels in dead.items()}


def _late_fall(rows: Sequence[Mapping[str, float]]) -> float | None:
    """By which part of itself the training cost fell in the last tenth of the evaluations; None of fewer than ten."""
    if len(rows) <= 10:
        return None
    before, last = rows[-1 - len(rows) // 10]["train_cost"], rows[-1]["train_cost"]
    return (before - last) / before if before > 0 else None
