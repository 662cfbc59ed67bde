"""What every layer can do, and what those without weights have in common."""

from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol

import numpy as np

from cifar_linear.arrays import Doubles, Floats
from cifar_linear.nn.layers.initialization import Scheme

Shape = tuple[int, ...]
"""The shape of one image: (C, H, W), or (d,) if it is flat."""
Trace = Any
"""What a forward pass keeps for its backward pass; opaque to callers."""


class Window(NamedTuple):
    """What one output sees of the input.

    Attributes:
        size: how many rows, and columns.
        stride: the distance of neighbouring windows.
        padding: how many rows and columns before the input the first window begins.
    """

    size: int
    stride: int = 1
    padding: int = 0


class Layer(Protocol):
    """Sizes, and functions of them: no weights, no memory, no difference between training and use.

    `output_shape` checks; the other methods assume sizes and a shape that it accepts.
    """

    @property
    def kind(self) -> str:
        """The layer's name in configs, such as "conv"."""
        ...

    def output_shape(self, shape: Shape) -> Shape:
        """Return the shape of one image after the layer. Raises ValueError, with the reason, if it does not fit."""
        ...

    def parameter_shapes(self, shape: Shape) -> dict[str, Shape]:
        """Return the shape of each parameter of one run, in order; empty for a layer without weights."""
        ...

    def initial(self, rng: np.random.Generator, shape: Shape, scheme: Scheme) -> dict[str, Doubles]:
        """Draw the first parameters of one run, without a run axis, by ``scheme`` unless the layer has its own."""
        ...

    def forward(self, x: Floats, parameters: Mapping[str, Floats]) -> tuple[Floats, Trace]:
        """Return the output (R, ..., n), and the trace for `backward`.

        Args:
            x: (R, ..., n), images last, or (1, ..., n) if all runs share it. Must not be changed before `backward`.
            parameters: of this layer, by name, with the run axis in front.
        """
        ...

    def backward(
        self, dy: Floats, trace: Trace, parameters: Mapping[str, Floats], want_dx: bool
    ) -> tuple[Floats | None, dict[str, Floats]]:
        """Return the gradients with respect to x (None unless wanted) and to each parameter, run axis first.

        Args:
            dy: gradient with respect to the output, of its shape.
            trace: as returned by `forward` for this output.
            parameters: the parameters that `forward` was called with.
            want_dx: whether a layer before this one has weights.
        """
        ...

    def window(self, shape: Shape) -> Window:
        """Return how much of its input one output sees."""
        ...

    def multiplications(self, shape: Shape) -> int:
        """Return the number of multiplications by weights in the forward pass of one image."""
        ...


class WithoutWeights:
    """Base of layers without weights; unless overridden, each output depends on one pixel."""

    def parameter_shapes(self, _shape: Shape) -> dict[str, Shape]:
        """Return no parameters."""
        return {}

    def initial(self, _rng: np.random.Generator, _shape: Shape, _scheme: Scheme) -> dict[str, Doubles]:
        """Return no parameters; draws nothing."""
        return {}

    def window(self, _shape: Shape) -> Window:
        """Return a window of one pixel."""
        return Window(1)

    def multiplications(self, _shape: Shape) -> int:
        """Return 0."""
        return 0


def sides(shape: Shape) -> tuple[int, int, int]:
    """Return C, H and W. Raises ValueError if the shape is flat."""
    if len(shape) != 3:
        raise ValueError(
            "it needs images (channels, rows, columns), so no flatten, linear or globalaveragepool before it"
        )
    channels, rows, columns = shape
    return channels, rows, columns
