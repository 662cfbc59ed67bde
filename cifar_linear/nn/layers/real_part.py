"""The larger of two arrays, chosen by their real parts.

The complex step (`nn.finite_differences`) puts a tiny perturbation into the imaginary part. It must not change what
ReLU and pooling choose; of equal numbers they choose the first.
"""

import numpy as np

from cifar_linear.arrays import Floats


def larger(a: Floats | float, b: Floats) -> Floats:
    """Return the larger of a and b by its real part, elementwise; a if they are equal; NaN if a real one is NaN."""
    if np.iscomplexobj(b):
        return np.where(b.real > np.asarray(a).real, b, a)
    return np.maximum(a, b)
