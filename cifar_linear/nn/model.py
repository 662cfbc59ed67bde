"""What training and evaluation need to know of a model: functions of parameters that hold no parameters themselves."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Protocol

import numpy as np

from cifar_linear.arrays import Doubles, Floats
from cifar_linear.nn.parameters import Parameters

Trace = Any
"""What the backward pass needs of the forward pass; opaque to others."""


class Model(Protocol):
    """Maps raw pixels to scores, for R runs side by side. It may keep memory to use it again, never parameters."""

    @property
    def parameter_shapes(self) -> Mapping[str, tuple[int, ...]]:
        """The shape of each parameter of one run, by name, in their order."""

    @property
    def penalised(self) -> frozenset[str]:
        """The names of the parameters whose squares the penalty sums."""

    def initial(self, rng: np.random.Generator) -> dict[str, Doubles]:
        """Draw the first parameters of one run, without a run axis."""

    def scores(self, pixels: Iterable[Floats], parameters: Parameters) -> Floats:
        """The scores of all images, (n, R, K), from parts of raw pixels, (n_i, d) each. May run beside training."""

    def forward(self, pixels: Floats, parameters: Parameters) -> tuple[Floats, Trace]:
        """The scores (n, R, K) of a batch of raw pixels (n, d), and what `backward` needs."""

    def backward(self, G: Floats, trace: Trace, parameters: Parameters) -> Iterator[dict[str, Floats]]:
        """Yield the gradients of one run after another, from the derivatives ``G`` (n, R, K) by the scores.

        They may be overwritten by the caller, and are by the next batch.
        """
