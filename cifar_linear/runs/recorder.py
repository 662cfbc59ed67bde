"""Write the run folders of a group during training."""

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
"""Minimum number of seconds between two saves during training: a killed process loses about that much."""
_SAVE_SHARE = 20
"""The pause between two saves is at least this many times as long as a save takes."""

ModelOf = Callable[[Parameters, int], StoredModel]


class Recorder:
    """Receives every evaluation point of R runs; the files of a run always belong to the same point."""

    def __init__(
        self,
        folders: Sequence[RunFolder],
        state: State,
        history: History,
        model_of: ModelOf,
        facts: Sequence[Mapping[str, Any]],
    ) -> None:
        """Write the initial records, with the status ``running``.

        Args:
            folders: folder of each run.
            state: state of the group before training starts or is resumed.
            history: the evaluation points so far; `evaluated` appends to it.
            model_of: returns the `StoredModel` of one run, from the parameters of the group and the run's index.
            facts: additional fields of each run's record.
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
        """Add an evaluation point; save it if enough time has passed since the last save."""
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
        """Save the last evaluation point of a group that was interrupted or failed.

        Args:
            status: status of all runs.
            error: reason, for the record.
        """
        try:
            self._save()
        finally:
            # The smallest file last: the status may still fit on a full disk.
            self._write_records(status, error)

    def finished(self, diverged: Mapping[int, tuple[int, str]], updates: int) -> list[Record]:
        """Save the last evaluation point of a group that has finished, and return the records of its runs.

        Args:
            diverged: step and message for each run that diverged, by its index.
            updates: number of updates of a run without early stopping.
        """
        self._save()
        stopped = self._kept.end.stopped
        early = (stopped >= 0) & (stopped < updates)
        return [
            self._write_record(
                run, "diverged" if run in diverged else "finished", message, bool(early[run]), diverged_at
            )
            for run in range(len(self._folders))
            for diverged_at, message in [diverged.get(run, (None, None))]
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

    def _write_record(
        self, run: int, status: Status, error: str | None, early_stop: bool = False, diverged_at: int | None = None
    ) -> Record:
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
            diverged_at=diverged_at,
            **self._facts[run],
        )
        self._folders[run].write_record(record)
        return record


def _created(folder: RunFolder) -> str:
    """Return when a resumed run started."""
    return folder.read_record().created


def _best_of(rows: Sequence[Mapping[str, Any]]) -> BestEvaluation:
    """Return the evaluation whose weights the state keeps as the best: the first with the lowest validation loss."""
    best = min(rows, key=lambda row: row["validation_loss"])
    return BestEvaluation(epoch=best["epoch"], metrics=_metrics_of(best))


def _metrics_of(row: Mapping[str, Any]) -> dict[Any, SplitMetrics]:
    """Return the metrics of both splits from a row of the history."""
    return {
        split: SplitMetrics(**{name: row[f"{split}_{name}"] for name in SplitMetrics.model_fields})
        for split in ("train", "validation")
    }
