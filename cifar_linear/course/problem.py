"""The small problem on which a student's functions are called, and the right values of it.

d, n and K are all different, so that every wrong axis shows.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from cifar_linear.arrays import Floats, Labels
from cifar_linear.nn.losses import sigmoid, softmax

IMAGES = 7
CLASSES = 10
LAMS = (0.0, 0.37)
STEP = 1e-5
_DIRECTIONS = 8
_BIAS_DIRECTIONS = 4
_SEED = 20


class Problem(NamedTuple):
    """Images, labels and weights; shapes are ours, with images in rows.

    Attributes:
        X: (n, d); with the bias in the weights the last column is ones.
        labels: (n,).
        Y: one-hot, (n, K); for one output, 1 for the first class.
        W: (K, d).
        b: (K,); zero if the bias is in the weights.
        P: probabilities, (n, K).
        along_weights: directions, (D, K, d), of length 1.
        along_bias: directions, (D, K), of length 1; none if the bias is in the weights.
        bias_in_weights: whether the last column of W is the bias.
    """

    X: Floats
    labels: Labels
    Y: Floats
    W: Floats
    b: Floats
    P: Floats
    along_weights: Floats
    along_bias: Floats
    bias_in_weights: bool

    @property
    def scores(self) -> Floats:
        """X W^T + b, (n, K)."""
        scores: Floats = self.X @ self.W.T + self.b
        return scores

    def numbers(self) -> dict[str, Any]:
        """Sizes and the like, for parameters that ask for them."""
        n, d = self.X.shape
        return {"n": n, "d": d, "K": len(self.b), "eta": 0.01, "seed": 0}


def make_problem(features: int, outputs: int, bias_in_weights: bool) -> Problem:
    """Draw a problem; the same each time, so that a verdict can be compared with an earlier one.

    Args:
        features: d.
        outputs: K; 1 for logistic regression.
        bias_in_weights: whether one more column of ones takes the place of b.
    """
    rng = np.random.default_rng(_SEED)
    X = rng.standard_normal((IMAGES, features))
    W = rng.standard_normal((outputs, features)) / np.sqrt(features)
    b = rng.standard_normal(outputs) / 2
    labels = np.array([3, 0, 9, 5, 5, 1, 7])
    Y = np.eye(CLASSES)[labels] if outputs > 1 else (labels % 2 == 1).astype(float)[:, None]
    if bias_in_weights:
        X, W, b = np.hstack([X, np.ones((IMAGES, 1))]), np.hstack([W, b[:, None]]), np.zeros(outputs)
    scores: Floats = X @ W.T + b
    P = softmax(scores) if outputs > 1 else sigmoid(scores)
    along_W = _directions(rng, _DIRECTIONS, W.shape)
    along_b = _directions(rng, 0 if bias_in_weights else _BIAS_DIRECTIONS, b.shape)
    return Problem(X, labels, Y, W, b, P, along_W, along_b, bias_in_weights)


def _directions(rng: np.random.Generator, count: int, shape: tuple[int, ...]) -> Floats:
    directions = rng.standard_normal((count, *shape))
    lengths = np.sqrt((directions**2).sum(axis=tuple(range(1, directions.ndim)), keepdims=True))
    divided: Floats = directions / lengths
    return divided


def oriented(problem: Problem, orientation: str) -> dict[str, Any]:
    """The arrays of a problem in the shapes of a dialect, by the symbols of `interface`."""
    p = problem
    b_shape, turned = _SHAPES[orientation]
    W, along_W = (p.W, p.along_weights) if turned == "W" else (p.W.T, p.along_weights.transpose(0, 2, 1))
    by_image = {"X": p.X, "onehot": p.Y, "P": p.P}
    arrays: dict[str, Any] = {name: array.T if orientation == "columns" else array for name, array in by_image.items()}
    arrays |= {"labels": p.labels, "W": W, "directions_W": along_W}
    if not p.bias_in_weights:
        arrays |= {"b": p.b.reshape(b_shape), "directions_b": p.along_bias.reshape(-1, *_lengths(b_shape, len(p.b)))}
    return {name: np.ascontiguousarray(array) for name, array in arrays.items()}


_SHAPES: dict[str, tuple[tuple[int, ...], str]] = {
    "columns": ((-1, 1), "W"),
    "rows": ((1, -1), "W^T"),
    "rows, W as in columns": ((-1,), "W"),
    "ones": ((-1,), "W^T"),
}
"""The shape of b, and whether W is (K, d) or (d, K)."""


def _lengths(shape: tuple[int, ...], classes: int) -> tuple[int, ...]:
    return tuple(classes if length < 0 else length for length in shape)


def weights_are_turned(orientation: str) -> bool:
    """Whether W is (d, K) in a dialect."""
    return _SHAPES[orientation][1] == "W^T"
