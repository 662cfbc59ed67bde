"""How far a finished run has ended above the lowest cost that its config allows."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from cifar_linear.data.batches import pixel_chunks
from cifar_linear.data.dataset import Dataset
from cifar_linear.errors import CheckError, ConfigError, RunError
from cifar_linear.experiments.classifier import Classifier, refuse_edited
from cifar_linear.nn.certificate import Bracket, Problem
from cifar_linear.nn.linear import Linear
from cifar_linear.nn.parameters import of_run
from cifar_linear.runs.artifacts import StoredModel
from cifar_linear.runs.folder import RunFolder
from cifar_linear.runs.provenance import other_images
from cifar_linear.runs.record import Certificate

MOST_EVALUATIONS = 1000
_WHY_NOT = {
    "running": "its process is gone; train --resume continues it",
    "diverged": "its last finite weights are not a result; train it with a smaller eta",
    "failed": "it has no result",
}


def certifiable(folder: RunFolder) -> Classifier:
    """The weights that a run is judged by, if there can be a certificate of them.

    Raises `RunError` for a run that has not ended or has no result, `ConfigError` for one whose config was edited, or
    whose cost has no optimum that can be bounded, with the reason.
    """
    record = folder.read_record()
    if folder.is_at_work():
        raise RunError(f"{folder.path}: still under way; certify it when it has ended")
    if record.status in _WHY_NOT:
        raise RunError(f"{folder.path}: {folder.status(record)}: {_WHY_NOT[record.status]}")
    refuse_edited(folder, record)
    classifier = Classifier.of(folder, best=record.best is not None)
    if not isinstance(classifier.objective.model, Linear):
        raise ConfigError(
            f"{folder.path}: no certificate of a network: its cost is not convex in its weights, so that no point "
            "proves anything about all others"
        )
    if not record.config.lam:
        raise ConfigError(
            f"{folder.path}: no certificate with lambda 0: the lowest cost need not be reached by any weights, and "
            "stopping early is all that regularises"
        )
    return classifier


def certify(
    folder: RunFolder,
    dataset: Dataset,
    *,
    tolerance: float = 1e-4,
    most: int = MOST_EVALUATIONS,
    with_test: bool = False,
    watch: Callable[[Bracket], None] = lambda _: None,
) -> Certificate:
    """Bound the optimum of a run's problem, and write the certificate into its folder.

    Args:
        folder: of a run that has ended.
        dataset: the images that it was trained with.
        tolerance: how narrow the bracket must be, as a part of the cost.
        most: how many evaluations on all training images may be made.
        with_test: whether the optimum is evaluated on the test set as well.
        watch: is called after each evaluation, and may raise to stop.

    Raises what `certifiable` raises, and `CheckError` for other images or a bracket that stays wide; the folder is
    then as it was.
    """
    classifier, record = certifiable(folder), folder.read_record()
    if other := other_images(record.data, dataset):
        raise CheckError(f"{folder.path}: was trained with other {' and '.join(other)} images than these")
    with folder.locked():
        problem = problem_of(classifier, dataset)
        bracket = _narrow(folder.path, problem, tolerance, most, watch)
        certificate, optimum = _compared(folder, classifier, problem, bracket, dataset, tolerance, with_test)
        folder.write_certificate(certificate, optimum)
    return certificate


def problem_of(classifier: Classifier, dataset: Dataset) -> Problem:
    """What a run of a linear model minimises, on its training images as they are."""
    objective, train = classifier.objective, dataset.train
    assert isinstance(objective.model, Linear)  # noqa: S101  # `certifiable` has refused all others
    return Problem(
        objective.model, objective.loss, float(objective.lam[0]), train.labels, lambda dtype: pixel_chunks(train, dtype)
    )


def _narrow(path: Path, problem: Problem, tolerance: float, most: int, watch: Callable[[Bracket], None]) -> Bracket:
    """The first proved bracket that is narrow enough. Raises `CheckError` if there is none."""
    for bracket in problem.brackets(tolerance):
        watch(bracket)
        if bracket.proved and bracket.gap <= tolerance:
            return bracket
        if bracket.evaluations >= most:
            break
    raise CheckError(
        f"{path}: with lambda {problem.lam:g} the bounds are still {bracket.gap:.1g} of the cost apart after "
        f"{bracket.evaluations} evaluations; allow more with --evaluations or a larger --tolerance"
    )


def _compared(
    folder: RunFolder,
    classifier: Classifier,
    problem: Problem,
    bracket: Bracket,
    dataset: Dataset,
    tolerance: float,
    with_test: bool,
) -> tuple[Certificate, StoredModel]:
    """The certificate of a run, and the weights of the optimum."""
    ours = {name: array.astype(np.float64) for name, array in of_run(classifier.parameters, 0).items()}
    cost = problem.cost(ours["W"], ours["b"])
    point = problem.point(ours["W"], ours["b"])
    seen = problem.model.standardization
    best = {"W": bracket.best.W, "b": bracket.best.b}
    if cost < bracket.upper:
        best, bracket = ours, bracket._replace(upper=cost)
    optimum = StoredModel(best, seen.mean, seen.std, classifier.class_names, classifier.image_shape, seen.unit)
    splits = {name: split for name, split in dataset.splits.items() if with_test or name != "test"}
    at_optimum = Classifier.made(folder, optimum)
    certificate = Certificate(
        lower=max(bracket.lower, point.lower - point.rounding[1]),
        upper=bracket.upper,
        cost=cost,
        cost_with_best_bias=min(cost, point.value),
        weights="best" if folder.read_record().best else "last",
        tolerance=tolerance,
        evaluations=bracket.evaluations + 1,
        run={name: classifier.evaluate(split) for name, split in splits.items()},
        optimum={name: at_optimum.evaluate(split) for name, split in splits.items()},
    )
    return certificate, optimum
