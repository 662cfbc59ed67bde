"""How far a finished run has ended above the lowest cost that its config allows."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from decimal import ROUND_CEILING, ROUND_FLOOR, Context, Decimal
from pathlib import Path

import numpy as np

from cifar_linear.data.batches import pixel_chunks
from cifar_linear.data.dataset import Dataset
from cifar_linear.errors import CheckError, ConfigError, RunError
from cifar_linear.experiments.classifier import Classifier
from cifar_linear.experiments.preconditions import refuse_edited, refuse_other_images, refuse_running
from cifar_linear.nn.certificate import Bracket, Problem
from cifar_linear.nn.linear import Linear
from cifar_linear.nn.parameters import of_run
from cifar_linear.runs.artifacts import StoredModel
from cifar_linear.runs.folder import RunFolder
from cifar_linear.runs.record import Certificate, Record
from cifar_linear.wording import percent

MOST_EVALUATIONS = 1000
_WHY_NOT = {
    "running": "its process is gone; train --resume continues it",
    "diverged": "its last finite weights are not a result; train it with a smaller eta",
    "failed": "it has no result",
}


def certifiable(folder: RunFolder, record: Record) -> Classifier:
    """The weights that a run is judged by, if there can be a certificate of them.

    Args:
        folder: of the run.
        record: what it has recorded.

    Raises `RunError` for a run that has not ended or has no result, `ConfigError` for one whose config was edited, or
    whose cost has no optimum that can be bounded, with the reason.
    """
    refuse_running(folder, "certify")
    if record.status in _WHY_NOT:
        raise RunError(f"{folder.path}: {folder.status(record)}: {_WHY_NOT[record.status]}")
    refuse_edited(folder, record)
    classifier = Classifier.judged(folder, record)
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
    record = folder.read_record()
    classifier = certifiable(folder, record)
    refuse_other_images(folder, record, dataset)
    with folder.locked():
        problem = problem_of(classifier, dataset)
        bracket = _narrow(folder.path, problem, tolerance, most, watch)
        certificate, optimum = _compared(folder, record, classifier, problem, bracket, dataset, tolerance, with_test)
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
    record: Record,
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
    standardization = problem.model.standardization
    best = {"W": bracket.best.W, "b": bracket.best.b}
    if cost < bracket.upper:
        best, bracket = ours, bracket._replace(upper=cost)
    optimum = StoredModel(
        best,
        standardization.mean,
        standardization.std,
        classifier.class_names,
        classifier.image_shape,
        standardization.unit,
    )
    splits = {name: split for name, split in dataset.splits.items() if with_test or name != "test"}
    at_optimum = Classifier.made(folder, optimum)
    certificate = Certificate(
        lower=max(bracket.lower, point.lower - point.rounding[1]),
        upper=bracket.upper,
        cost=cost,
        cost_with_best_bias=min(cost, point.value),
        weights=record.weights,
        tolerance=tolerance,
        evaluations=bracket.evaluations + 1,
        run={name: classifier.evaluate(split) for name, split in splits.items()},
        optimum={name: at_optimum.evaluate(split) for name, split in splits.items()},
    )
    return certificate, optimum


def part_done(gap: float, tolerance: float) -> int:
    """How much of the way from bounds that say nothing has been gone, in percent.

    Args:
        gap: how far apart the bounds are, as a part of the cost.
        tolerance: how far apart they may be in the end.
    """
    return int(100 * min(1.0, max(0.0, math.log(min(gap, 1.0)) / math.log(tolerance)))) if gap > 0 else 100


def sentences(certificate: Certificate) -> Iterator[str]:
    """Yield what a certificate says. Bounds are rounded outwards, so that the digits are true."""
    digits = 2 - math.floor(math.log10(certificate.tolerance))
    lower, upper = (
        Context(prec=digits, rounding=rounding).create_decimal(Decimal(bound))
        for bound, rounding in ((certificate.lower, ROUND_FLOOR), (certificate.upper, ROUND_CEILING))
    )
    yield f"The optimum lies between {lower} and {upper}: proved."
    cost = f"{certificate.cost:.{digits}g}"
    if certificate.cost - certificate.lower <= certificate.tolerance * certificate.cost:
        yield f"This run's cost is {cost}: the optimum, to within the tolerance."
    else:
        distance = certificate.cost - certificate.upper
        yield f"This run's cost is {cost}: {distance:.3g} above, or {_percent(certificate.above)}."
        if certificate.bias_alone > certificate.tolerance * certificate.cost:
            yield f"Of that, {certificate.bias_alone:.2g} is the bias alone."
    for split in ("validation", "test"):
        if split in certificate.optimum:
            there, here = certificate.optimum[split].accuracy, certificate.run[split].accuracy
            yield f"{split.capitalize()} accuracy at the optimum: {percent(there)} (run: {percent(here)})."


def _percent(part: float) -> str:
    """A part of the optimum with two digits.

    >>> _percent(0.0430), _percent(0.00317)
    ('4.3 %', '0.32 %')
    """
    return f"{100 * part:.2g} %" if part < 0.995 else f"{100 * part:.0f} %"
