"""Times scikit-learn's classifiers and `LinearSGDClassifier` until both are near the minimum of the same objective.

Called with a program, a data set and a budget, it fits once in this process and prints seconds, cost and accuracy.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import numpy as np

from cifar_linear.data.dataset import join_batches
from cifar_linear.data.sources import SOURCES

LAM = 1e-3
GAP = 0.01
"""How far above the minimum the cost may be, as a part of it."""
DATASETS = ("mnist", "cifar10")
PAIRS = {"softmax": ("ours, softmax", "lbfgs"), "sigmoid_bce": ("ours, sigmoid_bce", "sgd")}
"""Of each loss, our program and scikit-learn's."""
EXACT = {"softmax": "lbfgs", "sigmoid_bce": "one lbfgs a class"}
"""The programs whose long runs are taken for the minimum."""
_LONG = 2000
_MOST = 1024


class Fit(NamedTuple):
    """Of one fit: seconds, the cost that it reached, and its accuracy on the test images."""

    seconds: float
    cost: float
    accuracy: float


def compared(repeat: int) -> dict[str, Any]:
    """By data set and loss, the minimum and for each program its budget and its fits; programs take turns."""
    found: dict[str, Any] = {}
    for dataset in DATASETS:
        for loss, programs in PAIRS.items():
            minimum = fitted(EXACT[loss], dataset, _LONG).cost
            budgets = {program: _least_budget(program, dataset, minimum) for program in programs}
            fits: dict[str, list[Fit]] = {program: [] for program in programs}
            for _ in range(repeat):
                for program, budget in budgets.items():
                    fits[program].append(fitted(program, dataset, budget or _MOST))
            found[f"{dataset}, {loss}"] = {"minimum": minimum, "budgets": budgets, "fits": fits}
            print(
                dataset, loss, {program: median(fit.seconds for fit in fits[program]) for program in fits}, flush=True
            )
    return found


def _least_budget(program: str, dataset: str, minimum: float) -> int | None:
    return least_budget(lambda budget: fitted(program, dataset, budget).cost, minimum * (1 + GAP))


def least_budget(cost: Callable[[int], float], wanted: float, most: int = _MOST) -> int | None:
    """The first of 1, 2, 3, 4, 6, 8, 12, ... with at most the ``wanted`` cost; None if none below ``most`` has it."""
    budgets = sorted({1, 2} | {step * 2**power for power in range(most.bit_length()) for step in (2, 3)})
    return next((budget for budget in budgets if budget <= most and cost(budget) <= wanted), None)


def fitted(program: str, dataset: str, budget: int) -> Fit:
    """Fit in a process of its own, which owes nothing to those before."""
    command = [sys.executable, __file__, program, dataset, str(budget)]
    said = subprocess.run(command, capture_output=True, check=True, text=True)  # noqa: S603  # our own words
    return Fit(*json.loads(said.stdout))


def table(found: dict[str, Any]) -> Sequence[str]:
    """The lines of the page."""
    lines = ["| data, loss | program | epochs or iterations | seconds | test accuracy | ratio |"]
    lines.append("| --- | --- | ---: | ---: | ---: | ---: |")
    for name, measured in found.items():
        seconds = {program: median(fit[0] for fit in fits) for program, fits in measured["fits"].items()}
        ours = next(iter(seconds))
        for program, fits in measured["fits"].items():
            budget = measured["budgets"][program] or "not reached"
            ratio = "" if program == ours else f"{seconds[ours] / seconds[program]:.2f}"
            lines.append(
                f"| {name} | {program} | {budget} | {seconds[program]:.2f} | {100 * fits[0][2]:.2f} % | {ratio} |"
            )
    return lines


def _model(program: str, budget: int, images: int) -> Any:
    from sklearn.linear_model import LogisticRegression, SGDClassifier  # noqa: PLC0415  # only in the process that fits
    from sklearn.multiclass import OneVsRestClassifier  # noqa: PLC0415  # likewise

    from cifar_linear import LinearSGDClassifier  # noqa: PLC0415  # likewise

    C = 1 / (2 * LAM * images)
    match program:
        case "ours, softmax":
            return LinearSGDClassifier("softmax", lam=LAM, epochs=budget, random_state=0)
        case "ours, sigmoid_bce":
            return LinearSGDClassifier("sigmoid_bce", lam=LAM, epochs=budget, random_state=0)
        case "lbfgs":
            return LogisticRegression(C=C, max_iter=budget, tol=1e-10)
        case "one lbfgs a class":
            # Our loss is the mean over the ten classes, so each has a tenth of it.
            return OneVsRestClassifier(LogisticRegression(C=C / 10, max_iter=budget, tol=1e-10))
        case "sgd":
            return SGDClassifier(
                "log_loss", alpha=20 * LAM, average=True, max_iter=budget, tol=None, random_state=0, n_jobs=2
            )
    raise ValueError(program)


def _data(dataset: str) -> tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """Training and test images, standardised as one number for all, with their labels."""
    folder = Path(os.environ["CIFAR_LINEAR_DATA"])
    source = SOURCES[dataset](folder)
    names = {"mnist": (["train"], ["t10k"]), "cifar10": (["data_batch_1"], ["test_batch"])}[dataset]
    splits = [join_batches(source, parts) for parts in names]
    mean, std = splits[0].images.mean(), splits[0].images.std()
    training, test = (((split.images - mean) / std).astype(np.float32) for split in splits)
    return (training, splits[0].labels), (test, splits[1].labels)


def cost(model: Any, images: np.ndarray, labels: np.ndarray, loss: str) -> float:
    """The objective of cifar-linear, from what any fitted model shows."""
    scores, weights = model.decision_function(images).astype(np.float64), getattr(model, "coef_", None)
    if weights is None:
        weights = np.concatenate([each.coef_ for each in model.estimators_])
    own = scores[np.arange(len(labels)), labels]
    if loss == "softmax":
        losses = np.logaddexp.reduce(scores, axis=1) - own
    else:
        losses = (np.logaddexp(0, scores).sum(axis=1) - own) / scores.shape[1]
    return float(losses.mean() + LAM * np.square(weights, dtype=np.float64).sum())


def main() -> None:
    """Fit once."""
    warnings.simplefilter("ignore")  # a small budget is not enough to converge, which is what is measured
    program, dataset, budget = sys.argv[1:]
    (images, labels), (test, test_labels) = _data(dataset)
    model = _model(program, int(budget), len(images))
    started = time.perf_counter()
    model.fit(images, labels)
    seconds = time.perf_counter() - started
    loss = "softmax" if program in ("lbfgs", "ours, softmax") else "sigmoid_bce"
    print(json.dumps(Fit(seconds, cost(model, images, labels, loss), float(model.score(test, test_labels)))))


if __name__ == "__main__":
    main()
