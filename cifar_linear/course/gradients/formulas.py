"""What right and wrong formulas give for probabilities, losses, penalties and their derivatives."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from cifar_linear.arrays import Floats
from cifar_linear.course.gradients.catalogue import (
    ABSOLUTE,
    COVERS_B,
    DIVIDED_BY_P,
    EXTRA_SLOPE,
    FIRST_IMAGE,
    ITSELF,
    JACOBIAN,
    LAST_IMAGE,
    MINUS_B,
    MIRRORED,
    NEXT_IMAGE,
    NO_LABELS,
    NO_LAST_IMAGE,
    NOT_SQUARED,
    ONLY_LABELS,
    OVER_ALL,
    OVER_IMAGES,
    OWN,
    PLUS_LABELS,
    POWERS,
    SCORES,
    SHIFTED_DOWN,
    SHIFTED_UP,
    SIGMOID,
    SIGNS,
    SQUARES,
    SUM_SQUARED,
    WITHOUT_B,
    Formula,
    Term,
)
from cifar_linear.course.gradients.problem import Problem
from cifar_linear.nn.losses import sigmoid, softmax


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


def penalty_gradients(W: Floats) -> list[Formula]:
    """What formulas give for half the derivative of the penalty at lambda 1."""
    return [
        ((), W),
        ((SIGNS,), np.sign(W) / 2),
        ((SQUARES,), W**2),
        ((ITSELF,), np.full_like(W, (W**2).sum() / 2)),
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
