"""What the training of a single run prints: a line for each epoch, the table of metrics, what is left of a run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING

from cifar_linear.errors import CifarLinearError, not_enough_memory
from cifar_linear.wording import counted, percent

if TYPE_CHECKING:
    from cifar_linear.cli.progress import Progress
    from cifar_linear.config.models import Config
    from cifar_linear.data.dataset import SplitName
    from cifar_linear.runs.folder import RunFolder
    from cifar_linear.runs.record import Record, SplitMetrics
    from cifar_linear.training.evaluation import Evaluation


class EpochLines:
    """Shows each evaluation: on the bar, or where there is none as a line for each epoch.

    A run that is counted in steps has a line for each evaluation.
    """

    def __init__(self, progress: Progress, quiet: bool, config: Config) -> None:
        self._progress, self._quiet, self._config = progress, quiet, config
        self._printed = set[int]()

    def __call__(self, evaluation: Evaluation) -> None:
        """Show one evaluation; the first of an epoch, where lines are printed."""
        cost, accuracy = evaluation.train.cost[0], evaluation.validation.accuracy[0]
        text = f"training cost {cost:.4f}, validation accuracy {percent(accuracy)}"
        unit, length = self._config.unit, self._config.length
        done = evaluation.reached(unit)
        if not self._progress.show(done, text) and not self._quiet and done not in self._printed:
            self._printed.add(done)
            self._progress.say(f"{unit} {done:3d}/{length}: {text}")


def out_of_memory(error: MemoryError, folder: RunFolder, again: str) -> str:
    """What is left of a run that memory did not suffice for, and how to continue it."""
    trained = False
    with suppress(CifarLinearError):
        trained = folder.read_record().status == "finished"
    what = "the run is trained, but not evaluated on the test set: " if trained else ""
    return f"{folder.path}: {what}{not_enough_memory(error)}. To continue: {again}"


def summary(record: Record) -> str:
    """The table of final metrics."""
    lines = [f"{'':10}{'images':>10}{'loss':>10}{'cost':>10}{'accuracy':>11}", *_lines(record, record.metrics)]
    if record.best:
        lines += [f"best weights, after epoch {record.best.epoch}:", *_lines(record, record.best.metrics)]
    if record.data.synthetic:
        lines.append("data: synthetic, generated images; these metrics say nothing about CIFAR-10")
    if record.stopped_early and record.config.early_stopping:
        lines.append(f"stopped early: {record.config.early_stopping.patience} evaluations without a new minimum")
    return "\n".join(
        [*lines, f"{record.status} after {counted(record.done, record.config.unit)} in {record.seconds:.1f} s"]
    )


def _lines(record: Record, metrics: Mapping[SplitName, SplitMetrics]) -> Iterator[str]:
    for split, values in metrics.items():
        row = f"{_nats(values.loss):>9} {_nats(values.cost):>9} {percent(values.accuracy):>10}"
        yield f"{split:10} {_images(record, split):9d} {row}"


def _images(record: Record, split: SplitName) -> int:
    """How many images the metrics of a split are of."""
    evaluate, count = record.config.evaluate, record.data.images[split]
    return min(count, evaluate.train_images or count) if split == "train" and evaluate else count


def _nats(value: float) -> str:
    return f"{value:.4f}" if value < 1e4 else f"{value:.2e}"
