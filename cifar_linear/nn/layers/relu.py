"""ReLU, the nonlinearity between layers with weights."""

from collections.abc import Mapping
from dataclasses import dataclass

from cifar_linear.arrays import Floats
from cifar_linear.nn.layers.layer import Shape, Trace, WithoutWeights
from cifar_linear.nn.layers.real_part import larger


@dataclass(frozen=True)
class ReLU(WithoutWeights):
    """Y = max(0, x), elementwise, for images of any shape. The derivative at 0 is taken to be 0."""

    kind = "relu"

    def output_shape(self, shape: Shape) -> Shape:
        """Return the same shape."""
        return shape

    def forward(self, x: Floats, _parameters: Mapping[str, Floats]) -> tuple[Floats, Trace]:
        """Return max(0, x); the trace is the output, which is above 0 where x is."""
        y = larger(0, x)
        return y, y

    def backward(
        self, dy: Floats, trace: Trace, _parameters: Mapping[str, Floats], want_dx: bool
    ) -> tuple[Floats | None, dict[str, Floats]]:
        """Return dy where x > 0, and 0 elsewhere."""
        return (dy * (trace.real > 0) if want_dx else None), {}
