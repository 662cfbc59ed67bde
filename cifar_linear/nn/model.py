"""The interface of a model for training and evaluation. A model holds no parameters: they are passed to its methods."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Protocol

import numpy as np

from cifar_linear.arrays import Doubles, Examples, Floats
from cifar_linear.nn.layers.layer import Trace
from cifar_linear.nn.parameters import Parameters


class Model(Protocol):
    """Maps raw pixels to scores, for R runs at once. It may keep workspaces, never parameters."""

    @property
    def parameter_shapes(self) -> Mapping[str, tuple[int, ...]]:
        """The shape of each parameter of one run, by name, in order."""

    @property
    def penalised(self) -> frozenset[str]:
        """The names of the parameters whose squares are summed in the penalty."""

    def initial(self, rng: np.random.Generator) -> dict[str, Doubles]:
        """Draw the initial parameters of one run, without a run axis."""

    def scores(self, pixels: Iterable[Floats], parameters: Parameters) -> Floats:
        """Return the scores of all images, (n, R, K), from chunks of raw pixels (n_i, d).

        Must be safe to call while another thread trains.
        """

    def forward(self, pixels: Examples, parameters: Parameters) -> tuple[Floats, Trace]:
        """Return the scores (n, R, K) of a batch of raw pixels (n, d) of any dtype, and the trace for `backward`."""

    def backward(self, G: Floats, trace: Trace, parameters: Parameters) -> Iterator[dict[str, Floats]]:
        """Yield the gradients of each run in turn, without a run axis.

        The caller may overwrite them; the next batch does.

        Args:
            G: derivatives of the mean loss with respect to the scores, (n, R, K).
            trace: as returned by `forward` for this batch.
            parameters: the parameters that `forward` was called with.
        """
