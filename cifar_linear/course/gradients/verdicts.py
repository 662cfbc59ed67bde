"""Four verdicts about one way to call a student's functions, each with the mistakes that are named."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal, NamedTuple

import numpy as np

from cifar_linear.arrays import Floats
from cifar_linear.course.gradients.answers import Fault, Reader, Values
from cifar_linear.course.gradients.catalogue import Term, penalty_factor
from cifar_linear.course.gradients.explaining import (
    SINGLE,
    UNEXPLAINED,
    array_faults,
    bias_faults,
    factors_of,
    weight_faults,
)
from cifar_linear.course.gradients.fitting import Fit, close, fit_loss, fit_probabilities
from cifar_linear.course.gradients.formulas import losses, penalties
from cifar_linear.course.gradients.problem import LAMS, Problem

Status = Literal["right", "wrong", "not checked"]
_CLOSE_NUMBER = 1e-5
_CLOSE_SLOPE = 1e-4


class Verdict(NamedTuple):
    """The answer to one of the four questions.

    Attributes:
        question: what was asked.
        status: the answer.
        faults: what is wrong, mistake by mistake.
        notes: what is not wrong and worth knowing, or why nothing could be checked.
        error: the student's own traceback, if a call failed.
    """

    question: str
    status: Status
    faults: list[Fault]
    notes: list[str]
    error: str = ""


PROBABILITIES = "probabilities"
LOSS = "loss and cost"
OWN = "gradient against differences of its own cost"
OURS = "gradient against the right one"


def verdicts(reader: Reader, problem: Problem, plan: Mapping[str, Any]) -> list[Verdict]:
    """The four verdicts.

    Args:
        reader: of the answers.
        problem: what they should be.
        plan: how the functions were called: see `child`.
    """
    roles = plan["roles"]
    values = [reader.values(place) for place in range(len(LAMS))]
    return [
        _of_probabilities(values[0], reader, problem),
        _of_loss(values, problem, roles),
        _of_own_cost(values, problem, roles),
        _of_gradient(values, problem, roles, takes_lambda(plan)),
    ]


def takes_lambda(plan: Mapping[str, Any]) -> bool:
    """Whether a function, the constructor or an attribute is given lambda."""
    given = [plan["constructor"] or {}, plan["state"], *(role["arguments"] for role in plan["roles"].values())]
    return any("lam" in symbols.values() for symbols in given)


def _of_probabilities(values: Values, reader: Reader, problem: Problem) -> Verdict:
    question, P = PROBABILITIES, values.P
    faults = [fault for fault in values.faults if fault.part == PROBABILITIES]
    if P is None:
        return Verdict(question, "wrong", faults, [], values.errors.get("P", "" if faults else "nothing is returned"))
    fit = fit_probabilities(P, problem) if not values.single else None
    if values.single and close(P, problem.P, SINGLE):
        fit = Fit((), 1.0)
    if fit is None or fit.terms:
        faults += array_faults(PROBABILITIES, fit.terms if fit else None, P, problem.P)
    large = reader.large()
    overflows = not faults and (large is None or not np.isfinite(np.asarray(large, np.float64)).all())
    note = "exp overflows for scores of some thousands: the result is not finite" if overflows else ""
    return Verdict(question, "wrong" if faults else "right", faults, [note] if note else [])


def _wrong_probabilities(values: Values, problem: Problem) -> Floats | None:
    """The student's probabilities if they are not the right ones."""
    return None if values.P is None or close(values.P, problem.P) else values.P


def _of_loss(values: list[Values], problem: Problem, roles: dict[str, Any]) -> Verdict:
    faults = [fault for fault in values[-1].faults if fault.part in ("loss", "cost")]
    error = next((v.errors[role] for v in values for role in ("loss", "cost") if role in v.errors), "")
    notes: list[str] = []
    if error or faults:
        return Verdict(LOSS, "wrong", faults, notes, error)
    first, last = values
    losses = {"loss": first.loss, "cost": first.cost}
    if first.P is None:
        return Verdict(LOSS, "not checked", [], ["there are no probabilities"])
    if all(value is None for value in losses.values()):
        return Verdict(LOSS, "wrong", [Fault("loss", "missing", "nothing is returned")], [])
    for role, value in losses.items():
        if value is not None:
            own_P = (
                _wrong_probabilities(first, problem)
                if role not in roles or "P" not in roles[role]["arguments"].values()
                else None
            )
            faults += _loss_faults(role, value, own_P, problem, notes)
    if len(faults) == 2 and faults[0].name == faults[1].name:
        faults = faults[:1]
    if any(value is not None and not np.isfinite(value) for value in losses.values()):
        return Verdict(LOSS, "wrong", faults, notes)
    if "cost" in roles and first.cost is not None and last.cost is not None:
        faults += _penalty_faults((last.cost - first.cost) / LAMS[1], problem)
    elif first.loss is not None and last.loss is not None and not _near(last.loss, first.loss):
        faults += _penalty_faults((last.loss - first.loss) / LAMS[1], problem)
    else:
        notes.append("no cost with a penalty is found: only the loss is checked")
    return Verdict(LOSS, "wrong" if faults else "right", faults, notes)


def _near(found: float, expected: float, tolerance: float = _CLOSE_NUMBER) -> bool:
    return abs(found - expected) <= tolerance * abs(expected)


