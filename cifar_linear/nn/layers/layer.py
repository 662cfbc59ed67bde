"""What every layer can do, and what those without weights have in common."""

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np

from cifar_linear.arrays import Doubles, Floats
from cifar_linear.nn.layers.initialization import Scheme

Shape = tuple[int, ...]
"""Of one image: (C, H, W), or (d,) where it is flat."""
Trace = Any
"""What a layer's backward pass needs of its forward pass. Opaque to everyone else."""
Window = tuple[int, int]
"""Rows (and columns) of its input that one output of a layer sees, and how far apart two neighbours' windows lie."""


class Layer(Protocol):
    """Sizes, and functions of them: no weights, no memory, no difference between training and use.

    `output_shape` checks; the other methods assume sizes and a shape that it accepts.
    """

    @property
    def kind(self) -> str:
        """The layer's name in configs, such as "conv"."""
        ...

    def output_shape(self, shape: Shape) -> Shape:
        """Shape of one image behind the layer, from its shape before. ValueError: says why they do not fit."""
        ...

    def parameter_shapes(self, shape: Shape) -> dict[str, Shape]:
        """Of each parameter of one run, in order; empty for a layer without weights."""
        ...

    def initial(self, rng: np.random.Generator, shape: Shape, scheme: Scheme) -> dict[str, Doubles]:
        """First parameters of one run, without a run axis; ``scheme`` holds unless the layer has its own."""
        ...

    def forward(self, x: Floats, parameters: Mapping[str, Floats]) -> tuple[Floats, Trace]:
        """The layer's output (R, ..., n), and the trace for `backward`.

        Args:
            x: (R, ..., n), images last, or (1, ..., n) if all runs share it. Must not be changed before `backward`.
            parameters: of this layer, by name, with the run axis in front.
        """
        ...

    def backward(
        self, dy: Floats, trace: Trace, parameters: Mapping[str, Floats], want_dx: bool
    ) -> tuple[Floats | None, dict[str, Floats]]:
        """Gradients of the cost with respect to x (None unless wanted) and to each parameter, run axis in front.

        Args:
            dy: gradient with respect to the output, of its shape.
            trace: from the `forward` that gave this output.
            parameters: the same as there.
            want_dx: whether a layer before this one has weights.
        """
        ...

    def window(self, shape: Shape) -> Window:
        """How much of its input one output sees."""
        ...

    def multiplications(self, shape: Shape) -> int:
        """In the forward pass of one image, by weights only."""
        ...


class WithoutWeights:
    """A layer that has no weights and, unless it says otherwise, treats every pixel by itself."""

    def parameter_shapes(self, _shape: Shape) -> dict[str, Shape]:
        """No parameters."""
        return {}

    def initial(self, _rng: np.random.Generator, _shape: Shape, _scheme: Scheme) -> dict[str, Doubles]:
        """No parameters; draws nothing."""
        return {}

    def window(self, _shape: Shape) -> Window:
        """One pixel."""
        return 1, 1

    def multiplications(self, _shape: Shape) -> int:
        """None."""
        return 0


def sides(shape: Shape) -> tuple[int, int, int]:
    """C, H and W of images. ValueError: the shape is flat."""
    if len(shape) != 3:
        raise ValueError(
            "it needs images (channels, rows, columns), so no flatten, linear or globalaveragepool before it"
        )
    channels, rows, columns = shape
    return channels, rows, columns


def pooled(shape: Shape, size: int) -> Shape:
    """(C, H / size, W / size). ValueError: the shape is flat, or the windows do not cover it exactly."""
    channels, rows, columns = sides(shape)
    if size < 1:
        raise ValueError(f"its size must be at least 1, not {size}")
    if rows % size or columns % size:
        raise ValueError(f"windows of {size} x {size} do not divide {rows} x {columns} pixels")
    return channels, rows // size, columns // size
