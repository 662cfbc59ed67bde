"""Metrics of stored weights on the course's own images, held against the recorded ones, beyond rounding."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from cifar_linear.arrays import Bools, Floats, Labels
from cifar_linear.config.models import Config
from cifar_linear.course.handins.flags import Flag
from cifar_linear.course.handins.reading import HandedRun
from cifar_linear.data.dataset import Dataset, Split, SplitName, first_images
from cifar_linear.experiments.classifier import Classifier
from cifar_linear.nn.parameters import Parameters, dtype_of
from cifar_linear.runs.record import SplitMetrics

_PROBED = 256
_OTHER_MACHINES = 10
"""How much larger the rounding of another machine may be than the difference of single and double precision here."""
_STANDARD_ERRORS = 5


class Measured(NamedTuple):
    """Metrics of a classifier on a split, and how far rounding may change them.

    Attributes:
        loss: in nats.
        cost: in nats.
        correct: number of images that are classified right.
        images: number of images.
        rounding: by which a score may differ on another machine.
        undecided: number of images whose two largest scores are closer than that.
        spread: standard error of the loss.
        predicted: classes, (n,).
        probabilities: of the classes, (n, K).
        unsure: which images are undecided, (n,).
    """

    loss: float
    cost: float
    correct: int
    images: int
    rounding: float
    undecided: int
    spread: float
    predicted: Labels
    probabilities: Floats
    unsure: Bools

    def misfit(self, recorded: Mapping[str, float]) -> str | None:
        """Return what of the recorded loss, cost and accuracy is not that of the weights; None if all of it is."""
        loss, cost, accuracy = (recorded[name] for name in SplitMetrics.model_fields)
        if abs(accuracy * self.images - self.correct) > self.undecided + 1e-6 * self.images:
            found = f"{self.correct} of {self.images} images, {self.correct / self.images:.4f}"
            return f"accuracy {accuracy:.4f} is recorded; these weights classify {found}, correctly"
        # A loss changes by no more than twice the largest change of a score.
        allowed = 2 * self.rounding + 1e-6 * abs(self.loss)
        if abs(loss - self.loss) > allowed:
            return f"loss {loss:.6g} is recorded; these weights have {self.loss:.6g}"
        if abs(cost - self.cost) > allowed + 1e-5 * abs(self.cost):
            return f"cost {cost:.6g} is recorded; these weights have {self.cost:.6g}"
        return None


@np.errstate(over="ignore", invalid="ignore")
def measure(classifier: Classifier, split: Split) -> Measured:
    """Compute the metrics of a classifier on a split, in the precision of its parameters."""
    loss, scores = classifier.objective.loss, classifier.scored(split).scores
    rounding = rounding_of(classifier, split)
    losses = loss.values(scores, split.labels)
    ordered = np.sort(loss.class_scores(scores), axis=-1)
    unsure = ordered[:, -1] - ordered[:, -2] <= 2 * rounding
    predicted = loss.predicted(scores)
    penalty = float(classifier.config.lam * classifier.objective.squares(classifier.parameters)[0])
    return Measured(
        loss=float(losses.mean()),
        cost=float(losses.mean()) + penalty,
        correct=int((predicted == split.labels).sum()),
        images=len(split),
        rounding=rounding,
        undecided=int(unsure.sum()),
        spread=float(losses.std() / np.sqrt(len(split))),
        predicted=predicted,
        probabilities=loss.probabilities(scores),
        unsure=unsure,
    )


def rounding_of(classifier: Classifier, split: Split) -> float:
    """By how much rounding may change a score on another machine.

    It is measured: ten times the largest difference between scores in single and double precision, of the first images;
    for parameters in double precision, that times the ratio of the two precisions.
    """
    dtype = dtype_of(classifier.parameters)
    probed = first_images(split, _PROBED)
    single, double = (_in(classifier, precision).scored(probed).scores for precision in (np.float32, np.float64))
    ratio = float(np.finfo(dtype).eps / np.finfo(np.float32).eps)
    return _OTHER_MACHINES * ratio * float(np.abs(single - double).max(initial=0))


def _in(classifier: Classifier, dtype: type) -> Classifier:
    parameters: Parameters = {name: array.astype(dtype) for name, array in classifier.parameters.items()}
    return replace(classifier, parameters=parameters)


def evaluated(config: Config, dataset: Dataset) -> dict[SplitName, Split]:
    """Return the splits as a run evaluates on them: perhaps on some of the training images only."""
    limit = config.evaluate.train_images if config.evaluate else None
    return {**dataset.splits, "train": first_images(dataset.train, limit)}


def metric_flags(run: HandedRun, dataset: Dataset) -> Iterator[Flag]:
    """Yield where recorded metrics or predictions are not those of the weights on these images.

    Raises:
        RunError: if the weights are not those of the config's model.
    """
    splits = evaluated(run.config, dataset)
    for weights in run.models:
        classifier = run.classifier(weights)
        measured = {name: measure(classifier, split) for name, split in splits.items()}
        best = run.record.best if weights == "best" else None
        recorded = best.metrics if best else run.record.metrics
        if run.is_whole:
            yield from _of_metrics(weights, recorded, measured)
        if weights == list(run.models)[-1]:
            yield from _of_predictions(run, splits, measured)
            yield from _of_test_loss(measured)


def _of_metrics(
    weights: str, recorded: Mapping[SplitName, SplitMetrics], measured: Mapping[SplitName, Measured]
) -> Iterator[Flag]:
    for split, metrics in recorded.items():
        if split not in measured:
            yield Flag("metrics", f"{split} metrics are recorded, but the config has no {split} images")
        elif misfit := measured[split].misfit(metrics.model_dump()):
            others = [
                name for name, other in measured.items() if name != split and not other.misfit(metrics.model_dump())
            ]
            hint = f"; it has these metrics on the {others[0]} images" if others else ""
            yield Flag("metrics", f"{split}, {weights} weights: {misfit}{hint}")


def _of_predictions(
    run: HandedRun, splits: Mapping[SplitName, Split], measured: Mapping[SplitName, Measured]
) -> Iterator[Flag]:
    stored = run.predictions
    if stored is None or "test" not in measured:
        return
    found, labels = measured["test"], splits["test"].labels
    if stored.labels.shape != labels.shape or (stored.labels != labels).any():
        yield Flag("metrics", "predictions.npz has other labels than the test images")
        return
    differing = int(((stored.predicted != found.predicted) & ~found.unsure).sum())
    if differing:
        yield Flag("metrics", f"predictions.npz has another class than these weights for {differing} test images")
        return
    largest = float(np.abs(stored.probabilities - found.probabilities).max(initial=0))
    if largest > 2 * found.rounding + 1e-5:
        yield Flag("metrics", f"a probability in predictions.npz differs by {largest:.2g} from that of these weights")


def _of_test_loss(measured: Mapping[SplitName, Measured]) -> Iterator[Flag]:
    """Yield whether test images are easier than validation images by more than chance: were they trained on?"""
    if "test" not in measured:
        return
    test, validation = measured["test"], measured["validation"]
    error = float(np.hypot(test.spread, validation.spread))
    below = validation.loss - test.loss
    if below > _STANDARD_ERRORS * error + 2 * test.rounding:
        yield Flag(
            "test",
            f"the loss on test images, {test.loss:.4f}, is {below / error:.1f} standard errors below that on "
            f"validation images, {validation.loss:.4f}; on training images it is {measured['train'].loss:.4f}",
        )
