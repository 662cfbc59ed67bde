"""Everything that a group of runs needs to go on: parameters, velocity, mean, best parameters, which runs are active.

The first axis of every array is that of the runs, so that runs can be taken out of a group and put together again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, NamedTuple

import numpy as np

from cifar_linear.arrays import Bools, Doubles, Floats, Integers
from cifar_linear.nn.parameters import Parameters, copied, dtype_of, put, stacked

_NOT_YET = -1


class Mean(NamedTuple):
    """A weighted mean of the parameters after several updates, in double precision.

    Attributes:
        sums: of the parameters, each with its weight.
        weight: the sum of the weights, (R,).
        summed: how many updates are in it, (R,).
    """

    sums: dict[str, Doubles]
    weight: Doubles
    summed: Integers

    @classmethod
    def none_yet(cls, parameters: Parameters) -> Mean:
        """An empty mean of such parameters."""
        sums = {name: np.zeros(array.shape) for name, array in parameters.items()}
        runs = len(next(iter(sums.values())))
        return cls(sums, np.zeros(runs), np.zeros(runs, np.int64))


class Best(NamedTuple):
    """The parameters with each run's lowest validation ``loss`` (R,), and how many evaluations it ``waited`` since."""

    parameters: dict[str, Floats]
    loss: Doubles
    waited: Integers

    @classmethod
    def none_yet(cls, parameters: Parameters) -> Best:
        """What any evaluation improves on."""
        runs = len(next(iter(parameters.values())))
        return cls(copied(parameters), np.full(runs, np.inf), np.full(runs, 0, np.int64))


class End(NamedTuple):
    """The step at which each run diverged, and at which it was stopped since it no longer got better, (R,); -1: not."""

    diverged: Integers
    stopped: Integers


