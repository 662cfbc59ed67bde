"""A linear layer: every output is a weighted sum of all inputs."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from cifar_linear.arrays import Doubles, Floats
from cifar_linear.nn.layers.initialization import Scheme, draw
from cifar_linear.nn.layers.layer import Shape, Trace, Window
from cifar_linear.nn.layers.products import weight_gradient, weighted


@dataclass(frozen=True)
class Linear:
    """Y = W x + b, with W (R, K, d) and b (R, K): flat images (d,) become (K,).

    Attributes:
        outputs: K.
        init: how the weights are drawn; None for the scheme of the network.
    """

    outputs: int
    init: Scheme | None = None
    kind = "linear"

    def output_shape(self, shape: Shape) -> Shape:
        """Return (K,) from (d,)."""
        if self.outputs < 1:
            raise ValueError(f"it needs at least 1 output, not {self.outputs}")
        if len(shape) != 1:
            raise ValueError("it needs flat images: put flatten before it")
        return (self.outputs,)

    def parameter_shapes(self, shape: Shape) -> dict[str, Shape]:
        """Return the shapes of W (K, d) and b (K,)."""
        return {"W": (self.outputs, *shape), "b": (self.outputs,)}

    def initial(self, rng: np.random.Generator, shape: Shape, scheme: Scheme) -> dict[str, Doubles]:
        """Draw W by the layer's own scheme or the network's; b is 0."""
        return draw(rng, self.parameter_shapes(shape), self.init or scheme)

    def forward(self, x: Floats, parameters: Mapping[str, Floats]) -> tuple[Floats, Trace]:
        """Return W x + b, (R, K, n); the trace is x."""
        y = weighted(parameters["W"], x)
        y += parameters["b"][..., None]
        return y, x

    def backward(
        self, dy: Floats, trace: Trace, parameters: Mapping[str, Floats], want_dx: bool
    ) -> tuple[Floats | None, dict[str, Floats]]:
        """Return dW = dy x^T, db = the sum of dy over the images, and dx = W^T dy."""
        dx = np.matmul(parameters["W"].transpose(0, 2, 1), dy) if want_dx else None
        return dx, {"W": weight_gradient(dy, trace), "b": dy.sum(axis=2)}

    def window(self, shape: Shape) -> Window:
        """Return a window of all inputs."""
        return Window(math.prod(shape))

    def multiplications(self, shape: Shape) -> int:
        """Return K d."""
        return self.outputs * math.prod(shape)
