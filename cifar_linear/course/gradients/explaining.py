"""The mistakes in the gradients of W and b: data term and penalty apart, each in words with both numbers."""

from __future__ import annotations

import numpy as np

from cifar_linear.arrays import Floats
from cifar_linear.course.gradients.answers import Fault
from cifar_linear.course.gradients.catalogue import (
    CLOSE,
    COVERS_B,
    NOT_FINITE,
    ZERO,
    Factors,
    Term,
    factor_term,
    penalty_factor,
)
from cifar_linear.course.gradients.fitting import close, factor_of, fit_data, take_apart
from cifar_linear.course.gradients.formulas import penalty_gradients, score_gradients
from cifar_linear.course.gradients.problem import LAMS, Problem

UNEXPLAINED = "not explained"
SINGLE = 1e-3


def _right(problem: Problem) -> tuple[Floats, Floats]:
    """The right gradients at lambda 0, (K, d) and (K,)."""
    G = (problem.P - problem.Y) / len(problem.Y)
    return G.T @ problem.X, G.sum(axis=0)


def weight_faults(
    first: Floats, last: Floats | None, problem: Problem, own_P: Floats | None, single: bool
) -> tuple[list[Fault], Floats | None]:
    """The mistakes in the gradient of W, and the formula (n, K) that its data term is made of.

    Args:
        first: the gradient (K, d) at lambda 0.
        last: that at the last lambda; None if the penalty is not to be checked.
        problem: what it is the gradient of.
        own_P: the student's probabilities if they are wrong and the gradient is made from them.
        single: whether it has single precision.
    """
    right, _ = _right(problem)
    tolerance = SINGLE if single else CLOSE
    faults: list[Fault] = []
    formula: Floats | None = problem.P - problem.Y
    if not close(first, right, tolerance):
        terms, formula = _data_terms(first, problem, own_P)
        faults += array_faults("grad_W", terms, first, right, "data term: ")
    if last is not None and not _is_right_penalty(penalty := (last - first) / LAMS[1], problem, tolerance):
        terms = _penalty_terms(penalty, problem)
        faults += array_faults("grad_W", terms, last - first, 2 * LAMS[1] * problem.W, "penalty: ")
    return faults, formula


def _is_right_penalty(penalty: Floats, problem: Problem, tolerance: float) -> bool:
    if close(penalty, 2 * problem.W, tolerance):
        return True
    without = 2 * problem.W
    without[:, -1] = 0
    return problem.bias_in_weights and close(penalty, without, tolerance)


def _data_terms(
    gradient: Floats, problem: Problem, own_P: Floats | None
) -> tuple[tuple[Term, ...] | None, Floats | None]:
    if not gradient.any():
        return (ZERO,), None
    if not np.isfinite(gradient).all():
        return (NOT_FINITE,), None
    if (apart := take_apart(gradient, problem)) is None:
        without_X = factor_of(gradient, np.tile((problem.P - problem.Y).sum(axis=0)[:, None], gradient.shape[1]))
        return ((Term("X left out", "the images are not multiplied in"),) if without_X else None), None
    weights = (Term("penalty without lambda", "W is added although lambda is 0"),) if apart.weights else ()
    fitted = fit_data(apart.B, problem, own_P)
    if fitted is None:
        return None, None
    fit, formula = fitted
    return (*fit.terms, *_factor_terms(fit.factor, problem), *weights), formula


def _factor_terms(factor: float, problem: Problem) -> tuple[Term, ...]:
    named = factors_of(problem).name(factor)
    if named is not None:
        return named
    return (factor_term(factor),)


def _penalty_terms(penalty: Floats, problem: Problem) -> tuple[Term, ...] | None:
    if not np.isfinite(penalty).all():
        return (NOT_FINITE,)
    if np.abs(penalty).max() <= CLOSE * np.abs(problem.W).max():
        return penalty_factor(0.0, LAMS[1], len(problem.labels))
    for terms, half in penalty_gradients(problem.W):
        factor = factor_of(penalty, 2 * half)
        named = None if factor is None else penalty_factor(factor, LAMS[1], len(problem.labels))
        if named is not None:
            return (*terms, *named)
        if factor is not None and not terms:  # with a factor of its own, every constant would be a sum of something
            return (factor_term(factor),)
    return None


def bias_faults(
    first: Floats, last: Floats, problem: Problem, own_P: Floats | None, formula: Floats | None, single: bool
) -> list[Fault]:
    """The mistakes in the gradient of b.

    Args:
        first: the gradient (K,) at lambda 0.
        last: that at the last lambda.
        problem: what it is the gradient of.
        own_P: the student's probabilities if they are wrong and the gradient is made from them.
        formula: what the gradient of W is made of, (n, K), or None.
        single: whether it has single precision.
    """
    _, right = _right(problem)
    tolerance = SINGLE if single else CLOSE
    faults: list[Fault] = []
    if not close(first, right, tolerance):
        faults += array_faults("grad_b", _bias_terms(first, problem, own_P, formula), first, right, "data term: ")
    penalty = (last - first) / LAMS[1]
    if np.isfinite(penalty).all() and np.abs(penalty).max() > tolerance * np.abs(problem.b).max():
        factor = factor_of(penalty, 2 * problem.b)
        terms = None if factor is None else (COVERS_B,)
        faults += array_faults("grad_b", terms, LAMS[1] * penalty, 0 * right, "penalty: ")
    return faults


def _bias_terms(
    gradient: Floats, problem: Problem, own_P: Floats | None, formula: Floats | None
) -> tuple[Term, ...] | None:
    """Mistakes in the gradient of b: first those of the formula of W, then of the right one, then of all."""
    if not gradient.any():
        return (ZERO,)
    if not np.isfinite(gradient).all():
        return (NOT_FINITE,)
    n = len(problem.Y)
    right = problem.P - problem.Y
    formulas = [((), formula)] if formula is not None else []
    for terms, B in [*formulas, ((), right), *score_gradients(problem, own_P)]:
        total = B.sum(axis=0) / n
        if not np.abs(total).max() > 1e-12:
            continue
        factor = factor_of(gradient, total)
        if factor is not None:
            return (*terms, *_factor_terms(factor, problem))
        if factor_of(1 / gradient, total) is not None:
            return (*terms, Term("reciprocal", "is one divided by the sum, not the sum divided by n"))
    return None


def array_faults(
    part: str, terms: tuple[Term, ...] | None, found: Floats, expected: Floats, start: str = ""
) -> list[Fault]:
    """A fault for each mistake, with the entry of largest difference."""
    if terms is None and not np.isfinite(found).all():
        terms = (NOT_FINITE,)
    elif terms is None:
        terms = (Term(UNEXPLAINED, "no mistake of the catalogue gives these numbers"),)
    apart = np.nan_to_num(np.abs(found - expected), nan=np.inf)
    where = np.unravel_index(int(apart.argmax()), apart.shape)
    entry = f"[{', '.join(str(int(place)) for place in where)}]"
    return [Fault(part, t.name, start + t.text, f"{found[where]:.8g}", f"{expected[where]:.8g}", entry) for t in terms]


def factors_of(problem: Problem) -> Factors:
    """Names of factors for the sizes of a problem."""
    images, outputs = problem.P.shape
    return Factors(images, outputs, problem.X.shape[1])