@dataclass
class State:
    """R models under training. ``train`` is a group of one.

    Attributes:
        parameters: after the last update.
        end: which runs have come to an end, and when.
        step: updates made so far.
        velocity: the moving average of the gradients; None without momentum.
        mean: of the parameters; None without averaging.
        best: None without early stopping.
    """

    parameters: dict[str, Floats]
    end: End
    step: int = 0
    velocity: dict[str, Floats] | None = None
    mean: Mean | None = None
    best: Best | None = None

    @classmethod
    def first(
        cls,
        parameters: Sequence[Parameters],
        dtype: str,
        *,
        momentum: bool = False,
        averaging: bool = False,
        keep_best: bool = False,
    ) -> State:
        """A group before its first update.

        Args:
            parameters: those that each run starts from, without a run axis.
            dtype: precision of the parameters.
            momentum: whether there is a velocity.
            averaging: whether there is a mean.
            keep_best: whether the best parameters are kept.
        """
        group = stacked(parameters, dtype)
        not_ended = np.full(len(parameters), _NOT_YET, np.int64)
        return cls(
            group,
            End(not_ended, not_ended.copy()),
            velocity={name: np.zeros_like(array) for name, array in group.items()} if momentum else None,
            mean=Mean.none_yet(group) if averaging else None,
            best=Best.none_yet(group) if keep_best else None,
        )

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

    def outcome(self) -> dict[str, Floats]:
        """The models so far: the mean of the parameters where it has begun, else the last ones; not a copy."""
        if self.mean is None or not self.mean.summed.any():
            return self.parameters
        weight, dtype = np.where(self.mean.summed, self.mean.weight, 1.0), dtype_of(self.parameters)
        mean = {
            name: (sums / weight.reshape(-1, *(1,) * (sums.ndim - 1))).astype(dtype)
            for name, sums in self.mean.sums.items()
        }
        # A run that came to its end before the mean began has none.
        put(mean, self.mean.summed == 0, self.parameters)
        return mean

    def add_to_mean(self, decay: float = 1.0) -> None:
        """Let the parameters of the active runs be part of the mean; what is in it keeps ``decay`` of its weight."""
        if self.mean is None:
            raise ValueError("this state was made without a mean")
        # Indexing by a mask copies; a group of which all are active, nearly every one, does without.
        runs = slice(None) if self.active.all() else self.active
        for name, sums in self.mean.sums.items():
            if decay != 1:
                sums[runs] *= decay
            sums[runs] += self.parameters[name][runs]
        self.mean.weight[runs] *= decay
        self.mean.weight[runs] += 1
        self.mean.summed[runs] += 1

    def keep_best(self, loss: Doubles) -> Integers:
        """Take note of the validation loss (R,) of the active runs; returns how long each has waited, (R,)."""
        if self.best is None:
            raise ValueError("this state was made without best parameters")
        better = self.active & (loss < self.best.loss)
        self.best.waited[self.active] += 1
        self.best.waited[better] = 0
        self.best.loss[better] = loss[better]
        put(self.best.parameters, better, self.outcome())
        return self.best.waited

    def mark_diverged(self, runs: Bools, kept: State) -> None:
        """Mark ``runs`` (R,) as diverged at this step, and restore what they were in ``kept``."""
        self.end.diverged[runs & self.finite] = self.step
        self._restore(runs, kept)

    def adopt(self, other: State, runs: Bools) -> None:
        """Adopt end and best from ``other``, an earlier snapshot; for ``runs`` (R,), restore its parameters as well."""
        self.end = End(*(steps.copy() for steps in other.end))
        if other.best is not None:
            self.best = Best(copied(other.best.parameters), other.best.loss.copy(), other.best.waited.copy())
        self._restore(runs, other)

    def stop(self, runs: Bools) -> None:
        """Let ``runs`` (R,) stay as they are from now on."""
        self.end.stopped[runs & self.active] = self.step

    def copy(self) -> State:
        """An independent copy."""
        return _assembled({name: array.copy() for name, array in self.arrays()}, self.step)

    def take(self, run: int) -> dict[str, Any]:
        """Everything about one run: arrays by name, to be stored."""
        return {"step": np.int64(self.step)} | {name: array[run] for name, array in self.arrays()}

    @classmethod
    def restore(cls, runs: Sequence[Mapping[str, Any]]) -> State:
        """The group whose runs `take` gave, all at the same step."""
        arrays = {name: np.stack([run[name] for run in runs]) for name in runs[0] if name != "step"}
        return _assembled(arrays, int(runs[0]["step"]))

    def arrays(self) -> Iterator[tuple[str, Any]]:
        """Every array of the group by its dotted name, such as ``parameters.W`` and ``mean.sums.W``."""
        for field in fields(self):
            part = getattr(self, field.name)
            if field.name != "step" and part is not None:
                yield from _named(field.name, part)

    def _restore(self, runs: Bools, source: State) -> None:
        """Give ``runs`` (R,) the parameters, the velocity and the mean that they have in another state."""
        theirs = dict(source.arrays())
        for name, array in self.arrays():
            if name.partition(".")[0] in ("parameters", "velocity", "mean"):
                array[runs] = theirs[name][runs]


def _named(name: str, part: Any) -> Iterator[tuple[str, Any]]:
    """The arrays of a part of a state by their dotted names."""
    if isinstance(part, np.ndarray):
        yield name, part
    else:
        inner = part if isinstance(part, Mapping) else part._asdict()
        for key, value in inner.items():
            yield from _named(f"{name}.{key}", value)


def _assembled(arrays: Mapping[str, Any], step: int) -> State:
    """The state whose `State.arrays` these are."""

    def part(name: str) -> dict[str, Any]:
        return {key[len(name) + 1 :]: array for key, array in arrays.items() if key.startswith(f"{name}.")}

    mean, best = part("mean"), part("best")
    return State(
        part("parameters"),
        End(**part("end")),
        step,
        velocity=part("velocity") or None,
        mean=Mean(part("mean.sums"), mean["weight"], mean["summed"]) if mean else None,
        best=Best(part("best.parameters"), best["loss"], best["waited"]) if best else None,
    )
