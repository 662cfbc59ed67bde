"""Curves that no training has, whatever its images: what holds between the numbers of every evaluation."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from math import log

from cifar_linear.config.models import Config, PlateauDecay
from cifar_linear.course.handins.flags import Flag
from cifar_linear.course.handins.reading import HandedRun
from cifar_linear.experiments.assembly import evaluate_after, make_schedule, updates_of
from cifar_linear.nn.schedules import cosine

_NUMERIC = 1e-5
_MOST_STEPS = 10_000_000
"""More are not counted one by one; no course asks for them."""

Row = Mapping[str, float]


def curve_flags(run: HandedRun, images: Mapping[str, int]) -> Iterator[Flag]:
    """Yield the first violation of each law, with the epoch.

    Args:
        run: the run.
        images: how many training and validation images are evaluated, and how many make a training epoch, by ``train``,
            ``validation`` and ``epoch``.
    """
    start = run.rows[0]
    if start["step"] or start["epoch"]:
        yield Flag("curves", f"the untrained start is missing: the first evaluation is after step {start['step']:.0f}")
    for law in (_whole_images, _loss_of_the_wrong, _one_penalty):
        yield from _first(law(run.config, row, images) for row in run.rows)
    yield from _first(_rates(run.config, run.rows))
    yield from _first(_points(run, images["epoch"]))


def least_loss(config: Config, accuracy: float, classes: int) -> float:
    """The lowest mean loss with this accuracy, in nats.

    An image that is misclassified has another class that is at least as probable as its own. With softmax its own
    probability is at most 1/2, which costs log 2; with K binary losses these two cost at least 2 log 2 / K.

    >>> round(least_loss(Config.model_validate({"data": {"dataset": "synthetic"}, "lambda": 0, "eta": 1, "n_batch": 1,
    ...     "epochs": 1}), accuracy=0.4, classes=10), 3)
    0.416
    """
    each = 2 * log(2) / classes if config.loss == "sigmoid_bce" else log(2)
    return (1 - accuracy) * each


def _first(problems: Iterator[str | None]) -> Iterator[Flag]:
    yield from (Flag("curves", problem) for problem in list(filter(None, problems))[:1])


def _whole_images(_config: Config, row: Row, images: Mapping[str, int]) -> str | None:
    for split in ("train", "validation"):
        correct = row[f"{split}_accuracy"] * images[split]
        if abs(correct - round(correct)) > 1e-6 * images[split] or not 0 <= correct <= images[split]:
            return (
                f"{_when(row)}: {split} accuracy {row[f'{split}_accuracy']} is {correct:.3f} of {images[split]} images"
            )
    return None


def _loss_of_the_wrong(config: Config, row: Row, _images: Mapping[str, int]) -> str | None:
    classes = config.data.class_count or 0
    for split in ("train", "validation"):
        loss, accuracy = row[f"{split}_loss"], row[f"{split}_accuracy"]
        least = least_loss(config, accuracy, classes)
        if loss < least - _NUMERIC:
            return f"{_when(row)}: {split} loss {loss:.4f}, which is at least {least:.4f} with accuracy {accuracy:.4f}"
        if accuracy == 1 and config.loss == "softmax" and loss > log(classes) + _NUMERIC:
            return f"{_when(row)}: {split} loss {loss:.4f}, which is at most {log(classes):.4f} with accuracy 1"
    return None


def _one_penalty(config: Config, row: Row, _images: Mapping[str, int]) -> str | None:
    of_training, of_validation = (row[f"{split}_cost"] - row[f"{split}_loss"] for split in ("train", "validation"))
    allowed = 1e-9 * max(abs(row["train_cost"]), abs(row["validation_cost"]), 1)
    if abs(of_training - of_validation) > allowed:
        return (
            f"{_when(row)}: the penalty is {of_training:.6g} of training and {of_validation:.6g} of validation images"
        )
    if of_training < -allowed or (config.lam == 0 and abs(of_training) > allowed):
        return f"{_when(row)}: the penalty is {of_training:.6g} with lambda {config.lam:g}"
    return None


def _rates(config: Config, rows: Sequence[Row]) -> Iterator[str | None]:
    """Yield where eta is not that of the schedule. One that follows the losses is computed from the recorded ones."""
    schedule = make_schedule(config)
    for number, row in enumerate(rows):
        if config.decay.kind == "cosine" and config.steps:
            factor = cosine(config.steps)(max(int(row["step"]), 1), ())
        else:
            past = rows[:number] if isinstance(config.decay, PlateauDecay) else []
            begun = [each["validation_loss"] for each in past if each["epoch"] < max(row["epoch"], 1)]
            factor = schedule(max(int(row["epoch"]), 1), begun)
        if abs(row["eta"] - config.eta * factor) > 1e-9 * config.eta:
            yield f"{_when(row)}: eta is {row['eta']:g}, the config's {config.eta * factor:g}"


def _points(run: HandedRun, epoch: int) -> Iterator[str | None]:
    """Yield where an evaluation is missing, or is none of the config's."""
    config = run.config
    steps = epoch // config.n_batch if config.drop_last else -(-epoch // config.n_batch)
    due, last = evaluate_after(config, steps), updates_of(config, steps)
    found = [int(row["step"]) for row in run.rows]
    if run.record.status == "finished" and config.early_stopping is None and found[-1] < last:
        yield f"it is recorded as finished after step {found[-1]}; the config has {last} steps"
    if found[-1] > last:
        yield f"an evaluation after step {found[-1]}; the config has {last} steps"
    if last > _MOST_STEPS:
        return
    found = [step for step in found if step <= last]
    expected = [0, *(step for step in range(1, found[-1] + 1) if due(step) or step == last)]
    for step, wanted in zip(found, expected, strict=False):
        if step != wanted:
            yield f"an evaluation after step {step}; the config's next is after step {wanted}"
    if len(found) < len(expected) or len(found) > len(expected) + 1:
        yield f"{len(found)} evaluations up to step {found[-1]}; the config has {len(expected)}"


def _when(row: Row) -> str:
    return f"epoch {row['epoch']:.0f}, step {row['step']:.0f}"
