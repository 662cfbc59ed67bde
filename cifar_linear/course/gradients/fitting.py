"""Fits that find which formula gives the numbers at hand.

A gradient of the data term is B^T X for some B (n, K), and n < d: least squares give B back, with a residual that says
whether there is one. B is then compared with what each mistake, or two at once, would have made of P - Y. The residual
decides: a mistake is named only if its formula gives all the numbers.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from cifar_linear.arrays import Floats
from cifar_linear.course.gradients.catalogue import CLOSE, Factors, Term
from cifar_linear.course.gradients.formulas import losses, probabilities, score_gradients
from cifar_linear.course.gradients.problem import Problem


class Fit(NamedTuple):
    """Which mistakes give an array, and what their formula gives times which factor.

    Attributes:
        terms: the mistakes, none if the formula is the right one.
        factor: 1 is right.
    """

    terms: tuple[Term, ...]
    factor: float


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


def fit_probabilities(P: Floats, problem: Problem) -> Fit | None:
    """Which formula gives these probabilities, or None."""
    for terms, candidate in probabilities(problem):
        if close(P, candidate):
            return Fit(terms, 1.0)
    return None


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
