"""The weights of a group of runs, and which of the runs are still learning."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from cifar_linear.arrays import Bools, Floats, Integers

_NEVER = -1


@dataclass
class State:
    """R classifiers under training. ``train`` is a group of one.

    Attributes:
        W: weights, (R, K, d).
        b: biases, (R, K).
        step: updates made so far.
        diverged_at: the step at which each run left the finite numbers, (R,); -1 while it has not.
    """

    W: Floats
    b: Floats
    step: int = 0
    diverged_at: Integers = field(default_factory=lambda: np.empty(0, np.int64))

    def __post_init__(self) -> None:
        if not self.diverged_at.size:
            self.diverged_at = np.full(len(self.W), _NEVER, np.int64)

    @classmethod
    def stack(cls, weights: Sequence[tuple[Floats, Floats]], dtype: str) -> State:
        """A group from the weights (K, d) and biases (K,) of its runs, in ``dtype``."""
        W, b = zip(*weights, strict=True)
        return cls(np.stack(W).astype(dtype), np.stack(b).astype(dtype))

    @property
    def alive(self) -> Bools:
        """Which runs have not diverged, (R,)."""
        alive: Bools = self.diverged_at == _NEVER
        return alive

    def copy(self) -> State:
        """An independent copy."""
        return State(self.W.copy(), self.b.copy(), self.step, self.diverged_at.copy())

    def retire(self, runs: Bools, kept: State) -> None:
        """Give up on ``runs`` (R,): mark them as diverged at this step and put back their weights from ``kept``."""
        self.diverged_at[runs & self.alive] = self.step
        self.W[runs] = kept.W[runs]
        self.b[runs] = kept.b[runs]
