"""Keeps the folders of a group true while it trains: history, weights and status of every run."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from time import perf_counter
from typing import Any

from cifar_linear.history import History
from cifar_linear.metrics import Metrics
from cifar_linear.runs import FORMAT, Model, Predictions, RunFolder
from cifar_linear.state import State
from cifar_linear.training import Evaluation

_SAVE_EVERY = 1.0
"""Seconds between two savings of a group under way: the most that a killed process loses."""

ModelOf = Callable[[State, int], Model]


class Recorder:
    """Written to at every evaluation point of R runs; each folder always holds weights and figures that agree."""

    def __init__(
        self, folders: Sequence[RunFolder], state: State, model_of: ModelOf, facts: Sequence[Mapping[str, Any]]
    ) -> None:
        """``model_of`` makes run r of a state a `Model`; ``facts`` go into each run's record as they are."""
        self._folders, self._facts, self._model_of = folders, facts, model_of
        self._kept = state.copy()
        self._history = History(len(folders))
        self._created = datetime.now(UTC).isoformat(timespec="seconds")
        self._started = self._saved = perf_counter()
        for run in range(len(folders)):
            self._write_record(run, "running")

    def evaluated(self, evaluation: Evaluation, state: State) -> None:
        """Note an evaluation point with its weights; save them if the last saving is a while ago."""
        now = perf_counter()
        self._history.append({**evaluation.figures(), "seconds": now - self._started}, evaluation.alive)
        self._kept = state.copy()
        if now - self._saved > _SAVE_EVERY:
            self._save()

    def stopped(self, status: str, error: str | None = None) -> None:
        """The group ended before its time, with weights and figures of its last evaluation point."""
        self._save()
        for run in range(len(self._folders)):
            self._write_record(run, status, error=error)

    def finished(
        self, test: Metrics, predictions: Callable[[int], Predictions], diverged: Mapping[int, str]
    ) -> list[dict[str, Any]]:
        """The group came to its end; ``diverged`` says why some runs did not. Returns the records."""
        self._save()
        records = []
        for run in range(len(self._folders)):
            if run in diverged:
                records.append(self._write_record(run, "diverged", error=diverged[run]))
            else:
                self._folders[run].write_predictions(predictions(run))
                figures = {name: float(values[run]) for name, values in test._asdict().items()}
                records.append(self._write_record(run, "finished", test=figures))
        return records

    def _save(self) -> None:
        for run, folder in enumerate(self._folders):
            folder.write_metrics(self._history.rows(run))
            folder.write_model(self._model_of(self._kept, run))
        self._saved = perf_counter()

    def _write_record(
        self, run: int, status: str, test: dict[str, float] | None = None, error: str | None = None
    ) -> dict[str, Any]:
        rows = self._history.rows(run)
        metrics = {split: _figures_of(split, rows[-1]) for split in ("train", "validation") if rows}
        record = {
            "format": FORMAT,
            "status": status,
            "created": self._created,
            "seconds": round(perf_counter() - self._started, 3),
            "epoch": rows[-1]["epoch"] if rows else None,
            "step": rows[-1]["step"] if rows else None,
            "metrics": metrics | ({"test": test} if test else {}),
            "error": error,
            **self._facts[run],
        }
        self._folders[run].write_record(record)
        return record


def _figures_of(split: str, row: Mapping[str, Any]) -> dict[str, float]:
    """A split's figures from a row of the history."""
    return {name: row[f"{split}_{name}"] for name in Metrics._fields}
