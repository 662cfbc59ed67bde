"""What a run folder holds of the inside of a network, and what can be wrong with it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from cifar_linear.arrays import Bools, Floats, Images, Labels
from cifar_linear.nn.introspection import SQUARE, STEP, first_filters, patch_field
from cifar_linear.nn.layers.layer import Shape
from cifar_linear.nn.network import Network

MOST_FILTERS = 32
"""Channels of a layer that are kept, the first ones."""
MOST_PATCHES = 9
"""Patches of each filter."""
MOST_LAYERS = 40
"""Layers whose maps are kept, the first ones."""

Maps = np.ndarray[Any, np.dtype[np.int8]]


class Introspection(NamedTuple):
    """What a trained network does with test images.

    Attributes:
        images: one test image of each class, (m, d) of 0 to 255.
        indices: which test images these are, (m,).
        maps: for each layer the outputs of its first channels for these images, (m, F, H, W), where 127 is the largest
            magnitude of a channel in these images and 0 is 0.
        dead: for each ReLU which of its channels were never above 0, (F,).
        searched: in how many test images, the first ones.
        patches: for each filter of the first layer the parts of these images that excite it most, the strongest first,
            (F, p, C, r, r) of 0 to 255.
        saliency: |d score / d pixel| of the predicted class, (m, H, W).
        occlusion: how much that score falls when a square is covered, (m, H', W').
    """

    images: Images
    indices: Labels
    maps: Mapping[str, Maps]
    dead: Mapping[str, Bools]
    searched: int
    patches: Images
    saliency: Floats
    occlusion: Floats

    def arrays(self) -> dict[str, Any]:
        """Everything by the names in the file."""
        whole = {name: value for name, value in self._asdict().items() if name not in ("maps", "dead")}
        parts = {"maps": self.maps, "dead": self.dead}
        return whole | {f"{part}.{name}": array for part, arrays in parts.items() for name, array in arrays.items()}

    @classmethod
    def of_arrays(cls, stored: Mapping[str, Any]) -> Introspection:
        """The same from what is in a file. Raises TypeError if other arrays are in it."""
        parts: dict[str, dict[str, Any]] = {"maps": {}, "dead": {}}
        whole: dict[str, Any] = {}
        for key, array in stored.items():
            part, _, name = key.partition(".")
            (parts[part] if name and part in parts else whole)[name or key] = array
        return cls(**(whole | parts))

    def problem(self, network: Network, test_images: int) -> str | None:
        """What is wrong with contents that were read; None for what such a network can have given.

        Args:
            network: of the run.
            test_images: how many it was evaluated on.
        """
        count = np.asarray(self.searched)
        if count.shape != () or count.dtype.kind != "i" or not 1 <= count <= test_images:
            return f"searched must be 1 to {test_images}"
        if not 1 <= np.size(self.indices) <= network.shapes[-1][0]:
            return "there must be an image of each class, or of some"
        expected = _shapes(network, np.size(self.indices), int(count))
        arrays = {name: np.asarray(array) for name, array in self.arrays().items() if name != "searched"}
        shapes = {name: shape for name, (shape, _) in expected.items()}
        if {name: array.shape for name, array in arrays.items()} != shapes:
            return "arrays do not fit the network"
        for name, (_, kinds) in expected.items():
            if arrays[name].dtype.name not in kinds:
                return f"{name} is {arrays[name].dtype}, expected {kinds[0]}"
        return self._problem_of_values(test_images)

    def _problem_of_values(self, test_images: int) -> str | None:
        if not (np.isfinite(self.saliency).all() and np.isfinite(self.occlusion).all()):
            return "saliency and occlusion must be finite"
        if ((self.indices < 0) | (self.indices >= test_images)).any():
            return f"indices must be integers from 0 to {test_images - 1}"
        return None


def layers_with_maps(network: Network) -> dict[str, Shape]:
    """The layers whose outputs are images, with the shape of what is kept of them, (F, H, W)."""
    shapes = zip(network.names, network.shapes[1:], strict=True)
    images = [(name, (min(shape[0], MOST_FILTERS), *shape[1:])) for name, shape in shapes if len(shape) == 3]
    return dict(images[:MOST_LAYERS])


def relu_channels(network: Network) -> dict[str, int]:
    """The number of channels of each ReLU, by its name."""
    layers = zip(network.names, network.layers, network.shapes[1:], strict=True)
    return dict([(name, shape[0]) for name, layer, shape in layers if layer.kind == "relu"][:MOST_LAYERS])


def _shapes(network: Network, images: int, searched: int) -> dict[str, tuple[Shape, tuple[str, ...]]]:
    """The shape of each array and the types that it may have, the usual one first."""
    channels, height, width = network.shape
    unseen = {name: np.broadcast_to(0.0, shape) for name, shape in network.parameter_shapes.items()}
    filters = first_filters(network, unseen)
    shown, size = 0 if filters is None else min(len(filters), MOST_FILTERS), patch_field(network).size
    squares = tuple((side - SQUARE) // STEP + 1 for side in (height, width))
    floats, integers = ("float32", "float64"), ("int64", "int32")
    return {
        "images": ((images, channels * height * width), ("uint8",)),
        "indices": ((images,), integers),
        "patches": ((shown, min(MOST_PATCHES, searched), channels, size, size), ("uint8",)),
        "saliency": ((images, height, width), floats),
        "occlusion": ((images, *squares), floats),
        **{f"maps.{name}": ((images, *shape), ("int8",)) for name, shape in layers_with_maps(network).items()},
        **{f"dead.{name}": ((channels,), ("bool",)) for name, channels in relu_channels(network).items()},
    }
