"""Everything that a group of runs needs to go on: weights, their mean, the best of them, and which runs are active.

The first axis of every array is that of the runs, so that runs can be taken out of a group and put together again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, NamedTuple, TypeVar

import numpy as np

from cifar_linear.arrays import Bools, Doubles, Floats, Integers

_NOT_YET = -1


class Weights(NamedTuple):
    """R classifiers: W (R, K, d) and b (R, K)."""

    W: Floats
    b: Floats


class Mean(NamedTuple):
    """Sums of the weights after several updates, in double precision, and of how many, ``summed`` (R,)."""

    W: Doubles
    b: Doubles
    summed: Integers


class Best(NamedTuple):
    """The weights with each run's lowest validation ``loss`` (R,), and for how many evaluations it ``waited`` since."""

    W: Floats
    b: Floats
    loss: Doubles
    waited: Integers


class End(NamedTuple):
    """The step at which each run diverged, and at which it was stopped since it no longer got better, (R,); -1: not."""

    diverged: Integers
    stopped: Integers


_Part = TypeVar("_Part", Weights, Mean, Best, End)


@dataclass
class State:
    """R classifiers under training. ``train`` is a group of one.

    Attributes:
        weights: after the last update.
        end: which runs have come to an end, and when.
        step: updates made so far.
        mean: None without averaging.
        best: None where nobody wants them.
    """

    weights: Weights
    end: End
    step: int = 0
    mean: Mean | None = None
    best: Best | None = None

    @classmethod
    def first(cls, weights: Sequence[tuple[Floats, Floats]], dtype: str) -> State:
        """A group from the first weights (K, d) and biases (K,) of its runs, in ``dtype``."""
        W, b = zip(*weights, strict=True)
        nobody = np.full(len(weights), _NOT_YET, np.int64)
        return cls(Weights(np.stack(W).astype(dtype), np.stack(b).astype(dtype)), End(nobody, nobody.copy()))

    @property
    def finite(self) -> Bools:
        """Which runs have not diverged, (R,)."""
        finite: Bools = self.end.diverged == _NOT_YET
        return finite

    @property
    def active(self) -> Bools:
        """Which runs have neither diverged nor been stopped, (R,)."""
        active: Bools = self.finite & (self.end.stopped == _NOT_YET)
        return active

    def outcome(self) -> Weights:
        """The classifiers so far: the mean of the weights where it has begun, else the last weights; not a copy."""
        if self.mean is None or not self.mean.summed.any():
            return self.weights
        count, dtype = np.maximum(self.mean.summed, 1), self.weights.W.dtype
        mean = Weights(
            (self.mean.W / count[:, None, None]).astype(dtype),
            (self.mean.b / count[:, None]).astype(dtype),
        )
        # A run that came to its end before the mean began has none.
        _put(mean, self.mean.summed == 0, self.weights)
        return mean

    def add_to_mean(self) -> None:
        """Let the weights of the runs that learn be part of the mean."""
        if self.mean is None:
            W, b = self.weights
            self.mean = Mean(np.zeros(W.shape), np.zeros(b.shape), np.zeros(len(W), np.int64))
        # Indexing by a mask copies; a group of which all learn, nearly every one, does without.
        runs = slice(None) if self.active.all() else self.active
        self.mean.W[runs] += self.weights.W[runs]
        self.mean.b[runs] += self.weights.b[runs]
        self.mean.summed[runs] += 1

    def keep_best(self, loss: Doubles) -> Integers:
        """Take note of the validation loss (R,) of the runs that learn; returns how long each has waited, (R,)."""
        outcome = self.outcome()
        if self.best is None:
            runs = len(loss)
            self.best = Best(*_copied(outcome), np.full(runs, np.inf), np.full(runs, 0, np.int64))
        better = self.active & (loss < self.best.loss)
        self.best.waited[self.active] += 1
        _put(self.best, better, Best(*outcome, loss, np.zeros_like(self.best.waited)))
        return self.best.waited

    def mark_diverged(self, runs: Bools, kept: State) -> None:
        """Give up on ``runs`` (R,): mark them as diverged at this step and put back their weights from ``kept``."""
        self.end.diverged[runs & self.finite] = self.step
        self._put_back(runs, kept)

    def adopt(self, other: State, runs: Bools) -> None:
        """Let what ``other``, a copy of before, has come to count here too; of ``runs`` (R,) the weights as well."""
        self.end = _copied(other.end)
        self.best = _copied(other.best) if other.best else None
        self._put_back(runs, other)

    def stop(self, runs: Bools) -> None:
        """Let ``runs`` (R,) stay as they are from now on."""
        self.end.stopped[runs & self.active] = self.step

    def copy(self) -> State:
        """An independent copy."""
        return replace(self, **{name: _copied(part) for name, part in self._parts().items()})

    def take(self, run: int) -> dict[str, Any]:
        """Everything about one run: arrays by name, to be stored."""
        arrays: dict[str, Any] = {"step": np.int64(self.step)}
        for name, part in self._parts().items():
            arrays |= {f"{name}_{field}": array[run] for field, array in part._asdict().items()}
        return arrays

    @classmethod
    def restore(cls, runs: Sequence[Mapping[str, Any]]) -> State:
        """The group whose runs `take` gave, all at the same step."""

        def stacked(name: str, kind: type[_Part]) -> _Part:
            return kind(*(np.stack([run[f"{name}_{field}"] for run in runs]) for field in kind._fields))

        return cls(
            stacked("weights", Weights),
            stacked("end", End),
            int(runs[0]["step"]),
            stacked("mean", Mean) if "mean_W" in runs[0] else None,
            stacked("best", Best) if "best_W" in runs[0] else None,
        )

    def _put_back(self, runs: Bools, source: State) -> None:
        """Give ``runs`` (R,) the weights, and the mean, that they have in another state."""
        _put(self.weights, runs, source.weights)
        if self.mean is not None:
            # Where the mean had not begun yet, it has not begun for these runs either.
            not_begun: Any = map(np.zeros_like, self.mean)
            _put(self.mean, runs, source.mean or Mean(*not_begun))

    def _parts(self) -> dict[str, Any]:
        parts = {field.name: getattr(self, field.name) for field in fields(self) if field.name != "step"}
        return {name: part for name, part in parts.items() if part is not None}


def _copied(part: _Part) -> _Part:
    parts: Any = (array.copy() for array in part)
    return type(part)(*parts)


def _put(part: _Part, runs: Bools, source: _Part) -> None:
    for ours, theirs in zip(part, source, strict=True):
        ours[runs] = theirs[runs]
