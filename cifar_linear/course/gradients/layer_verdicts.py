"""Verdicts about forward and backward functions of layers: against ours, and against their own differences."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from cifar_linear.arrays import Floats
from cifar_linear.course.gradients.answers import Fault
from cifar_linear.course.gradients.catalogue import (
    ABSOLUTE_INPUT,
    CLOSE,
    EVERY_PIXEL,
    FLIPPED,
    IS_MASK,
    LAST_IMAGE,
    MASK_ONLY,
    MEAN_OF_WINDOW,
    NEGATIVE,
    NO_MASK,
    NOT_FINITE,
    NOT_FLIPPED,
    SIGN,
    SMALLEST_OF_WINDOW,
    TIMES_OUTPUT,
    TURNED,
    TURNED_MASK,
    WITHOUT_B,
    WRONG_MASK,
    ZERO,
    Formula,
    Term,
    factor_term,
)
from cifar_linear.course.gradients.explaining import array_faults
from cifar_linear.course.gradients.fitting import close, factor_of
from cifar_linear.course.gradients.layer_pairs import IMAGES, LayerProblem, turned
from cifar_linear.course.gradients.verdicts import Verdict

_CLOSE_SLOPE = 1e-5


def layer_verdicts(
    arrays: Mapping[str, Any], sent: Mapping[str, Any], number: int, plan: Mapping[str, Any], problem: LayerProblem
) -> list[Verdict]:
    """Three verdicts about one layer in one orientation.

    Args:
        arrays: the answer of the child.
        sent: the arrays of the request.
        number: of the plan.
        plan: how the functions were called.
        problem: the layer of ours, and what it was called with.
    """
    start = f"layers/{number}/"
    mine = {key[len(start) :]: value for key, value in arrays.items() if key.startswith(start)}
    asked = ("forward", "backward against its own differences", "backward")
    questions = [f"{plan['kind']}: {question}" for question in asked]
    wanted, orientation = plan["wanted"], plan["orientation"]
    if "y!" in mine or "y" not in mine:
        return [
            Verdict(questions[0], "wrong", [], [], str(mine.get("y!", "nothing is returned"))),
            *(Verdict(question, "not checked", [], ["there is no output"]) for question in questions[1:]),
        ]
    forward = _verdict(questions[0], _compared("y", mine["y"], _outputs(problem), orientation))
    if "backward!" in mine:
        failed = str(mine["backward!"])
        return [forward, *(Verdict(question, "wrong", [], [], failed) for question in questions[1:])]
    gradients = _gradients(mine, wanted, problem)
    along = {name: sent[f"{start}directions_{name}"] for name in wanted}
    faults = [fault for name in wanted for fault in _gradient_faults(name, gradients, problem, orientation)]
    return [forward, _of_own(questions[1], mine, gradients, along), _verdict(questions[2], faults)]


def _verdict(question: str, faults: list[Fault]) -> Verdict:
    return Verdict(question, "wrong" if faults else "right", faults, [])


def _gradients(mine: Mapping[str, Any], wanted: list[str], problem: LayerProblem) -> dict[str, Any]:
    """What backward returned, by parameter: told apart by shape, else by place."""
    parts = [value for key, value in mine.items() if key.split("/")[0] == "backward"]
    sizes = {name: (problem.x if name == "x" else problem.parameters[name]).size for name in wanted}
    found = {}
    for place, name in enumerate(wanted):
        fitting = [part for part in parts if part.size == sizes[name]]
        spare = [part for part in parts if part.size not in sizes.values()]
        found[name] = fitting[0] if fitting else parts[place] if place < len(parts) and spare else None
    return found


def _right(name: str, problem: LayerProblem, dy: Floats) -> Floats:
    """The gradient of ours."""
    _, trace = problem.layer.forward(problem.x, problem.parameters)
    dx, gradients = problem.layer.backward(dy, trace, problem.parameters, True)
    right: Floats = (gradients | ({} if dx is None else {"x": dx}))[name][0]
    return right


def _gradient_faults(name: str, found: dict[str, Any], problem: LayerProblem, orientation: str) -> list[Fault]:
    part = f"d{name}"
    if found[name] is None:
        return [Fault(part, "missing", "is not returned")]
    return _compared(name, found[name], _candidates(name, problem), orientation, part)


def _compared(symbol: str, found: Any, candidates: list[Formula], orientation: str, part: str = "") -> list[Fault]:
    """The mistakes in an array, none if it is the first of the candidates."""
    part = part or symbol
    in_shape = [(terms, turned(array, symbol, orientation)) for terms, array in candidates]
    right = in_shape[0][1]
    if symbol == "b" and found.size == right.size:
        found = found.reshape(right.shape)
    if found.shape != right.shape:
        transposed = found.shape == right.shape[::-1]
        text = f"has shape {found.shape}; {right.shape} is expected{' (transposed)' if transposed else ''}"
        return [Fault(part, "transposed" if transposed else "shape", text)]
    if close(found, right):
        return []
    return array_faults(part, _named(found, in_shape), found, right)


def _named(found: Floats, candidates: list[Formula]) -> tuple[Term, ...] | None:
    """What the catalogue says of an array that is not right; None if it says nothing."""
    if not np.isfinite(found).all():
        return (NOT_FINITE,)
    if not found.any():
        return (ZERO,)
    best: tuple[Term, ...] | None = None
    for terms, candidate in candidates:
        factor = factor_of(found, candidate)
        more = None if factor is None else _factor(factor)
        if more is not None and (best is None or len(terms) + len(more) < len(best)):
            best = (*terms, *more)
    return best or None


def _factor(factor: float) -> tuple[Term, ...]:
    sign = (SIGN,) if factor < 0 else ()
    known = {
        1.0: (),
        1 / IMAGES: (Term("divided by n", f"it is divided by the n = {IMAGES} images; the loss has done that"),),
        float(IMAGES): (Term("times n", f"it is multiplied by the n = {IMAGES} images"),),
    }
    for value, terms in known.items():
        if abs(abs(factor) - value) <= CLOSE * value:
            return (*sign, *terms)
    return (*sign, factor_term(abs(factor)))


def _outputs(problem: LayerProblem) -> list[Formula]:
    """What right and wrong formulas give for the output."""
    layer, x, parameters, _ = problem
    found: list[Formula] = [((), layer.forward(x, parameters)[0][0])]
    if "b" in parameters:
        without = {**parameters, "b": 0 * parameters["b"]}
        found.append(((WITHOUT_B,), layer.forward(x, without)[0][0]))
    if layer.kind == "conv":
        flipped = {**parameters, "W": np.ascontiguousarray(parameters["W"][..., ::-1, ::-1])}
        found.append(((FLIPPED,), layer.forward(x, flipped)[0][0]))
    if layer.kind == "relu":
        values = x[0]
        found += [((NEGATIVE,), values), ((IS_MASK,), (values > 0) * 1.0), ((ABSOLUTE_INPUT,), np.abs(values))]
    if layer.kind == "maxpool":
        windows = _windows(x[0])
        found += [((MEAN_OF_WINDOW,), windows.mean(axis=(2, 4))), ((SMALLEST_OF_WINDOW,), windows.min(axis=(2, 4)))]
    return found


def _windows(x: Floats) -> Floats:
    """(C, H, W, n) as (C, H / 2, 2, W / 2, 2, n)."""
    channels, rows, columns, n = x.shape
    return x.reshape(channels, rows // 2, 2, columns // 2, 2, n)


def _candidates(name: str, problem: LayerProblem) -> list[Formula]:
    """What right and wrong formulas give for the gradient with respect to x, W or b."""
    layer, x, parameters, dy = problem
    found: list[Formula] = [((), _right(name, problem, dy))]
    if name != "x":
        last = dy * (np.arange(dy.shape[-1]) == dy.shape[-1] - 1)
        found.append(((LAST_IMAGE,), _right(name, problem, last)))
    if layer.kind == "conv" and name == "W":
        found.append(((TURNED,), np.ascontiguousarray(found[0][1][..., ::-1, ::-1])))
    if layer.kind == "conv" and name == "x":
        flipped = {**parameters, "W": np.ascontiguousarray(parameters["W"][..., ::-1, ::-1])}
        found.append(((NOT_FLIPPED,), _right(name, problem._replace(parameters=flipped), dy)))
    if layer.kind == "relu":
        mask, values, G = x[0] > 0, x[0], dy[0]
        found += [((NO_MASK,), G), ((MASK_ONLY,), mask * 1.0), ((WRONG_MASK,), G * (G > 0))]
        found += [((TURNED_MASK,), G * ~mask), ((TIMES_OUTPUT,), G * values * mask)]
    if layer.kind == "maxpool":
        spread = np.repeat(np.repeat(dy[0], 2, axis=1), 2, axis=2)
        found += [((EVERY_PIXEL,), spread), ((MASK_ONLY,), (found[0][1] != 0) * 1.0)]
        found.append(((MEAN_OF_WINDOW,), spread / 4))
    return found


def _of_own(question: str, mine: Mapping[str, Any], gradients: dict[str, Any], along: Mapping[str, Floats]) -> Verdict:
    """Slopes of sum(dy * forward) along random directions, and what backward says of them."""
    if "slopes!" in mine:
        return Verdict(question, "wrong", [], [], str(mine["slopes!"]))
    if "slopes" not in mine or any(gradient is None for gradient in gradients.values()):
        return Verdict(question, "not checked", [], ["a gradient is missing"])
    faults = []
    for (name, directions), numeric in zip(along.items(), mine["slopes"], strict=True):
        if gradients[name].size != directions[0].size:
            return Verdict(question, "not checked", [], ["a gradient has a wrong shape"])
        analytic = np.array([float(np.vdot(direction, gradients[name])) for direction in directions])
        apart = np.nan_to_num(np.abs(analytic - numeric), nan=np.inf)
        worst = int(apart.argmax())
        if apart[worst] > _CLOSE_SLOPE * max(float(np.abs(numeric).max()), CLOSE):
            text = "is not the derivative of the forward function (along a random direction)"
            faults.append(
                Fault(f"d{name}", "not its own derivative", text, f"{analytic[worst]:.8g}", f"{numeric[worst]:.8g}")
            )
    return _verdict(question, faults)
