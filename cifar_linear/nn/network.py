"""A network: layers one after another, from images to scores.

R networks of the same layers are computed side by side, each with parameters of its own and all on the same images.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal, NamedTuple

import numpy as np

from cifar_linear.arrays import Doubles, Examples, Floats
from cifar_linear.nn.layers import He, Layer, Scheme, Shape
from cifar_linear.nn.layers.conv_relu_pool import ConvReLUPool, fused
from cifar_linear.nn.parameters import dtype_of
from cifar_linear.nn.standardization import Standardization

# Of a network with convolutions: the fastest when measured, for one run and for four.
_IMAGES_AT_ONCE = 32  # in evaluation
_FEWEST_IN_A_CHUNK, _MOST_IN_A_CHUNK = 8, 16  # in training


Stage = Layer | ConvReLUPool


class Field(NamedTuple):
    """Output (i, j) of a layer sees the rows first + step i to first + step i + size - 1, and columns alike."""

    first: int
    step: int
    size: int


class LayerRow(NamedTuple):
    """A line of a network's table.

    Attributes:
        name: of the layer, "conv1".
        output_shape: of one image behind it.
        parameters: how many weights and biases it has.
        formula: the same as a sum of products, "16x1x5x5+16"; "" without any.
        receptive_field: rows and columns of the input image that one output can depend on.
        multiplications: by weights, in the forward pass of one image.
    """

    name: str
    output_shape: Shape
    parameters: int
    formula: str
    receptive_field: tuple[int, int]
    multiplications: int


@dataclass(frozen=True)
class Network:
    """Layers in order. Holds sizes only; parameters are passed in, by name, with the run axis in front.

    A layer is named after its kind and counted where a network has several of that kind, convolutions always:
    "conv1", "relu1", "maxpool1", "conv2", "relu2", "maxpool2", "flatten", "linear". Its parameters are "conv1.W" and
    "conv1.b".

    Attributes:
        layers: from the images to the scores; the last output is flat, (K,).
        shape: of an image, (C, H, W).
        init: how first weights are drawn, for layers that do not say it themselves.
        penalise: whether the penalty covers the weights, or the biases too ("all").
        standardization: from raw pixels to what the first layer sees; None if the pixels are that already.
        threads: how many share the chunks of a batch. It changes no bit: the chunks are always the same, and their
            gradients are added in their order.

    Raises:
        ValueError: a layer does not fit the one before it. Says which, its input shape and what is wrong.
    """

    layers: tuple[Layer, ...]
    shape: Shape
    init: Scheme = field(default_factory=He)
    penalise: Literal["weights", "all"] = "weights"
    standardization: Standardization | None = field(default=None, compare=False, repr=False)
    threads: int = field(default=1, compare=False, repr=False)

    def __post_init__(self) -> None:
        if not self.parameter_shapes:
            raise ValueError("the network has no layer with weights: it needs a conv or linear layer")
        if len(self.shapes[-1]) != 1:
            raise ValueError(
                f"the network ends with {self.names[-1]} and images of shape {self.shapes[-1]}, not with scores: "
                "end with flatten and linear, or with globalaveragepool"
            )

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The names of the layers, in order."""
        total = Counter(layer.kind for layer in self.layers)
        so_far = Counter[str]()
        names = []
        for kind in (layer.kind for layer in self.layers):
            so_far[kind] += 1
            names.append(f"{kind}{so_far[kind]}" if total[kind] > 1 or kind == "conv" else kind)
        return tuple(names)

    @cached_property
    def shapes(self) -> tuple[Shape, ...]:
        """The shapes of one image: before the first layer, and after each layer."""
        shapes = [self.shape]
        for name, layer in zip(self.names, self.layers, strict=True):
            try:
                shapes.append(layer.output_shape(shapes[-1]))
            except ValueError as error:
                raise ValueError(f"{name} does not fit its input of shape {shapes[-1]}: {error}") from None
        return tuple(shapes)

    @cached_property
    def parameter_shapes(self) -> dict[str, Shape]:
        """The shape of each parameter of one run, without a run axis, by name and in order."""
        return {
            f"{name}.{own}": size
            for name, layer, shape in self._named()
            for own, size in layer.parameter_shapes(shape).items()
        }

    @cached_property
    def first_with_weights(self) -> int:
        """The index of the first layer that has weights; those before it need no gradient."""
        return next(index for index, (_, layer, shape) in enumerate(self._named()) if layer.parameter_shapes(shape))

    @cached_property
    def _stages(self) -> tuple[tuple[str, Stage], ...]:
        """What is computed in turn, named after its first layer: layers, some of them in one piece for speed."""
        stages, index = list[tuple[str, Stage]](), 0
        while index < len(self.layers):
            together = fused(self.layers[index : index + 3], self.shapes[index])
            stages.append((self.names[index], together or self.layers[index]))
            index += 3 if together else 1
        return tuple(stages)

    @cached_property
    def penalised(self) -> frozenset[str]:
        """The names of the parameters that the penalty covers."""
        return frozenset(name for name in self.parameter_shapes if self.penalise == "all" or name.endswith(".W"))

    def initial(self, rng: np.random.Generator) -> dict[str, Doubles]:
        """Draw the first parameters of one run, layer by layer, in float64 and without a run axis."""
        return {
            f"{name}.{own}": values
            for name, layer, shape in self._named()
            for own, values in layer.initial(rng, shape, self.init).items()
        }

    def scores(self, pixels: Iterable[Floats], parameters: Mapping[str, Floats]) -> Floats:
        """Return the scores (n, R, K) of images in parts (n_i, C H W); few images are computed at a time."""
        blocks: list[Floats] = []
        for part in pixels:  # which the next one overwrites
            at_once = _IMAGES_AT_ONCE if self._convolves else len(part)
            blocks += self._side_by_side(lambda some: self._scores(some, parameters), _cut(part, at_once))
        return np.concatenate(blocks, axis=-1).transpose(2, 0, 1)

    def forward(self, pixels: Examples, parameters: Mapping[str, Floats]) -> tuple[Floats, list[Any]]:
        """Return the scores (n, R, K) of a batch (n, C H W), and the trace for `backward`."""
        chunks = self._side_by_side(lambda some: self._forward(some, parameters), self._chunks(pixels))
        return np.concatenate([scores for scores, _ in chunks]), [trace for _, trace in chunks]

    def _forward(self, pixels: Examples, parameters: Mapping[str, Floats]) -> tuple[Floats, list[Any]]:
        """The same for one chunk of a batch."""
        x, traces = self._images_last(pixels, dtype_of(parameters)), []
        for name, stage in self._stages:
            x, trace = stage.forward(x, _of(name, parameters))
            traces.append(trace)
        return x.transpose(2, 0, 1), traces

    def backward(self, G: Floats, trace: list[Any], parameters: Mapping[str, Floats]) -> Iterator[dict[str, Floats]]:
        """Yield the gradients of each run in turn, by name, without a run axis.

        Args:
            G: derivatives of the mean loss with respect to the scores, (n, R, K).
            trace: as returned by `forward` for this batch.
            parameters: the parameters that `forward` was called with.
        """
        parts = list(zip(self._chunks(G), trace, strict=True))
        first, *others = self._side_by_side(lambda part: self._backward(part[0], part[1], parameters), parts)
        for gradients in others:
            for name, total in first.items():
                np.add(total, gradients[name], out=total)
        for run in range(G.shape[1]):
            yield {name: first[name][run] for name in self.parameter_shapes}

    def _backward(self, G: Floats, trace: list[Any], parameters: Mapping[str, Floats]) -> dict[str, Floats]:
        """Return the gradients of all runs from one chunk of a batch."""
        gradients: dict[str, Floats] = {}
        dy = G.transpose(1, 2, 0)
        for (name, stage), of_stage in zip(reversed(self._stages), reversed(trace), strict=True):
            first = name == self.names[self.first_with_weights]
            dx, own = stage.backward(dy, of_stage, _of(name, parameters), want_dx=not first)
            gradients |= {f"{name}.{key}": value for key, value in own.items()}
            if dx is None:
                break
            dy = dx
        return gradients

    def activations(self, pixels: Floats, parameters: Mapping[str, Floats]) -> Iterator[tuple[str, Floats]]:
        """Yield the name of each layer and its output (R, ..., n) for raw images (n, C H W), without any trace."""
        x = self._images_last(pixels, dtype_of(parameters))
        for name, layer in zip(self.names, self.layers, strict=True):
            x = layer.forward(x, _of(name, parameters))[0]
            yield name, x

    def pixel_gradient(self, G: Floats, trace: list[Any], parameters: Mapping[str, Floats]) -> Floats:
        """Return the gradient with respect to the raw pixels, (R, C H W, n); arguments as in `backward`."""
        parts = zip(self._chunks(G), trace, strict=True)
        return np.concatenate([self._pixel_gradient(some, of_some, parameters) for some, of_some in parts], axis=-1)

    def _pixel_gradient(self, G: Floats, trace: list[Any], parameters: Mapping[str, Floats]) -> Floats:
        """The same for one chunk of a batch."""
        dy = G.transpose(1, 2, 0)
        for (name, stage), of_stage in zip(reversed(self._stages), reversed(trace), strict=True):
            dx, _ = stage.backward(dy, of_stage, _of(name, parameters), want_dx=True)
            dy = dy if dx is None else dx
        dy = dy.reshape(len(dy), -1, dy.shape[-1])
        return dy * self.standardization.scale.astype(dy.dtype)[:, None] if self.standardization else dy

    def receptive_field(self, index: int) -> Field:
        """The pixels of the image that an output of a layer can depend on, and rows and columns beyond its edges.

        Args:
            index: of the layer, from 0; its output and those before it are images.
        """
        first, step, size = 0, 1, 1
        for layer, shape in zip(self.layers[: index + 1], self.shapes, strict=False):
            window = layer.window(shape)
            first -= window.padding * step
            size += (window.size - 1) * step
            step *= window.stride
        return Field(first, step, size)

    def table(self) -> list[LayerRow]:
        """Return a row for each layer."""
        rows = []
        for index, ((name, layer, shape), output) in enumerate(zip(self._named(), self.shapes[1:], strict=True)):
            reach = self.receptive_field(index).size
            sizes = layer.parameter_shapes(shape).values()
            rows.append(
                LayerRow(
                    name,
                    output,
                    sum(int(np.prod(size)) for size in sizes),
                    "+".join("x".join(map(str, size)) for size in sizes),
                    (min(reach, self.shape[1]), min(reach, self.shape[2])),
                    layer.multiplications(shape),
                )
            )
        return rows

    def _named(self) -> Iterator[tuple[str, Layer, Shape]]:
        """Yield each layer with its name and the shape of its input."""
        return zip(self.names, self.layers, self.shapes[:-1], strict=True)

    def _chunks(self, batch: Examples) -> list[Examples]:
        """Split a batch (n, ...) into parts that several threads can share; their number does not change the parts.

        Without convolutions nearly all time goes into reading the weights, once for each part: the batch stays whole.
        """
        if not self._convolves:
            return [batch]
        half = -(-len(batch) // 2)
        return _cut(batch, min(_MOST_IN_A_CHUNK, max(_FEWEST_IN_A_CHUNK, half)))

    @property
    def _convolves(self) -> bool:
        return any(layer.kind == "conv" for layer in self.layers)

    def _side_by_side(self, work: Callable[[Any], Any], parts: Sequence[Any]) -> list[Any]:
        """Return the results for all parts in their order; several threads share several parts."""

        def share(first: int) -> list[Any]:
            return [work(part) for part in parts[first :: self.threads]]

        others = [
            self._pool.submit(_overflow_allowed(share), first) for first in range(1, min(self.threads, len(parts)))
        ]
        shares = [share(0), *(other.result() for other in others)]
        return [shares[place % self.threads][place // self.threads] for place in range(len(parts))]

    @cached_property
    def _pool(self) -> ThreadPoolExecutor:
        """The threads besides the calling one."""
        return ThreadPoolExecutor(self.threads - 1, "network")

    def _scores(self, pixels: Floats, parameters: Mapping[str, Floats]) -> Floats:
        """Return the scores of a few images, (R, K, n), without keeping a trace."""
        x = self._images_last(pixels, dtype_of(parameters))
        # The complex step, which checks gradients, goes through the plain layers.
        plain = zip(self.names, self.layers, strict=True)
        for name, stage in plain if np.iscomplexobj(x) else self._stages:
            x = stage.forward(x, _of(name, parameters))[0]
        return x

    def _images_last(self, pixels: Examples, dtype: np.dtype[Any]) -> Floats:
        """Return standardised images (1, C, H, W, n) from raw ones in rows, (n, C H W)."""
        columns = self.standardization.columns(pixels, dtype) if self.standardization else pixels.T.astype(dtype)
        return columns.reshape(1, *self.shape, len(pixels))


def _cut(images: Examples, size: int) -> list[Examples]:
    """Split images (n, ...) into parts of nearly equal size, at most ``size``."""
    return np.array_split(images, -(-len(images) // size))


def _overflow_allowed(work: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Return ``work`` without warnings of overflow: training checks for it, and a new thread does not inherit that."""
    return np.errstate(over="ignore", invalid="ignore")(work)


def _of(name: str, parameters: Mapping[str, Floats]) -> dict[str, Floats]:
    """Return the parameters of one layer, by their names within it."""
    return {key.removeprefix(f"{name}."): value for key, value in parameters.items() if key.startswith(f"{name}.")}
