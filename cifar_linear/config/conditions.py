"""Conditions and numbers in the answers of a questions file, as in ``gap of softmax < 2``."""

import re
from collections.abc import Iterator
from typing import NamedTuple

QUANTITIES = (
    "validation accuracy",
    "test accuracy",
    "training accuracy",
    "gap",
    "largest drop",
    "unrest",
    "norm",
    "likeness",
)
"""What a condition can ask of a run; `cifar_linear.report.conditions` computes it."""
_TERM = rf"({'|'.join(QUANTITIES)}) of ([^\s{{}}]+)"
_NUMBER = r"-?\d+(?:\.\d+)?"
_COMPARED = re.compile(rf"{_TERM} ([<>]) (?:({_NUMBER})|(?:({_NUMBER}) \* )?{_TERM})")
_BETTER = re.compile(r"(\S+) beats (\S+)")
_GAP = re.compile(rf"\{{{_TERM}\}}")
_ALLOWED = (
    f"'QUANTITY of RUN > NUMBER', '... > FACTOR * QUANTITY of RUN' or 'RUN beats RUN', joined by ' and '; "
    f"a quantity is {', '.join(QUANTITIES)}"
)


class Quantity(NamedTuple):
    """A number of a run, by its name."""

    name: str
    run: str


class Comparison(NamedTuple):
    """Whether a quantity is above (or, with ``<``, below) ``factor`` times another; below the factor itself if None."""

    left: Quantity
    sign: str
    factor: float
    right: Quantity | None


class Better(NamedTuple):
    """Whether a run is better than another by more than chance."""

    run: str
    other: str


def parse_condition(text: str) -> list[Comparison | Better]:
    """Return the parts of a condition, which all have to hold. Raises `ValueError` with what is allowed.

    >>> parse_condition("gap of a > 2")
    [Comparison(left=Quantity(name='gap', run='a'), sign='>', factor=2.0, right=None)]
    """
    return [_part(" ".join(part.split())) for part in text.split(" and ")]


def _part(text: str) -> Comparison | Better:
    if found := _COMPARED.fullmatch(text):
        name, run, sign, number, factor, other, of = found.groups()
        right = Quantity(other, of) if other else None
        return Comparison(Quantity(name, run), sign, float(number or factor or 1), right)
    if found := _BETTER.fullmatch(text):
        return Better(*found.groups())
    raise ValueError(f"{text!r} is no condition: {_ALLOWED}")


def numbers_in(text: str) -> Iterator[tuple[str, Quantity]]:
    """Yield what stands in braces in an answer, with the number that takes its place. Raises `ValueError` for more."""
    for gap in re.findall(r"\{[^}]*\}", text):
        found = _GAP.fullmatch(" ".join(gap.split()))
        if not found:
            raise ValueError(f"{gap!r} is no number: {{QUANTITY of RUN}}; a quantity is {', '.join(QUANTITIES)}")
        yield gap, Quantity(*found.groups())
