"""MNIST files made by hand, in the published form."""

import gzip
import struct

COUNTS = {"train": 60_000, "t10k": 10_000}


def idx(array):
    """An array of unsigned bytes as an IDX file."""
    return struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape) + array.tobytes()


def write_mnist(folder, images, labels, packed=False):
    """The four files; images (n, 28, 28) and labels (n,) are repeated until there are as many as published."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, count in COUNTS.items():
        for kind, array in (("images-idx3", images), ("labels-idx1", labels)):
            repeated = array[[i % len(array) for i in range(count)]]
            content = idx(repeated)
            path = folder / f"{name}-{kind}-ubyte{'.gz' if packed else ''}"
            path.write_bytes(gzip.compress(content, 1) if packed else content)
