"""A look inside a trained network, at test images: what the figures of its report need besides its weights."""

from collections.abc import Iterator

import numpy as np

from cifar_linear.arrays import Bools, Doubles, Floats, Images, Labels
from cifar_linear.data.batches import pixel_chunks
from cifar_linear.data.dataset import Split
from cifar_linear.nn.introspection import first_filters, occlusion, patch, patch_field, peaks, saliency
from cifar_linear.nn.network import Network
from cifar_linear.nn.parameters import Parameters, dtype_of, of_run
from cifar_linear.runs.introspection import (
    MOST_FILTERS,
    MOST_PATCHES,
    Introspection,
    Maps,
    layers_with_maps,
    relu_channels,
)

_SEARCHED = 2000
"""Test images in which strong responses and dead filters are looked for: a fifth of a usual test set."""
_AT_ONCE = 32
"""Images whose activations are in memory together."""


def introspect(network: Network, parameters: Parameters, test: Split, predicted: Labels) -> Introspection:
    """Look at what a network does with test images.

    Args:
        network: standardisation included.
        parameters: of one run, with a run axis of length 1.
        test: the test images.
        predicted: the class that the network predicts for each of them, (n,).
    """
    _, indices = np.unique(test.labels, return_index=True)
    pixels = test.images[indices].astype(dtype_of(parameters))
    searched = Split(test.images[:_SEARCHED], test.labels[:_SEARCHED])
    dead, responses, places = _searched(network, parameters, searched)
    classes = predicted[indices]
    return Introspection(
        images=test.images[indices],
        indices=indices,
        maps=_maps(network, pixels, parameters),
        dead=dead,
        searched=len(searched),
        patches=_patches(network, parameters, searched.images, responses, places),
        saliency=saliency(network, pixels, classes, parameters),
        occlusion=occlusion(network, pixels, classes, parameters, _mean(network)),
    )


def dead_channels(network: Network, parameters: Parameters, images: Split) -> dict[str, Bools]:
    """For each ReLU, which of its channels are never above 0 in some images, (F,)."""
    return _searched(network, parameters, images)[0]


def _activations(network: Network, parameters: Parameters, images: Split) -> Iterator[tuple[str, Floats]]:
    """Yield the output (1, F, ..., n) of each layer for some images at a time, with its name."""
    for chunk in pixel_chunks(images, dtype_of(parameters)):
        for start in range(0, len(chunk), _AT_ONCE):
            yield from network.activations(chunk[start : start + _AT_ONCE], parameters)


def _mean(network: Network) -> Doubles:
    """The raw pixels that the network sees as 0, (d,)."""
    standardization = network.standardization
    return np.zeros(int(np.prod(network.shape))) if standardization is None else standardization.shift


def _maps(network: Network, pixels: Floats, parameters: Parameters) -> dict[str, Maps]:
    """The outputs of the first channels of each layer, (m, F, H, W), in 127ths of the largest of each channel."""
    maps, kept = {}, layers_with_maps(network)
    for name, y in network.activations(pixels, parameters):
        if name in kept:
            images = y[0, :MOST_FILTERS].transpose(3, 0, 1, 2).astype(np.float64)
            peak = np.abs(images).max(axis=(0, 2, 3), keepdims=True)
            maps[name] = np.rint(127 * images / np.where(peak > 0, peak, 1)).astype(np.int8)
    return maps


def _searched(network: Network, parameters: Parameters, split: Split) -> tuple[dict[str, Bools], Floats, Labels]:
    """Which channels of each ReLU are never above 0; the `peaks` of the first layer with weights."""
    alive = {name: np.zeros(channels, np.bool_) for name, channels in relu_channels(network).items()}
    first, found = network.names[network.first_with_weights], []
    for name, y in _activations(network, parameters, split):
        if name == first:
            found.append(peaks(y[0, :MOST_FILTERS]))
        if name in alive:
            alive[name] |= (y[0] > 0).reshape(len(y[0]), -1).any(axis=1)
    responses, places = (np.concatenate(part, axis=1) for part in zip(*found, strict=True))
    return {name: ~channels for name, channels in alive.items()}, responses, places


def _patches(network: Network, parameters: Parameters, images: Images, responses: Floats, places: Labels) -> Images:
    """What excites each filter of the first layer most, one patch of an image, (F, p, C, r, r)."""
    index = network.first_with_weights
    field, count = patch_field(network), min(MOST_PATCHES, len(images))
    if first_filters(network, of_run(parameters, 0)) is None:
        return np.empty((0, count, network.shape[0], field.size, field.size), np.uint8)
    mean = _mean(network).reshape(network.shape).mean(axis=(1, 2))
    outside = np.clip(np.rint(mean), 0, 255).astype(np.uint8)
    strongest = np.argsort(-responses, axis=1, kind="stable")[:, :count]
    columns = network.shapes[index + 1][-1] if len(network.shapes[index + 1]) == 3 else 1
    squares = [
        patch(
            images[image].reshape(network.shape),
            field.first + field.step * (places[channel, image] // columns),
            field.first + field.step * (places[channel, image] % columns),
            field.size,
            outside,
        )
        for channel, of_channel in enumerate(strongest)
        for image in of_channel
    ]
    return np.stack(squares).reshape(len(strongest), count, *squares[0].shape)
