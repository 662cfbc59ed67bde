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


def make_problem(features: int, outputs: int, bias_in_weights: bool, seed: int) -> Problem:
    """Draw a problem.

    Args:
        features: d.
        outputs: K; 1 for logistic regression.
        bias_in_weights: whether one more column of ones takes the place of b.
        seed: from 0.
    """
    rng = np.random.default_rng(seed)
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


class Orientation(NamedTuple):
    """The shapes of a dialect.

    Attributes:
        images_in_rows: X is (n, d) and one-hot labels are (n, K), not their transposes.
        scores_in_rows: probabilities are (n, K), not (K, n).
        weights_turned: W is (d, K), not (K, d).
        bias: the shape of b, for K = 10: (10, 1), (1, 10) or (10,).
    """

    images_in_rows: bool
    scores_in_rows: bool
    weights_turned: bool
    bias: tuple[int, ...]


ORIENTATIONS = {
    "columns": Orientation(False, False, False, (CLASSES, 1)),
    "rows": Orientation(True, True, True, (1, CLASSES)),
    "rows, W as in columns": Orientation(True, True, False, (CLASSES,)),
    "rows, scores in columns": Orientation(True, False, False, (CLASSES, 1)),
}
WITH_ONES = "rows, bias in the weights"
_ALL = ORIENTATIONS | {WITH_ONES: Orientation(True, True, True, ())}


def orientation(name: str) -> Orientation:
    """The shapes that have a name."""
    return _ALL[name]


def oriented(problem: Problem, name: str) -> dict[str, Any]:
    """The arrays of a problem in the shapes of a dialect, by the symbols of `interface`."""
    p, shapes = problem, _ALL[name]
    arrays: dict[str, Any] = {"X": p.X, "onehot": p.Y} if shapes.images_in_rows else {"X": p.X.T, "onehot": p.Y.T}
    arrays |= {"labels": p.labels, "P": p.P if shapes.scores_in_rows else p.P.T}
    turned = shapes.weights_turned
    arrays |= {
        "W": p.W.T if turned else p.W,
        "directions_W": p.along_weights.transpose(0, 2, 1) if turned else p.along_weights,
    }
    if not p.bias_in_weights:
        arrays |= {"b": p.b.reshape(shapes.bias), "directions_b": p.along_bias.reshape(-1, *shapes.bias)}
    return {key: np.ascontiguousarray(array) for key, array in arrays.items()}
