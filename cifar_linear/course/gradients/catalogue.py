"""Mistakes that students make: their names, and factors that give them away."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from cifar_linear.arrays import Floats

CLOSE = 1e-6
"""Relative to the largest entry: below it two arrays are the same; a small constant against log(0) changes less."""


class Term(NamedTuple):
    """A mistake: a short name that stays, and what it is in words."""

    name: str
    text: str


Formula = tuple[tuple[Term, ...], Floats]
"""Mistakes, none if it is the right formula, and what it gives with them."""
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
NOT_SQUARED = Term("norm not squared", "the norm of W is not squared")
SIGNS = Term("absolute weights", "it is that of the absolute values of W, not of their squares")
SQUARES = Term("weights squared", "the weights are squared in the gradient")
COVERS_B = Term("bias penalised", "the penalty covers b")
ITSELF = Term("penalty itself", "the penalty is added, not its derivative")
SUM_SQUARED = Term("sum squared", "the sum of W is squared, not its entries")
SIGN = Term("sign", "the sign is turned")
ZERO = Term("zero", "is zero everywhere")
NOT_FINITE = Term("not finite", "has entries that are not finite")
FLIPPED = Term("filters flipped", "the filters are flipped: the layer is a correlation")
NOT_FLIPPED = Term("filters not flipped", "the filters are not flipped on the way back")
TURNED = Term("gradient flipped", "each filter's gradient is turned by 180 degrees")
NO_MASK = Term("mask missing", "the mask is missing: the gradient passes where the input is negative")
MASK_ONLY = Term("dy left out", "the gradient from behind is left out: only the mask is there")
WRONG_MASK = Term("mask of the gradient", "the mask is taken from the gradient, not from the input")
TURNED_MASK = Term("mask turned", "the mask is turned: the gradient passes where the input is negative, only there")
TIMES_OUTPUT = Term("times output", "the gradient is multiplied by the output, not by the mask")
EVERY_PIXEL = Term("every pixel", "every pixel of a window gets the gradient, not only the largest")
NEGATIVE = Term("negative values", "negative values pass")
IS_MASK = Term("mask instead of values", "the output is 1 where the input is positive, not the input")
ABSOLUTE_INPUT = Term("absolute value", "the absolute value is taken")
MEAN_OF_WINDOW = Term("mean", "the mean of a window is taken, not its largest pixel")
SMALLEST_OF_WINDOW = Term("smallest", "the smallest pixel of a window is taken, not its largest")


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
        self._known: dict[float, tuple[Term, ...]] = {1.0: (), -1.0: (SIGN,)}
        self._known |= once
        self._known |= {-factor: (SIGN, *terms) for factor, terms in once.items()}

    def name(self, factor: float, close: float = CLOSE) -> tuple[Term, ...] | None:
        """What a factor comes from; nothing for 1, None if that is not known."""
        for known, terms in self._known.items():
            if abs(factor - known) <= close * abs(known):
                return terms
        return None

    def items(self) -> Iterator[tuple[float, tuple[Term, ...]]]:
        """Every factor that has a name."""
        yield from self._known.items()


def factor_term(factor: float) -> Term:
    """A factor that has no name."""
    return Term("factor", f"it is {factor:.6g} times as large as it should be")


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
