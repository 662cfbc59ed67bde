"""Types of the arrays that the package passes around.

Shapes use n images, d features (channel-major, as CIFAR-10 stores them), K classes and R runs of a group. Images are
rows: X is (n, d). The course notes use the transpose, (d, n).
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]
Doubles = NDArray[np.float64]
Images = NDArray[np.uint8]
Labels = NDArray[np.intp]
Integers = NDArray[np.int64]
Bools = NDArray[np.bool_]

Examples = NDArray[Any]
"""Rows (n, d): pixels from 0 to 255 if the dtype is uint8, otherwise features, which are used without scaling."""
