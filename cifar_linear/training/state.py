"""The complete state of a group of runs in training: parameters, velocity, mean, best parameters, ended runs.

The first axis of every array is the run axis, so that a group can be split into its runs and assembled again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, NamedTuple

import numpy as np

from cifar_linear.arrays import Bools, Doubles, Floats, Integers
from cifar_linear.nn.parameters import Parameters, copied, dtype_of, put, stacked

_NOT_ENDED = -1


class Mean(NamedTuple):
    """A weighted mean of the parameters after several updates, in double precision.

    Attributes:
        sums: weighted sums of the parameters, by name.
        weight: sum of the weights, (R,).
        summed: number of updates in the sums, (R,).
    """

    sums: dict[str, Doubles]
    weight: Doubles
    summed: Integers

    @classmethod
    def none_yet(cls, parameters: Parameters) -> Mean:
        """Return an empty mean of parameters with these shapes."""
        sums = {name: np.zeros(array.shape) for name, array in parameters.items()}
        runs = len(next(iter(sums.values())))
        return cls(sums, np.zeros(runs), np.zeros(runs, np.int64))


class Best(NamedTuple):
    """The parameters with the lowest validation loss of each run.

    Attributes:
        parameters: parameters of R runs.
        loss: their validation loss, (R,).
        waited: number of evaluations since then, (R,).
    """

    parameters: dict[str, Floats]
    loss: Doubles
    waited: Integers

    @classmethod
    def none_yet(cls, parameters: Parameters) -> Best:
        """Return the value before the first evaluation, with infinite loss."""
        runs = len(next(iter(parameters.values())))
        return cls(copied(parameters), np.full(runs, np.inf), np.full(runs, 0, np.int64))


class End(NamedTuple):
    """The step at which each run diverged, and the step at which early stopping ended it, (R,); -1 for neither."""

    diverged: Integers
    stopped: Integers


@dataclass
class State:
    """The state of R runs.

    Attributes:
        parameters: parameters after the last update.
        end: which runs have ended, and at which step.
        step: number of updates so far.
        velocity: moving average of the gradients; None without momentum.
        mean: mean of the parameters; None without averaging.
        best: best parameters; None without early stopping.
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
        """Return the state of a group before its first update.

        Args:
            parameters: initial parameters of each run, without a run axis.
            dtype: dtype of the parameters in training.
            momentum: whether the state has a velocity.
            averaging: whether the state has a mean.
            keep_best: whether the state has best parameters.
        """
        group = stacked(parameters, dtype)
        not_ended = np.full(len(parameters), _NOT_ENDED, np.int64)
        return cls(
            group,
            End(not_ended, not_ended.copy()),
            velocity={name: np.zeros_like(array) for name, array in group.items()} if momentum else None,
            mean=Mean.none_yet(group) if averaging else None,
            best=Best.none_yet(group) if keep_best else None,
        )

    @property
    def finite(self) -> Bools:
        """Mask of the runs that have not diverged, (R,)."""
        finite: Bools = self.end.diverged == _NOT_ENDED
        return finite

    @property
    def active(self) -> Bools:
        """Mask of the runs that have neither diverged nor stopped, (R,)."""
        active: Bools = self.finite & (self.end.stopped == _NOT_ENDED)
        return active

    def outcome(self) -> dict[str, Floats]:
        """Return the parameters to evaluate: their mean if it has begun, otherwise the last ones; not a copy."""
        if self.mean is None or not self.mean.summed.any():
            return self.parameters
        weight, dtype = np.where(self.mean.summed, self.mean.weight, 1.0), dtype_of(self.parameters)
        mean = {
            name: (sums / weight.reshape(-1, *(1,) * (sums.ndim - 1))).astype(dtype)
            for name, sums in self.mean.sums.items()
        }
        # A run that ended before averaging began has no mean.
        put(mean, self.mean.summed == 0, self.parameters)
        return mean

    def add_to_mean(self, decay: float = 1.0) -> None:
        """Add the parameters of the active runs to the mean, after multiplying its weight by ``decay``."""
        if self.mean is None:
            raise ValueError("this state was made without a mean")
        # Indexing with a mask copies; usually all runs are active and a slice will do.
        runs = slice(None) if self.active.all() else self.active
        for name, sums in self.mean.sums.items():
            if decay != 1:
                sums[runs] *= decay
            sums[runs] += self.parameters[name][runs]
        self.mean.weight[runs] *= decay
        self.mean.weight[runs] += 1
        self.mean.summed[runs] += 1

    def keep_best(self, loss: Doubles) -> Integers:
        """Keep the parameters of active runs whose validation loss, ``loss`` (R,), is a new minimum.

        Returns:
            The number of evaluations since each run's minimum, (R,).
        """
        if self.best is None:
            raise ValueError("this state was made without best parameters")
        better = self.active & (loss < self.best.loss)
        self.best.waited[self.active] += 1
        self.best.waited[better] = 0
        self.best.loss[better] = loss[better]
        put(self.best.parameters, better, self.outcome())
        return self.best.waited

    def mark_diverged(self, runs: Bools, kept: State) -> None:
        """Mark the runs in the mask ``runs`` (R,) as diverged at this step and restore them from ``kept``."""
        self.end.diverged[runs & self.finite] = self.step
        self._restore(runs, kept)

    def adopt(self, other: State, runs: Bools) -> None:
        """Adopt `end` and `best` from ``other``, an earlier snapshot; for ``runs`` (R,), restore its parameters too."""
        self.end = End(*(steps.copy() for steps in other.end))
        if other.best is not None:
            self.best = Best(copied(other.best.parameters), other.best.loss.copy(), other.best.waited.copy())
        self._restore(runs, other)

    def stop(self, runs: Bools) -> None:
        """Mark the active runs in the mask ``runs`` (R,) as stopped at this step."""
        self.end.stopped[runs & self.active] = self.step

    def copy(self) -> State:
        """Return an independent copy."""
        return _assembled({name: array.copy() for name, array in self.arrays()}, self.step)

    def take(self, run: int) -> dict[str, Any]:
        """Return the state of one run as arrays by name, for storage."""
        return {"step": np.int64(self.step)} | {name: array[run] for name, array in self.arrays()}

    @classmethod
    def restore(cls, runs: Sequence[Mapping[str, Any]]) -> State:
        """Return the state of a group from the results of `take` for its runs, all at the same step."""
        arrays = {name: np.stack([run[name] for run in runs]) for name in runs[0] if name != "step"}
        return _assembled(arrays, int(runs[0]["step"]))

    def arrays(self) -> Iterator[tuple[str, Any]]:
        """Yield every array of the group with its dotted name, such as ``parameters.W`` or ``mean.sums.W``."""
        for field in fields(self):
            part = getattr(self, field.name)
            if field.name != "step" and part is not None:
                yield from _named(field.name, part)

    def _restore(self, runs: Bools, source: State) -> None:
        """Copy parameters, velocity and mean of the runs in the mask ``runs`` (R,) from another state."""
        source_arrays = dict(source.arrays())
        for name, array in self.arrays():
            if name.partition(".")[0] in ("parameters", "velocity", "mean"):
                array[runs] = source_arrays[name][runs]


def _named(name: str, part: Any) -> Iterator[tuple[str, Any]]:
    """Yield the arrays of a part of a state with their dotted names."""
    if isinstance(part, np.ndarray):
        yield name, part
    else:
        inner = part if isinstance(part, Mapping) else part._asdict()
        for key, value in inner.items():
            yield from _named(f"{name}.{key}", value)


def _assembled(arrays: Mapping[str, Any], step: int) -> State:
    """Return the state from the result of `State.arrays`."""

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
