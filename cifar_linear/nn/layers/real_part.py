"""The larger of two arrays, chosen so that an imaginary part changes no choice.

The complex step (`nn.finite_differences`) puts a tiny perturbation into the imaginary part. What ReLU and pooling
choose must be what they choose without it, and of equals the first.
"""

import numpy as np

from cifar_linear.arrays import Floats


def larger(a: Floats | float, b: Floats) -> Floats:
    """The larger of a and b by its real part, elementwise; a of equals. NaN if one of two real numbers is NaN."""
    if np.iscomplexobj(b):
        return np.where(b.real > np.asarray(a).real, b, a)
    return np.maximum(a, b)
