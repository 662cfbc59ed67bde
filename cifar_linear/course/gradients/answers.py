"""What a student's functions returned, in our shapes; what has another shape becomes a fault."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from cifar_linear.arrays import Floats
from cifar_linear.course.gradients.names import GRADIENT_NAMES, plain
from cifar_linear.course.gradients.problem import Problem, orientation


class Fault(NamedTuple):
    """Something wrong.

    Attributes:
        part: what it is in: probabilities, loss, cost, penalty, grad_W, grad_b.
        name: of the mistake, short and lasting: see `catalogue`.
        text: the mistake in words.
        found: the student's number, as text.
        expected: the right number, as text.
        where: the entry that both are of, or nothing.
    """

    part: str
    name: str
    text: str
    found: str = ""
    expected: str = ""
    where: str = ""


class Values(NamedTuple):
    """What was returned at one lambda. None where nothing usable was; `faults` and `errors` say why."""

    P: Floats | None
    loss: float | None
    cost: float | None
    weights: Floats | None
    bias: Floats | None
    own_weights: Floats | None
    own_bias: Floats | None
    slopes: Floats | None
    single: bool
    """Whether numbers have single precision."""
    faults: list[Fault]
    errors: dict[str, str]


class Reader:
    """Reads the answers to one variant of calling."""

    def __init__(self, arrays: Mapping[str, Any], number: int, shapes: str, problem: Problem):
        self._arrays, self._shapes, self._problem = arrays, orientation(shapes), problem
        self._start = f"{number}/"

    def values(self, place: int) -> Values:
        """What was returned at the lambda of a place in the list."""
        at = f"{self._start}{place}/"
        mine = {key[len(at) :]: value for key, value in self._arrays.items() if key.startswith(at)}
        errors = {key[:-1].split("/")[0]: str(text) for key, text in mine.items() if key.endswith("!")}
        faults: list[Fault] = []
        P = self._by_image(_first(mine, "P"), faults)
        loss, cost = self._numbers(mine, faults)
        grad_W, grad_b = self._gradient(mine, "gradients", faults)
        own_W, own_b = (
            self._gradient(mine, "own", []) if "own" in {key.split("/")[0] for key in mine} else (grad_W, grad_b)
        )
        single = any(getattr(value, "dtype", None) in (np.float32, np.float16) for value in mine.values())
        slopes = mine.get("slopes")
        if slopes is not None:
            slopes = slopes[:, min(self._cost_place, slopes.shape[1] - 1)]
        return Values(P, loss, cost, grad_W, grad_b, own_W, own_b, slopes, single, faults, errors)

    def large(self) -> Any:
        """The probabilities for weights that are a thousand times larger."""
        return _first({key[len(self._start) :]: value for key, value in self._arrays.items()}, "large")

    def _by_image(self, P: Any, faults: list[Fault]) -> Floats | None:
        """Probabilities as (n, K)."""
        if P is None:
            return None
        n, K = self._problem.P.shape
        columns = not self._shapes.scores_in_rows
        expected = (K, n) if columns else (n, K)
        if P.shape == expected or (K == 1 and P.size == n):
            shaped = _doubles(P).reshape(expected)
            return shaped.T if columns else shaped
        name = "transposed" if P.shape == expected[::-1] else "shape"
        faults.append(_shape("probabilities", name, P, expected))
        return None if name == "shape" else _doubles(P if columns else P.T)

    def _numbers(self, mine: Mapping[str, Any], faults: list[Fault]) -> tuple[float | None, float | None]:
        """Loss and cost. A function for the cost may return both."""
        loss, cost = (
            [value for key, value in mine.items() if key.split("/")[0] == role and not key.endswith("!")]
            for role in ("loss", "cost")
        )
        if len(cost) == 2:
            place = self._cost_place
            cost, loss = [cost[place]], loss or [cost[1 - place]]
        faults += [
            Fault(role, "shape", f"has shape {values[0].shape}; one number is expected")
            for role, values in (("loss", loss), ("cost", cost))
            if values and values[0].size != 1
        ]
        found = [float(values[0].reshape(-1)[0]) if values and values[0].size == 1 else None for values in (loss, cost)]
        return found[0], found[1]

    @property
    def _cost_place(self) -> int:
        """Which of two returned numbers is the cost: the second, if lambda changes it and not the first."""
        both = [[self._arrays.get(f"{self._start}{lam}/cost/{place}") for lam in (0, 1)] for place in (0, 1)]
        changes = [a is not None and b is not None and not np.array_equal(a, b) for a, b in both]
        return int(changes == [False, True])

    def _gradient(self, mine: Mapping[str, Any], role: str, faults: list[Fault]) -> tuple[Floats | None, Floats | None]:
        parts = {key.partition("/")[2]: value for key, value in mine.items() if key.split("/")[0] == role}
        parts = {key: value for key, value in parts.items() if not key.endswith("!")}
        if not parts:
            return None, None
        W = _named(parts, "W", 0)
        b = None if self._problem.bias_in_weights else _named(parts, "b", 1)
        if W is not None and b is not None and b.size == self._problem.W.size and W.size == self._problem.b.size:
            W, b = b, W
        return self._weights(W, faults), self._bias(b, faults)

    def _weights(self, W: Any, faults: list[Fault]) -> Floats | None:
        K, d = self._problem.W.shape
        turned = self._shapes.weights_turned
        expected = (d, K) if turned else (K, d)
        if W is None:
            faults.append(Fault("grad_W", "missing", f"is not returned; an array of shape {expected} is expected"))
            return None
        if W.shape == expected:
            return _doubles(W.T if turned else W)
        name = "transposed" if W.shape == expected[::-1] else "shape"
        faults.append(_shape("grad_W", name, W, expected))
        return None if name == "shape" else _doubles(W if turned else W.T)

    def _bias(self, b: Any, faults: list[Fault]) -> Floats | None:
        if self._problem.bias_in_weights:
            return None
        K = self._problem.P.shape[1]
        expected = self._shapes.bias
        if b is None:
            faults.append(Fault("grad_b", "missing", f"is not returned; an array of shape {expected} is expected"))
            return None
        if b.size == K and np.broadcast_shapes(b.shape, expected) == expected:
            return _doubles(b).reshape(K)
        faults.append(self._bias_fault(b, expected))
        return _doubles(b).reshape(K) if b.size == K else None

    def _bias_fault(self, b: Any, expected: tuple[int, ...]) -> Fault:
        n, K = self._problem.P.shape
        if b.size == 1:
            return Fault("grad_b", "one number", f"is one number; one for each of the K = {K} classes is expected")
        if b.size == n:
            text = f"has a number for each of the n = {n} images: summed over the classes"
            return Fault("grad_b", "sum over classes", text)
        return _shape("grad_b", "not summed" if b.size == n * K else "shape", b, expected)


def _named(parts: Mapping[str, Any], which: str, place: int) -> Any:
    for key, value in parts.items():
        if plain(key) in GRADIENT_NAMES[which]:
            return value
    return parts.get(str(place), parts.get("") if place == 0 else None)


def _first(mine: Mapping[str, Any], key: str) -> Any:
    """An array, or the first of several that were returned."""
    if key in mine:
        return mine[key]
    return next((value for name, value in mine.items() if name.startswith(f"{key}/") and not name.endswith("!")), None)


def _doubles(array: Any) -> Floats:
    return np.asarray(array, np.float64)


def _shape(part: str, name: str, found: Any, expected: tuple[int, ...]) -> Fault:
    how = " (transposed)" if name == "transposed" else ""
    return Fault(part, name, f"has shape {found.shape}; {expected} is expected{how}")
