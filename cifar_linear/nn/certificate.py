"""Between which bounds the lowest cost of a linear classifier lies: what convexity proves.

The lower bound is the value of the dual problem at a feasible point, so it holds for any weights; the derivation is in
docs/explanation/maths.md. n images, d features, K scores.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import DTypeLike

from cifar_linear.arrays import Doubles, Floats, Labels
from cifar_linear.nn.best_bias import Targets
from cifar_linear.nn.lbfgs import lbfgs
from cifar_linear.nn.linear import Linear
from cifar_linear.nn.losses import Loss
from cifar_linear.nn.matmul import columns_times_columns, rows_times_rows

_EPS = float(np.finfo(np.float64).eps)


class Point(NamedTuple):
    """Weights with what they prove.

    Attributes:
        W: weights, (K, d).
        b: biases, (K,); if they are not penalised, the best ones for these weights.
        value: their cost.
        lower: a cost that the optimum is not below.
        gradient: the derivatives of the value by what is penalised: the weights, and perhaps the biases after them,
            (K * d,) or (K * d + K,).
        rounding: how much too low the value may be, and how much too high ``lower``.
    """

    W: Doubles
    b: Doubles
    value: float
    lower: float
    gradient: Doubles
    rounding: tuple[float, float] = (0.0, 0.0)

    @property
    def gap(self) -> float:
        """The distance of the two, as a part of the value."""
        return (self.value - self.lower) / self.value if self.value > 0 else np.inf


class Bracket(NamedTuple):
    """Between which costs the optimum lies, as far as is known.

    Attributes:
        lower: the optimum is not below.
        upper: the optimum is not above; the cost of ``best``.
        best: the point with the lowest cost so far.
        evaluations: how often cost and gradient of all images have been computed.
        proved: whether rounding is accounted for; False for an estimate in single precision.
    """

    lower: float
    upper: float
    best: Point
    evaluations: int
    proved: bool

    @property
    def gap(self) -> float:
        """The width, as a part of the upper end."""
        return (self.upper - self.lower) / self.upper if self.upper > 0 else np.inf

    def with_point(self, point: Point) -> Bracket:
        """The bracket with what one more point proves."""
        value, lower = point.value + point.rounding[0], point.lower - point.rounding[1]
        best = point if value < self.upper else self.best
        return Bracket(max(self.lower, lower), min(self.upper, value), best, self.evaluations + 1, self.proved)


@dataclass(frozen=True)
class Problem:
    """The cost of a linear classifier on all its training images.

    Attributes:
        model: whose standardisation the weights see.
        loss: of one image.
        lam: penalty strength, above 0.
        labels: of the images, (n,).
        parts: returns the raw images in order, part by part, (m, d) each, in a dtype; each may be overwritten.
    """

    model: Linear
    loss: Loss
    lam: float
    labels: Labels
    parts: Callable[[DTypeLike], Iterable[Floats]]

    def cost(self, W: Doubles, b: Doubles) -> float:
        """The cost of any weights (K, d) and biases (K,), in double precision."""
        losses = self.loss.values(self._products(W, np.float64) + b, self.labels)
        return float(losses.mean()) + self._penalty(W, b)

    def point(self, W: Doubles, b: Doubles, dtype: DTypeLike = np.float64) -> Point:
        """What weights (K, d) prove.

        Args:
            W: the weights.
            b: the biases; where they are not penalised, the search for the best ones starts here.
            dtype: of the products with the images. In float32 the bounds are estimates.
        """
        products = self._products(W, dtype)
        if not self.model.bias_is_weight:
            b = self._targets.best_bias(products, b)
        scores = products + b
        losses, G = self.loss.values(scores, self.labels), self.loss.score_gradient(scores, self.labels).astype(float)
        paired = G * scores
        balanced, share = (G, 0.0) if self.model.bias_is_weight else self._targets.balanced(G)
        slope = self._slope(balanced, dtype)
        value = float(losses.mean()) + self._penalty(W, b)
        # loss - G s is the entropy of the image's probabilities, times the weight of the loss; it is concave.
        lower = (1 - share) * float((losses - paired.sum(axis=1)).mean()) - float(slope @ slope) / (4 * self.lam)
        point = Point(W, b, value, lower, slope + 2 * self.lam * self._free(W, b))
        if dtype == np.float32:
            return point
        size = float(losses.mean() + np.abs(paired).sum(axis=1).mean())
        return point._replace(rounding=self._rounding(W, balanced, slope, size))

    def brackets(self, tolerance: float) -> Iterator[Bracket]:
        """Yield the bracket after each evaluation, from zero weights on.

        Products are in single precision until the bracket seems to be no wider than ``tolerance``, a part of the cost,
        and from there in double precision until that is proved. The last bracket is wider only where rounding allows no
        further decrease.
        """
        b = np.zeros(self.model.outputs)
        start = Point(np.zeros(self.model.parameter_shapes["W"]), b, np.inf, -np.inf, b)
        bracket = Bracket(-np.inf, np.inf, start, 0, proved=False)
        for point in self._descend(start, np.float32):
            bracket = bracket.with_point(point)
            yield bracket
            # That of a single point, because that point is then proved.
            if point.gap <= tolerance:
                break
        best, bracket = bracket.best, Bracket(-np.inf, np.inf, start, bracket.evaluations, proved=True)
        for point in self._descend(best, np.float64):
            bracket = bracket.with_point(point)
            yield bracket
            if bracket.gap <= tolerance:
                break

    def _descend(self, start: Point, dtype: DTypeLike) -> Iterator[Point]:
        """Yield every point that L-BFGS evaluates."""
        last = start.b

        def evaluate(free: Doubles) -> Point:
            nonlocal last
            W, penalised_b = free[: start.W.size].reshape(start.W.shape), free[start.W.size :]
            point = self.point(W, penalised_b if self.model.bias_is_weight else last, dtype)
            last = point.b
            return point

        return lbfgs(evaluate, self._free(start.W, start.b))

    def _free(self, W: Doubles, b: Doubles) -> Doubles:
        """What is penalised, in a row."""
        return np.concatenate([W.ravel(), b]) if self.model.bias_is_weight else W.ravel()

    def _penalty(self, W: Doubles, b: Doubles) -> float:
        free = self._free(W, b)
        return self.lam * float(free @ free)

    @cached_property
    def _targets(self) -> Targets:
        return Targets(self.labels, self.loss, self.model.outputs)

    def _standardised(self, dtype: DTypeLike) -> Iterator[Floats]:
        standardization = self.model.standardization
        shift, scale = standardization.shift.astype(dtype), standardization.scale.astype(dtype)
        for raw in self.parts(dtype):
            yield np.multiply(np.subtract(raw, shift, out=raw), scale, out=raw)

    def _products(self, W: Doubles, dtype: DTypeLike) -> Doubles:
        """The scores without biases, (n, K)."""
        V = W.astype(dtype)
        return np.concatenate([rows_times_rows(X, V) for X in self._standardised(dtype)]).astype(np.float64)

    def _slope(self, G: Doubles, dtype: DTypeLike) -> Doubles:
        """The derivatives of the mean loss by what is penalised, from those by the scores, (n, K)."""
        total = np.zeros(self.model.parameter_shapes["W"])
        product, rounded, start = np.empty_like(total, dtype), G.astype(dtype), 0
        for X in self._standardised(dtype):
            columns_times_columns(rounded[start : start + len(X)], X, product)
            total += product
            start += len(X)
        return self._free(total, G.sum(axis=0)) / len(G)

    def _rounding(self, W: Doubles, G: Doubles, slope: Doubles, size: float) -> tuple[float, float]:
        """How much too low a value in double precision may be, and how much too high its lower bound.

        A sum of m products rounds by at most m eps times the sum of their absolute values. The probabilities need not
        be exact, but must be feasible: such are no further away than their means round, which changes an entropy by
        about 40 times as much.

        Args:
            W: weights, (K, d).
            G: derivatives by the scores with mean 0, (n, K).
            slope: derivatives of the mean loss by what is penalised.
            size: the mean over the images of the loss and of the absolute values of all G * score.
        """
        most = (len(G) + W.shape[1] + 100) * _EPS
        of_slope = most * float((np.linalg.norm(G, axis=1) * self._lengths).mean())
        of_penalty = (2 * float(np.linalg.norm(slope)) * of_slope + of_slope**2) / (4 * self.lam)
        of_scores = 2 * float(np.linalg.norm(W, axis=1).max() * self._lengths.mean())
        return most * (size + of_scores), most * (size + 40) + of_penalty

    @cached_property
    def _lengths(self) -> Doubles:
        """Not less than the length of each image as it is standardised, with a one for the bias, (n,)."""
        standardization = self.model.standardization
        lengths = [np.linalg.norm(X, axis=1) for X in self._standardised(np.float64)]
        # What is subtracted rounds like what is left.
        return np.concatenate(lengths) + float(np.linalg.norm(standardization.shift * standardization.scale)) + 1
