"""Keeps the folders of a group true while it trains: history, weights and status of every run."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from time import perf_counter
from typing import Any, NamedTuple

from cifar_linear.data.dataset import SplitName
from cifar_linear.history import History
from cifar_linear.records import Figures, Record, Status
from cifar_linear.runs import Model, Predictions, RunFolder
from cifar_linear.state import State
from cifar_linear.training import Evaluation

_SAVE_EVERY = 1.0
"""Seconds between two savings of a group under way: the most that a killed process loses."""

ModelOf = Callable[[State, int], Model]


class Result(NamedTuple):
    """What a finished run makes of the test images: loss, cost and accuracy, and the predictions themselves."""

    figures: Figures
    predictions: Predictions


class Recorder:
    """Is told of every evaluation point of R runs; writes weights, figures and record of one and the same point."""

    def __init__(
        self, folders: Sequence[RunFolder], state: State, model_of: ModelOf, facts: Sequence[Mapping[str, Any]]
    ) -> None:
        """``model_of`` makes run r of a state a `Model`; ``facts`` go into each run's record as they are."""
        self._folders, self._facts, self._model_of = folders, facts, model_of
        self._kept = state.copy()
        self._history = History(len(folders))
        self._created = datetime.now(UTC).isoformat(timespec="seconds")
        self._started = self._saved = perf_counter()
        self._write_records("running")

    def evaluated(self, evaluation: Evaluation, state: State) -> None:
        """Note an evaluation point with its weights; save them if the last saving is a while ago."""
        now = perf_counter()
        self._history.append({**evaluation.figures(), "seconds": now - self._started}, evaluation.alive)
        self._kept = state.copy()
        if now - self._saved > _SAVE_EVERY:
            self._save()
            self._write_records("running")

    def stopped(self, status: Status, error: str | None = None) -> None:
        """The group ended before its time, with weights and figures of its last evaluation point."""
        try:
            self._save()
        finally:
            # The smallest file last: where a full disk refuses the others, the status may still be told.
            self._write_records(status, error)

    def finished(self, results: Mapping[int, Result], diverged: Mapping[int, str]) -> list[Record]:
        """The group came to its end: each run has a result on the test images, or a reason why it diverged."""
        self._save()
        for run, result in results.items():
            self._folders[run].write_predictions(result.predictions)
        return [
            self._write_record(run, "diverged", error=diverged[run])
            if run in diverged
            else self._write_record(run, "finished", test=results[run].figures)
            for run in range(len(self._folders))
        ]

    def _write_records(self, status: Status, error: str | None = None) -> None:
        for run in range(len(self._folders)):
            self._write_record(run, status, error=error)

    def _save(self) -> None:
        for run, folder in enumerate(self._folders):
            folder.write_metrics(self._history.rows(run))
            folder.write_model(self._model_of(self._kept, run))
        self._saved = perf_counter()

    def _write_record(self, run: int, status: Status, test: Figures | None = None, error: str | None = None) -> Record:
        rows = self._history.rows(run)
        metrics: dict[SplitName, Figures] = {}
        if rows:
            metrics = {"train": _figures_of("train", rows[-1]), "validation": _figures_of("validation", rows[-1])}
        if test:
            metrics["test"] = test
        record = Record(
            status=status,
            created=self._created,
            seconds=round(perf_counter() - self._started, 3),
            epoch=rows[-1]["epoch"] if rows else None,
            step=rows[-1]["step"] if rows else None,
            metrics=metrics,
            error=error,
            **self._facts[run],
        )
        self._folders[run].write_record(record)
        return record


def _figures_of(split: str, row: Mapping[str, Any]) -> Figures:
    """A split's figures from a row of the history."""
    return Figures(**{name: row[f"{split}_{name}"] for name in Figures.model_fields})