def _loss_faults(role: str, value: float, own_P: Floats | None, problem: Problem, notes: list[str]) -> list[Fault]:
    right = next(loss for _, loss in losses(problem.P, problem))
    if _near(value, right):
        return []
    factors = factors_of(problem)
    fit = fit_loss(value, problem.P, problem, factors, _CLOSE_NUMBER)
    if own_P is not None:
        own = fit_loss(value, own_P, problem, factors, _CLOSE_NUMBER)
        if own is not None and (fit is None or len(own.terms) <= len(fit.terms)):
            notes.append(f"the {role} follows from the wrong probabilities")
            fit = own
    terms: Iterable[Term] = fit.terms if fit else (Term(UNEXPLAINED, _unexplained(value)),)
    return [Fault(role, term.name, term.text, f"{value:.8g}", f"{right:.8g}") for term in terms]


def _unexplained(value: float) -> str:
    return "is not a finite number" if not np.isfinite(value) else "no mistake of the catalogue gives this number"


def _penalty_faults(penalty: float, problem: Problem) -> list[Fault]:
    choices = penalties(problem)
    right = choices[0][1]
    best: tuple[Term, ...] | None = None
    for terms, value in choices:
        named = penalty_factor(_rounded(penalty / value), LAMS[1], len(problem.labels))
        if named is not None and (best is None or len(named) + len(terms) < len(best)):
            best = (*terms, *named)
    best = (Term(UNEXPLAINED, "no mistake of the catalogue gives this number"),) if best is None else best
    return [Fault("penalty", t.name, t.text, f"{LAMS[1] * penalty:.8g}", f"{LAMS[1] * right:.8g}") for t in best]


def _rounded(factor: float) -> float:
    """Without what the rounding of a difference of two costs leaves."""
    return 0.0 if abs(factor) < 1e-9 else factor


def _of_own_cost(values: list[Values], problem: Problem, roles: dict[str, Any]) -> Verdict:
    """Directions in W, then in b: slopes of the student's cost, and what the student's gradient says of them."""
    checked = 0
    notes: list[str] = []
    for lam, v in zip(LAMS, values, strict=True):
        if lam and _lacks_penalty(values, roles):
            notes.append("there is no cost with a penalty: checked at lambda 0 only")
            continue
        if any(cost is not None and not np.isfinite(cost) for cost in (v.loss, v.cost)):
            return Verdict(OWN, "not checked", [], ["its own cost is not a finite number"])
        if "slopes" in v.errors:
            return Verdict(OWN, "wrong", [], notes, v.errors["slopes"])
        if v.slopes is None or v.own_weights is None or (v.own_bias is None and not problem.bias_in_weights):
            continue
        if v.single:
            return Verdict(OWN, "not checked", [], ["numbers have single precision: too coarse for differences"])
        analytic = [float(np.vdot(direction, v.own_weights)) for direction in problem.along_weights]
        if v.own_bias is not None:
            analytic += [float(direction @ v.own_bias) for direction in problem.along_bias]
        checked += 1
        scale = max(float(np.abs(v.slopes).max()), 1e-12)
        apart = np.nan_to_num(np.abs(np.array(analytic) - v.slopes) / scale, nan=np.inf)
        worst = int(apart.argmax())
        if apart[worst] > _CLOSE_SLOPE:
            part = "grad_W" if worst < len(problem.along_weights) else "grad_b"
            text = f"is not the derivative of the cost that is computed (lambda {lam:g}, along a random direction)"
            fault = Fault(part, "not its own derivative", text, f"{analytic[worst]:.8g}", f"{v.slopes[worst]:.8g}")
            return Verdict(OWN, "wrong", [fault], notes)
    if not checked:
        return Verdict(OWN, "not checked", [], ["cost or gradient is missing or has a wrong shape"])
    return Verdict(OWN, "right", [], notes)


def _lacks_penalty(values: list[Values], roles: dict[str, Any]) -> bool:
    """Whether there is only a loss, the same for each lambda."""
    first, last = values[0].loss, values[-1].loss
    return "cost" not in roles and first is not None and last is not None and _near(last, first, 1e-12)


def _of_gradient(values: list[Values], problem: Problem, roles: dict[str, Any], has_penalty: bool) -> Verdict:
    first, last = values
    error = next((v.errors["gradients"] for v in values if "gradients" in v.errors), "")
    faults = [fault for fault in last.faults if fault.part.startswith("grad")]
    if error:
        return Verdict(OURS, "wrong", faults, [], error)
    notes = [] if has_penalty else ["nothing takes lambda: the penalty is not checked"]
    own_P = None if "P" in roles["gradients"]["arguments"].values() else _wrong_probabilities(first, problem)
    formula = None
    if first.weights is not None and last.weights is not None:
        more, formula = weight_faults(
            first.weights, last.weights if has_penalty else None, problem, own_P, first.single
        )
        faults += more
    if first.bias is not None and last.bias is not None:
        faults += bias_faults(first.bias, last.bias, problem, own_P, formula, first.single)
    if first.P is None:
        return Verdict(OURS, "not checked", [], ["there are no probabilities"])
    if first.weights is None and not faults:
        faults.append(Fault("grad_W", "missing", "nothing is returned"))
    return Verdict(OURS, "wrong" if faults else "right", faults, notes)
