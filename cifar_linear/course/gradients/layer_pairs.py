"""Forward and backward functions of layers in a student's file, and the small arrays on which they are called."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from cifar_linear.arrays import Floats
from cifar_linear.course.gradients.names import plain
from cifar_linear.errors import ConfigError
from cifar_linear.nn.layers.conv import Conv
from cifar_linear.nn.layers.layer import Layer
from cifar_linear.nn.layers.linear import Linear
from cifar_linear.nn.layers.max_pool import MaxPool
from cifar_linear.nn.layers.relu import ReLU

_STEMS = {
    "linear": ("affine", "linear", "fullyconnected", "fc", "dense"),
    "relu": ("relu",),
    "maxpool": ("maxpool", "maxpooling", "maxpool2d"),
    "conv": ("conv", "convolution", "conv2d", "convwithpadding"),
}
_ENDINGS = ("", "naive", "pass")
_SYMBOLS = {
    "x": ["x", "xin", "input", "inputs", "image", "images"],
    "W": ["w", "weight", "weights", "a", "filter", "filters", "kernel"],
    "b": ["b", "bias", "biases"],
    "dy": ["dout", "dldz", "dldy", "dy", "dz", "dl", "grad", "gradout", "gradoutput", "upstream", "doutput"],
    "cache": ["cache", "caches"],
    "padding": ["padding", "pad", "p"],
    "stride": ["stride"],
    "conv_param": ["convparam", "convparams"],
    "pool_param": ["poolparam", "poolparams"],
}
_SYMBOL = {name: symbol for symbol, names in _SYMBOLS.items() for name in names}
_DIRECTIONS = 4
IMAGES = 5
_CHANNELS, _FILTERS, _ROWS, _COLUMNS, _KERNEL = 2, 4, 6, 8, 3
_FEATURES, _OUTPUTS = 11, 3
FIRST, LAST = "images first", "images last"
"""x (n, C, H, W) and (n, d), W (F, C, k, k) and (d, K); x (H, W, C, n) and (d, n), W (k, k, C, F) and (K, d)."""


class Pair(NamedTuple):
    """The two functions of a layer.

    Attributes:
        kind: of the layer.
        forward: name of the function.
        backward: likewise.
        arguments: the symbol of each parameter, of forward and of backward.
        padding: rows and columns of zeros around the images.
    """

    kind: str
    forward: str
    backward: str
    arguments: tuple[dict[str, str], dict[str, str]]
    padding: int


class LayerProblem(NamedTuple):
    """A layer of ours and what it is called with, a run axis in front and images last.

    Attributes:
        layer: the layer.
        x: its input.
        parameters: W and b, or none.
        dy: the gradient with respect to its output.
    """

    layer: Layer
    x: Floats
    parameters: dict[str, Floats]
    dy: Floats


def find_pairs(path: str, found: Mapping[str, Any]) -> list[Pair]:
    """The layers of which a file has both functions; none if it has none."""
    by_plain = {plain(name): name for name in found["functions"]}
    pairs = []
    for kind, stems in _STEMS.items():
        names = [(f"{stem}forward{end}", f"{stem}backward{end}") for stem in stems for end in _ENDINGS]
        for forward, backward in ((by_plain.get(one), by_plain.get(other)) for one, other in names):
            if forward and backward:
                given = [_arguments(path, name, found["functions"][name]) for name in (forward, backward)]
                pads = {"padding", "conv_param"} & set(given[0].values())
                pairs.append(Pair(kind, forward, backward, (given[0], given[1]), 1 if pads else 0))
    return pairs


def _arguments(path: str, function: str, parameters: Mapping[str, bool]) -> dict[str, str]:
    unknown = [name for name, must in parameters.items() if must and plain(name) not in _SYMBOL]
    if unknown:
        raise ConfigError(
            f"{path}: {function} has a parameter {unknown[0]}, which is not known; give it a default, or one of the "
            "names x, w, b, dout, cache, padding, stride, conv_param, pool_param"
        )
    return {name: _SYMBOL[plain(name)] for name, must in parameters.items() if plain(name) in _SYMBOL}


def layer_problem(pair: Pair, seed: int) -> LayerProblem:
    """Draw the problem of a layer.

    Pixels are apart from zero and from each other by more than the step of a difference, which so crosses no kink.
    """
    rng = np.random.default_rng(seed)
    layers: dict[str, Layer] = {
        "linear": Linear(_OUTPUTS),
        "relu": ReLU(),
        "maxpool": MaxPool(2),
        "conv": Conv(_FILTERS, _KERNEL, padding=pair.padding),
    }
    layer = layers[pair.kind]
    shape = (_FEATURES,) if pair.kind in ("linear", "relu") else (_CHANNELS, _ROWS, _COLUMNS)
    size = int(np.prod(shape)) * IMAGES
    x = rng.permutation(np.arange(size) - size / 2 + 0.3).reshape(1, *shape, IMAGES) * (4 / size)
    shapes = layer.parameter_shapes(shape)
    parameters: dict[str, Floats] = {name: rng.standard_normal((1, *size)) for name, size in shapes.items()}
    dy = rng.standard_normal((1, *layer.output_shape(shape), IMAGES))
    return LayerProblem(layer, x, parameters, dy)


def turned(array: Floats, symbol: str, orientation: str) -> Floats:
    """An array of ours, without the run axis, in the shape of a dialect."""
    if symbol == "b":
        return array
    first = orientation == FIRST
    if symbol == "W":
        axes = {2: (1, 0) if first else (0, 1), 4: (0, 1, 2, 3) if first else (2, 3, 1, 0)}[array.ndim]
    else:
        axes = {2: (1, 0) if first else (0, 1), 4: (3, 0, 1, 2) if first else (1, 2, 0, 3)}[array.ndim]
    return np.ascontiguousarray(array.transpose(axes))


def request(pairs: list[Pair], seed: int) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """The plan of every pair in every orientation, and the arrays, whose names begin with the number of the plan."""
    plans: list[dict[str, Any]] = []
    arrays: dict[str, Any] = {}
    for pair in pairs:
        problem = layer_problem(pair, seed)
        values = {"x": problem.x, "dy": problem.dy, **problem.parameters}
        for orientation in (FIRST, LAST):
            number = len(plans)
            columns = orientation == LAST and pair.kind == "linear"
            for name, array in values.items():
                in_shape = turned(array[0], name, orientation)
                arrays[f"layers/{number}/{name}"] = in_shape[:, None] if name == "b" and columns else in_shape
            for name in ("x", *problem.parameters):
                shape = arrays[f"layers/{number}/{name}"].shape
                along = np.random.default_rng(22).standard_normal((_DIRECTIONS, *shape))
                arrays[f"layers/{number}/directions_{name}"] = along
            plans.append({**_plan(pair, orientation), "wanted": ["x", *problem.parameters]})
    return plans, arrays


def _plan(pair: Pair, orientation: str) -> dict[str, Any]:
    padding = pair.padding
    return {
        "kind": pair.kind,
        "orientation": orientation,
        "functions": [pair.forward, pair.backward],
        "arguments": list(pair.arguments),
        "values": {
            "padding": [padding, padding] if orientation == LAST else padding,
            "stride": 1,
            "conv_param": {"stride": 1, "pad": padding},
            "pool_param": {"pool_height": 2, "pool_width": 2, "stride": 2},
        },
    }
