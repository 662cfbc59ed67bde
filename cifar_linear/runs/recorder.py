"""Writes the run folders of a group during training."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from time import perf_counter
from typing import Any

from cifar_linear.nn.parameters import Parameters
from cifar_linear.runs.artifacts import Checkpoint, StoredModel
from cifar_linear.runs.folder import RunFolder
from cifar_linear.runs.record import BestEvaluation, Record, SplitMetrics, Status
from cifar_linear.training.evaluation import Evaluation
from cifar_linear.training.history import History
from cifar_linear.training.state import State

_SAVE_EVERY = 1.0
"""Seconds between two savings of a group under way: the most that a killed process loses..."""
_SAVE_SHARE = 20
"""... unless saving takes longer than this part of the time."""

ModelOf = Callable[[Parameters, int], StoredModel]


class Recorder:
    """Receives every evaluation point of R runs; writes weights, metrics and record of one and the same point."""

    def __init__(
        self,
        folders: Sequence[RunFolder],
        state: State,
        history: History,
        model_of: ModelOf,
        facts: Sequence[Mapping[str, Any]],
    ) -> None:
        """Write the first records, with the status running.

        Args:
            folders: one for each run.
            state: of the group, before training begins or goes on.
            history: the evaluation points so far; it grows with `evaluated`.
            model_of: makes one run of a group's parameters a `StoredModel`.
            facts: go into each run's record as they are.
        """
        self._folders, self._facts, self._model_of = folders, facts, model_of
        self._kept, self._history = state.copy(), history
        now = datetime.now(UTC).isoformat(timespec="seconds")
        self._created = [_created(folder) if history.rows(run) else now for run, folder in enumerate(folders)]
        self._saved = perf_counter()
        self._started = self._saved - history.seconds
        self._pause = _SAVE_EVERY
        self._write_records("running")

    def evaluated(self, evaluation: Evaluation) -> None:
        """Note an evaluation point with its weights; save them if the last saving is a while ago."""
        now = perf_counter()
        columns = {**evaluation.columns(), "seconds": now - self._started}
        self._history.append(columns, evaluation.step_losses, evaluation.valid)
        self._kept = evaluation.state
        if now - self._saved > self._pause:
            self._save()
            self._write_records("running")
            self._saved = perf_counter()
            self._pause = max(_SAVE_EVERY, _SAVE_SHARE * (self._saved - now))

    def stopped(self, status: Status, error: str | None = None) -> None:
        """Save the last evaluation point of a group that ended before its time."""
        try:
            self._save()
        finally:
            # The smallest file last: on a disk too full for the others, the status may still be written.
            self._write_records(status, error)

    def finished(self, diverged: Mapping[int, str], updates: int) -> list[Record]:
        """Save the end of a group.

        Args:
            diverged: why each run that diverged did so.
            updates: how many updates a run makes that is not stopped early.
        """
        self._save()
        stopped = self._kept.end.stopped
        early = (stopped >= 0) & (stopped < updates)
        return [
            self._write_record(run, "diverged" if run in diverged else "finished", diverged.get(run), bool(early[run]))
            for run in range(len(self._folders))
        ]

    def _write_records(self, status: Status, error: str | None = None) -> None:
        for run in range(len(self._folders)):
            self._write_record(run, status, error)

    def _save(self) -> None:
        outcome = self._kept.outcome()
        for run, folder in enumerate(self._folders):
            rows, steps = self._history.rows(run), self._history.steps(run)
            folder.write_checkpoint(Checkpoint(self._kept.take(run), rows, steps))
            folder.write_metrics(rows)
            if steps:
                folder.write_steps(steps)
            folder.write_model(self._model_of(outcome, run))
            if self._kept.best:
                folder.write_model(self._model_of(self._kept.best.parameters, run), best=True)

    def _write_record(self, run: int, status: Status, error: str | None, early_stop: bool = False) -> Record:
        rows = self._history.rows(run)
        record = Record(
            status=status,
            created=self._created[run],
            seconds=round(perf_counter() - self._started, 3),
            epoch=rows[-1]["epoch"] if rows else None,
            step=rows[-1]["step"] if rows else None,
            metrics=_metrics_of(rows[-1]) if rows else {},
            best=_best_of(rows) if self._kept.best and rows else None,
            error=error,
            early_stop=early_stop,
            **self._facts[run],
        )
        self._folders[run].write_record(record)
        return record


def _created(folder: RunFolder) -> str:
    """When a run that goes on was begun."""
    return folder.read_record().created


def _best_of(rows: Sequence[Mapping[str, Any]]) -> BestEvaluation:
    """The evaluation whose weights the state has kept as the best: the first with the lowest validation loss."""
    best = min(rows, key=lambda row: row["validation_loss"])
    return BestEvaluation(epoch=best["epoch"], metrics=_metrics_of(best))


def _metrics_of(row: Mapping[str, Any]) -> dict[Any, SplitMetrics]:
    """The figures of the two splits that a row of the history has."""
    return {
        split: SplitMetrics(**{name: row[f"{split}_{name}"] for name in SplitMetrics.model_fields})
        for split in ("train", "validation")
    }
