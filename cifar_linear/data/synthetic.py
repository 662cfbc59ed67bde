"""Ten classes of generated 32 x 32 colour images: shapes, gradients and textures with noise.

They replace CIFAR-10 where it is not installed: the same shapes, the same six batches, nothing to download. Each class
has a preferred place, pattern and colour, which vary and are covered by noise, so that a linear classifier gets most
images right but not all.
"""

from collections.abc import Callable

import numpy as np

from cifar_linear.arrays import Doubles, Images, Labels
from cifar_linear.data.cifar import CIFAR10, IMAGE_SHAPE
from cifar_linear.data.dataset import Source
from cifar_linear.randomness import Purpose, rng_for

_SIDE = 32
_NOISE = 0.16
_CHUNK = 250

Pattern = Callable[[Doubles, Doubles, Doubles], Doubles]
"""How strongly the foreground shows, 0 to 1, at x and y (n, 32, 32), measured from the centre in units of the
object's size, with a phase (n, 1, 1) of 0 to 1."""


def _soft(inside: Doubles) -> Doubles:
    """1 well inside a shape, 0 well outside, and a soft edge between."""
    return np.clip(0.5 + 4 * inside, 0, 1)


def _wave(position: Doubles) -> Doubles:
    """A stripe pattern of period 1 that goes from 0 to 1 and back."""
    return np.abs(2 * (position % 1) - 1)


_PATTERNS: dict[str, Pattern] = {
    "disc": lambda x, y, phase: _soft(1 - np.hypot(x, y)),
    "square": lambda x, y, phase: _soft(0.85 - np.maximum(np.abs(x), np.abs(y))),
    "triangle": lambda x, y, phase: _soft(np.minimum(0.8 - y, (y + 1) / 2 - np.abs(x))),
    "ring": lambda x, y, phase: _soft(0.3 - np.abs(np.hypot(x, y) - 0.9)),
    "cross": lambda x, y, phase: _soft(np.minimum(0.3 - np.minimum(np.abs(x), np.abs(y)), 1.1 - np.hypot(x, y))),
    "rows": lambda x, y, phase: _wave(y + 0.5 * phase),
    "columns": lambda x, y, phase: _wave(x + 0.5 * phase),
    "checks": lambda x, y, phase: _soft(np.where(_wave(x + 0.3 * phase) > 0.5, 1, -1) * (_wave(y) - 0.5)),
    "ramp": lambda x, y, phase: np.clip(0.5 + 0.35 * (x + (2 * phase - 1) * y), 0, 1),
    "glow": lambda x, y, phase: np.exp(-0.5 * (x**2 + (1 + phase) * y**2)),
}
CLASS_NAMES: tuple[str, ...] = tuple(_PATTERNS)

# Preferred colours of object and background, red green blue from 0 to 1: similar enough to be confused.
_OBJECT = np.array(
    [[0.70, 0.45, 0.40], [0.45, 0.65, 0.45], [0.45, 0.45, 0.70], [0.65, 0.60, 0.40], [0.60, 0.42, 0.62],
     [0.42, 0.62, 0.62], [0.62, 0.52, 0.45], [0.50, 0.50, 0.52], [0.55, 0.60, 0.50], [0.62, 0.55, 0.58]]
)  # fmt: skip
_BACKGROUND = np.array(
    [[0.42, 0.48, 0.52], [0.50, 0.44, 0.48], [0.52, 0.50, 0.42], [0.44, 0.46, 0.54], [0.46, 0.52, 0.44],
     [0.52, 0.44, 0.46], [0.42, 0.46, 0.50], [0.50, 0.48, 0.46], [0.44, 0.42, 0.50], [0.46, 0.46, 0.42]]
)  # fmt: skip


def source(images_per_batch: int, seed: int) -> Source:
    """The six batches of generated images.

    Args:
        images_per_batch: the size of each batch.
        seed: of the images; the same seed, size and name of a batch give the same images.
    """

    def read(name: str) -> tuple[Images, Labels]:
        rng = rng_for(seed, Purpose.SYNTHETIC_IMAGES, [*CIFAR10.images].index(name))
        labels = rng.permutation(np.arange(images_per_batch) % len(CLASS_NAMES))
        images = np.empty((images_per_batch, 3 * _SIDE * _SIDE), np.uint8)
        for start in range(0, images_per_batch, _CHUNK):
            images[start : start + _CHUNK] = _draw(labels[start : start + _CHUNK], rng)
        return images, labels

    return Source(read, lambda _name: images_per_batch, CLASS_NAMES, IMAGE_SHAPE)


def _draw(labels: Labels, rng: np.random.Generator) -> Images:
    """One image for each label, (n, 3072), channel-major."""
    n = len(labels)
    size = rng.uniform(7, 12, (n, 1, 1))
    x0, y0 = rng.uniform(14, 18, (2, n, 1, 1))
    phase = rng.random((n, 1, 1))
    x = (np.arange(_SIDE)[None, None, :] + 0.5 - x0) / size
    y = (np.arange(_SIDE)[None, :, None] + 0.5 - y0) / size
    x, y = np.broadcast_arrays(x, y)
    mask = np.empty((n, _SIDE, _SIDE))
    for label, pattern in enumerate(_PATTERNS.values()):
        chosen = labels == label
        mask[chosen] = pattern(x[chosen], y[chosen], phase[chosen])
    colours = np.stack([_OBJECT[labels], _BACKGROUND[labels]]) + rng.normal(0, 0.08, (2, n, 3))
    foreground, background = colours[..., None, None]
    image = background + (foreground - background) * mask[:, None]
    image += rng.normal(0, _NOISE, image.shape)
    pixels: Images = np.rint(255 * np.clip(image, 0, 1)).astype(np.uint8)
    return pixels.reshape(n, -1)
