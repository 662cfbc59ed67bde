"""Flattening of images to vectors."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from cifar_linear.arrays import Floats
from cifar_linear.nn.layers.layer import Shape, Trace, WithoutWeights


@dataclass(frozen=True)
class Flatten(WithoutWeights):
    """Make vectors of images: (C, H, W) -> (C H W,), channel-major, as CIFAR-10 stores images. Copies nothing."""

    kind = "flatten"

    def output_shape(self, shape: Shape) -> Shape:
        """Return (C H W,)."""
        return (math.prod(shape),)

    def forward(self, x: Floats, _parameters: Mapping[str, Floats]) -> tuple[Floats, Trace]:
        """Return the same numbers, (R, d, n); the trace is the shape before."""
        return x.reshape(len(x), -1, x.shape[-1]), x.shape[1:]

    def backward(
        self, dy: Floats, trace: Trace, _parameters: Mapping[str, Floats], want_dx: bool
    ) -> tuple[Floats | None, dict[str, Floats]]:
        """Return the same numbers in the shape before."""
        return (dy.reshape(len(dy), *trace) if want_dx else None), {}
