"""Mistakes that students make, as formulas, and fits that find which of them gives the numbers at hand.

A gradient of the data term is B^T X for some B (n, K), and n < d: least squares give B back, with a residual that says
whether there is one. B is then compared with what each mistake, or two at once, would have made of P - Y. The residual
decides: a mistake is named only if its formula gives all the numbers.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

import numpy as np

from cifar_linear.arrays import Floats
from cifar_linear.course.problem import Problem
from cifar_linear.nn.losses import sigmoid, softmax

CLOSE = 1e-6
"""Relative to the largest entry: below it two arrays are the same; a small constant against log(0) changes less."""


class Term(NamedTuple):
    """A mistake: a short name that stays, and what it is in words."""

    name: str
    text: str


Formula = tuple[tuple[Term, ...], Floats]
"""Mistakes, none if it is the right formula, and what it gives with them."""


class Fit(NamedTuple):
    """Which mistakes give an array, and what their formula gives times which factor.

    Attributes:
        terms: the mistakes, none if the formula is the right one.
        factor: 1 is right.
    """

    terms: tuple[Term, ...]
    factor: float


WITHOUT_B = Term("b left out", "b is left out of the scores")
MINUS_B = Term("b subtracted", "b is subtracted from the scores")
OVER_IMAGES = Term("softmax axis", "softmax is taken over the images, not over the classes")
OVER_ALL = Term("softmax over everything", "softmax divides by one sum over all classes and images (no axis)")
SIGMOID = Term("sigmoid", "a sigmoid of each score stands where softmax belongs")
SCORES = Term("no softmax", "the scores are used as they are; softmax or sigmoid is missing")
POWERS = Term("not normalised", "exp(scores) is not divided by its sum")
MIRRORED = Term("sign of scores", "the sign of the scores is turned")
OWN = Term("follows probabilities", "the wrong probabilities are carried on")
SHIFTED_UP = Term("labels shifted", "the labels are shifted by one class")
SHIFTED_DOWN = Term("labels shifted", "the labels are shifted by one class the other way")
NEXT_IMAGE = Term("labels of other images", "each image has the label of its neighbour")
PLUS_LABELS = Term("sign of labels", "the labels are added to the probabilities, with the wrong sign")
NO_LABELS = Term("labels left out", "the labels are left out: only the probabilities are there")
ONLY_LABELS = Term("probabilities left out", "the probabilities are left out: only the labels are there")
EXTRA_SLOPE = Term("extra p(1-p)", "a factor P (1 - P) too much: the derivative of the sigmoid is taken twice")
JACOBIAN = Term("softmax derivative twice", "the derivative of softmax is taken twice")
DIVIDED_BY_P = Term("divided by P", "the difference is divided by P")
ABSOLUTE = Term("absolute value", "the absolute value of P - Y is taken")
FIRST_IMAGE = Term("one image only", "only the first image counts")
LAST_IMAGE = Term("one image only", "only the last image counts: the sum is overwritten")
NO_LAST_IMAGE = Term("last image left out", "the last image is left out")


class Factors:
    """Names of the factors by which a data term is too large, for n images, K outputs and d features."""

    def __init__(self, images: int, outputs: int, features: int):
        n, K, d = images, outputs, features
        once = {
            float(n): (Term("1/n missing", f"the mean over the n = {n} images is missing: it is a sum"),),
            1 / n: (Term("1/n twice", f"the division by n = {n} is done twice"),),
            n / d: (Term("divided by d", f"it is divided by d = {d} features, not by the n = {n} images"),),
            1 / d: (Term("also divided by d", f"it is divided by d = {d} as well"),),
            2.0: (Term("factor 2", "a factor 2 too much"),),
            0.5: (Term("factor 1/2", "a factor 1/2 too much"),),
        }
        if K > 1:
            once |= {
                1 / K: (Term("1/K", f"it is divided by K = {K} classes as well"),),
                n / K: (Term("divided by K", f"it is divided by K = {K} classes, not by the n = {n} images"),),
                float(K): (Term("times K", f"it is multiplied by K = {K}"),),
            }
        sign = Term("sign", "the sign is turned")
        self._known: dict[float, tuple[Term, ...]] = {1.0: (), -1.0: (sign,)}
        self._known |= once
        self._known |= {-factor: (sign, *terms) for factor, terms in once.items()}

    def name(self, factor: float, close: float = CLOSE) -> tuple[Term, ...] | None:
        """What a factor comes from; nothing for 1, None if that is not known."""
        for known, terms in self._known.items():
            if abs(factor - known) <= close * abs(known):
                return terms
        return None

    def items(self) -> Iterator[tuple[float, tuple[Term, ...]]]:
        """Every factor that has a name."""
        yield from self._known.items()


def probabilities(problem: Problem) -> list[Formula]:
    """What right and wrong formulas give for the probabilities, (n, K), the right one first."""
    found = [
        ((*score_terms, *terms), P)
        for score_terms, scores in _scores(problem)
        for terms, P in _of_scores(scores, len(problem.b))
    ]
    return sorted(found, key=lambda pair: len(pair[0]))


def _scores(problem: Problem) -> list[Formula]:
    W, b = problem.W, problem.b
    X = problem.X
    bias = X[:, -1:] * W[:, -1] if problem.bias_in_weights else b
    scores = problem.scores
    return [((), scores), ((WITHOUT_B,), scores - bias), ((MINUS_B,), scores - 2 * bias), ((MIRRORED,), -scores)]


def _of_scores(scores: Floats, outputs: int) -> list[Formula]:
    powers = np.exp(scores)
    unfinished: list[Formula] = [((SCORES,), scores), ((POWERS,), powers)]
    if outputs == 1:
        return [((), sigmoid(scores)), *unfinished]
    return [
        ((), softmax(scores)),
        ((OVER_IMAGES,), powers / powers.sum(axis=0)),
        ((OVER_ALL,), powers / powers.sum()),
        ((SIGMOID,), sigmoid(scores)),
        *unfinished,
    ]


def fit_probabilities(P: Floats, problem: Problem) -> Fit | None:
    """Which formula gives these probabilities, or None."""
    for terms, candidate in probabilities(problem):
        if close(P, candidate):
            return Fit(terms, 1.0)
    return None


def score_gradients(problem: Problem, own_P: Floats | None) -> list[Formula]:
    """What right and wrong formulas give for P - Y, (n, K), those with the fewest mistakes first.

    Args:
        problem: the problem.
        own_P: the student's probabilities, if those are wrong.
    """
    many = probabilities(problem)
    own: list[Formula] = [((OWN,), own_P)] if own_P is not None else []
    found: list[Formula] = []
    for terms, P in [*many[:1], *own, *many[1:]]:
        for label_terms, difference in _differences(P, problem.Y):
            for slope_terms, B in _slopes(difference, P):
                found += [((*terms, *label_terms, *slope_terms, *more), part) for more, part in _images(B)]
    return sorted(found, key=lambda pair: len(pair[0]))


def _differences(P: Floats, Y: Floats) -> Iterator[Formula]:
    yield (), P - Y
    if Y.shape[1] > 1:
        yield (SHIFTED_UP,), P - np.roll(Y, 1, axis=1)
        yield (SHIFTED_DOWN,), P - np.roll(Y, -1, axis=1)
    yield (NEXT_IMAGE,), P - np.roll(Y, 1, axis=0)
    yield (PLUS_LABELS,), P + Y
    yield (NO_LABELS,), P
    yield (ONLY_LABELS,), -Y


def _slopes(B: Floats, P: Floats) -> Iterator[Formula]:
    yield (), B
    yield (EXTRA_SLOPE,), B * P * (1 - P)
    yield (JACOBIAN,), P * (B - (B * P).sum(axis=1, keepdims=True))
    yield (DIVIDED_BY_P,), B / P
    yield (ABSOLUTE,), np.abs(B)


def _images(B: Floats) -> Iterator[Formula]:
    which = np.arange(len(B))[:, None]
    yield (), B
    yield (FIRST_IMAGE,), B * (which == 0)
    yield (LAST_IMAGE,), B * (which == len(B) - 1)
    yield (NO_LAST_IMAGE,), B * (which < len(B) - 1)


def close(found: Floats, expected: Floats, tolerance: float = CLOSE) -> bool:
    """Whether two arrays of one shape are the same, relative to the largest entry that is expected."""
    if found.shape != expected.shape or not np.isfinite(found).all():
        return False
    largest = float(np.abs(expected).max(initial=0))
    return bool(np.abs(found - expected).max(initial=0) <= tolerance * largest)


def factor_of(found: Floats, candidate: Floats) -> float | None:
    """The factor that makes the second array the first, by least squares; None if none does."""
    squares = float(np.vdot(candidate, candidate))
    if squares == 0:
        return None
    factor = float(np.vdot(candidate, found)) / squares
    return factor if factor and close(found, factor * candidate) else None


class DataFit(NamedTuple):
    """The data term of a gradient of W, taken apart.

    Attributes:
        B: (n, K) with gradient = B^T X / n + weights * W.
        weights: how much of W is in it although lambda is 0.
    """

    B: Floats
    weights: float


def take_apart(gradient: Floats, problem: Problem) -> DataFit | None:
    """Find B (n, K) of a gradient (K, d) at lambda 0; None if no B gives it."""
    X, W = problem.X, problem.W
    rest, rest_W = _beside(X, gradient), _beside(X, W)
    weights = float(np.vdot(rest_W, rest)) / float(np.vdot(rest_W, rest_W))
    if np.abs(weights) < CLOSE:
        weights = 0.0
    B: Floats = np.linalg.lstsq(X.T, (gradient - weights * W).T, rcond=None)[0]
    if not close(B.T @ X + weights * W, gradient):
        return None
    return DataFit(B * len(X), weights)


def _beside(X: Floats, rows: Floats) -> Floats:
    """What of each row no sum of images gives."""
    along: Floats = np.linalg.lstsq(X.T, rows.T, rcond=None)[0].T @ X
    return rows - along


def fit_data(B: Floats, problem: Problem, own_P: Floats | None) -> tuple[Fit, Floats] | None:
    """Which formula for P - Y gives B, up to a factor, with what the formula gives; None if none does."""
    for terms, candidate in score_gradients(problem, own_P):
        factor = factor_of(B, candidate)
        if factor is not None:
            return Fit(terms, factor), candidate
    return None


NOT_SQUARED = Term("norm not squared", "the norm of W is not squared")
SIGNS = Term("absolute weights", "it is that of the absolute values of W, not of their squares")
SQUARES = Term("weights squared", "the weights are squared in the gradient")
COVERS_B = Term("bias penalised", "the penalty covers b")
SUM_SQUARED = Term("sum squared", "the sum of W is squared, not its entries")


def penalty_gradients(W: Floats) -> list[Formula]:
    """What formulas give for half the derivative of the penalty at lambda 1."""
    return [
        ((), W),
        ((SIGNS,), np.sign(W) / 2),
        ((SQUARES,), W**2),
        ((SUM_SQUARED,), np.full_like(W, W.sum())),
    ]


def penalties(problem: Problem) -> list[tuple[tuple[Term, ...], float]]:
    """What formulas give for the penalty at lambda 1."""
    W, b = problem.W, problem.b
    squares = float((W**2).sum())
    found: list[tuple[tuple[Term, ...], float]] = [((), squares)]
    if problem.bias_in_weights:
        found += [((), squares - float((W[:, -1] ** 2).sum()))]
    else:
        found += [((COVERS_B,), squares + float((b**2).sum()))]
    return [
        *found,
        ((NOT_SQUARED,), float(np.sqrt(squares))),
        ((SIGNS,), float(np.abs(W).sum())),
        ((SUM_SQUARED,), float(W.sum() ** 2)),
        ((Term("mean of squares", "the mean of the squares is taken, not their sum"),), float((W**2).mean())),
    ]


def penalty_factor(factor: float, lam: float, images: int) -> tuple[Term, ...] | None:
    """What a factor of the penalty, or of its gradient, comes from; nothing for 1, None if that is not known."""
    n = images
    known: Mapping[float, tuple[Term, ...]] = {
        1.0: (),
        0.0: (Term("penalty missing", "it is missing"),),
        0.5: (Term("penalty halved", "it is half as large as that of lambda sum W^2"),),
        2.0: (Term("penalty doubled", "it is twice as large as that of lambda sum W^2"),),
        -1.0: (Term("penalty sign", "its sign is turned"),),
        -0.5: (Term("penalty sign", "its sign is turned"), Term("penalty halved", "it is half as large")),
        1 / n: (Term("penalty divided by n", f"it is divided by the n = {n} images"),),
        0.5 / n: (
            Term("penalty divided by n", f"it is divided by the n = {n} images"),
            Term("penalty halved", "it is half as large as that of lambda sum W^2"),
        ),
        float(n): (Term("penalty times n", f"it is added for each of the n = {n} images"),),
        lam: (Term("lambda squared", "lambda is multiplied in twice"),),
    }
    for value, terms in known.items():
        if abs(factor - value) <= CLOSE * max(abs(value), 1e-3):
            return terms
    return None


def losses(P: Floats, problem: Problem) -> Iterator[tuple[tuple[Term, ...], float]]:
    """What right and wrong formulas give for the mean loss over the images, from probabilities (n, K)."""
    Y = problem.Y
    with np.errstate(all="ignore"):
        logs = np.log(P)
        others = np.log(1 - P)
        binary = -float((Y * logs + (1 - Y) * others).sum()) / len(Y)
        if Y.shape[1] == 1:
            yield (), binary
            yield (Term("only label 1", "only images with label 1 count"),), -float((Y * logs).sum()) / len(Y)
            yield (NEXT_IMAGE,), -float((np.roll(Y, 1) * logs + (1 - np.roll(Y, 1)) * others).sum()) / len(Y)
            return
        entropy = Term("binary cross-entropy", "the other classes count as well, as in binary cross-entropy")
        yield (), -float((Y * logs).sum()) / len(Y)
        yield (SHIFTED_UP,), -float((np.roll(Y, 1, axis=1) * logs).sum()) / len(Y)
        yield (SHIFTED_DOWN,), -float((np.roll(Y, -1, axis=1) * logs).sum()) / len(Y)
        yield (NEXT_IMAGE,), -float((np.roll(Y, 1, axis=0) * logs).sum()) / len(Y)
        yield (entropy,), binary
        yield (Term("no logarithm", "the logarithm is missing"),), -float((Y * P).sum()) / len(Y)
        yield (Term("squared error", "it is a squared error"),), float(((P - Y) ** 2).sum()) / len(Y)
        yield (Term("labels left out", "the logarithms of all classes are summed"),), -float(logs.sum()) / len(Y)
        yield (
            (Term("log of mean", "the logarithm is taken of the mean, not the mean of the logarithms"),),
            -float(np.log((Y * P).sum() / len(Y))),
        )


def fit_loss(value: float, P: Floats, problem: Problem, factors: Factors, tolerance: float) -> Fit | None:
    """Which formula, with which known factor, gives the value of a loss; None if none does."""
    bases = {1 / np.log(2): "2", 1 / np.log(10): "10"}
    with_base: list[tuple[float, tuple[Term, ...]]] = [
        (base, (Term("logarithm", f"the logarithm has base {name}"),)) for base, name in bases.items()
    ]
    found = [
        Fit((*terms, *more), factor)
        for terms, loss in losses(P, problem)
        for factor, more in (*factors.items(), *with_base)
        if abs(value - factor * loss) <= tolerance * abs(factor * loss)
    ]
    return min(found, key=lambda fit: len(fit.terms), default=None)
