"""Four verdicts about one way to call a student's functions, each with the mistakes that are named."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal, NamedTuple

import numpy as np

from cifar_linear.arrays import Floats
from cifar_linear.course import catalogue
from cifar_linear.course.answers import Fault, Reader, Values
from cifar_linear.course.catalogue import Factors, Fit, Term
from cifar_linear.course.problem import LAMS, Problem

Status = Literal["right", "wrong", "not checked"]
UNEXPLAINED = "not explained"
_CLOSE_NUMBER = 1e-5
_CLOSE_SLOPE = 1e-4
_SINGLE = 1e-3


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
    fit = catalogue.fit_probabilities(P, problem) if not values.single else None
    if values.single and catalogue.close(P, problem.P, _SINGLE):
        fit = Fit((), 1.0)
    if fit is None or fit.terms:
        faults += _faults(PROBABILITIES, fit.terms if fit else None, P, problem.P)
    large = reader.large()
    overflows = not faults and (large is None or not np.isfinite(np.asarray(large, np.float64)).all())
    note = "exp overflows for scores of some thousands: the result is not finite" if overflows else ""
    return Verdict(question, "wrong" if faults else "right", faults, [note] if note else [])


def _wrong_probabilities(values: Values, problem: Problem) -> Floats | None:
    """The student's probabilities if they are not the right ones."""
    return None if values.P is None or catalogue.close(values.P, problem.P) else values.P


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
    right = next(loss for _, loss in catalogue.losses(problem.P, problem))
    if _near(value, right):
        return []
    factors = _factors(problem)
    fit = catalogue.fit_loss(value, problem.P, problem, factors, _CLOSE_NUMBER)
    if own_P is not None:
        own = catalogue.fit_loss(value, own_P, problem, factors, _CLOSE_NUMBER)
        if own is not None and (fit is None or len(own.terms) <= len(fit.terms)):
            notes.append(f"the {role} follows from the wrong probabilities")
            fit = own
    terms: Iterable[Term] = fit.terms if fit else (Term(UNEXPLAINED, _unexplained(value)),)
    return [Fault(role, term.name, term.text, f"{value:.8g}", f"{right:.8g}") for term in terms]


def _factors(problem: Problem) -> Factors:
    images, outputs = problem.P.shape
    return Factors(images, outputs, problem.X.shape[1])


def _unexplained(value: float) -> str:
    return "is not a finite number" if not np.isfinite(value) else "no mistake of the catalogue gives this number"


def _penalty_faults(penalty: float, problem: Problem) -> list[Fault]:
    choices = catalogue.penalties(problem)
    right = choices[0][1]
    best: tuple[Term, ...] | None = None
    for terms, value in choices:
        named = catalogue.penalty_factor(_rounded(penalty / value), LAMS[1], len(problem.labels))
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
        more, formula = _weight_faults(
            first.weights, last.weights if has_penalty else None, problem, own_P, first.single
        )
        faults += more
    if first.bias is not None and last.bias is not None:
        faults += _bias_faults(first.bias, last.bias, problem, own_P, formula, first.single)
    if first.P is None:
        return Verdict(OURS, "not checked", [], ["there are no probabilities"])
    if first.weights is None and not faults:
        faults.append(Fault("grad_W", "missing", "nothing is returned"))
    return Verdict(OURS, "wrong" if faults else "right", faults, notes)


def _right(problem: Problem) -> tuple[Floats, Floats]:
    """The right gradients at lambda 0, (K, d) and (K,)."""
    G = (problem.P - problem.Y) / len(problem.Y)
    return G.T @ problem.X, G.sum(axis=0)


def _weight_faults(
    first: Floats, last: Floats | None, problem: Problem, own_P: Floats | None, single: bool
) -> tuple[list[Fault], Floats | None]:
    """The mistakes in the gradient of W, and the formula (n, K) that its data term is made of."""
    right, _ = _right(problem)
    tolerance = _SINGLE if single else catalogue.CLOSE
    faults: list[Fault] = []
    formula: Floats | None = problem.P - problem.Y
    if not catalogue.close(first, right, tolerance):
        terms, formula = _data_terms(first, problem, own_P)
        faults += _faults("grad_W", terms, first, right, "data term: ")
    if last is not None and not _is_right_penalty(penalty := (last - first) / LAMS[1], problem, tolerance):
        terms = _penalty_terms(penalty, problem)
        faults += _faults("grad_W", terms, last - first, 2 * LAMS[1] * problem.W, "penalty: ")
    return faults, formula


def _is_right_penalty(penalty: Floats, problem: Problem, tolerance: float) -> bool:
    if catalogue.close(penalty, 2 * problem.W, tolerance):
        return True
    without = 2 * problem.W
    without[:, -1] = 0
    return problem.bias_in_weights and catalogue.close(penalty, without, tolerance)


def _data_terms(
    gradient: Floats, problem: Problem, own_P: Floats | None
) -> tuple[tuple[Term, ...] | None, Floats | None]:
    if not gradient.any():
        return (Term("zero", "is zero everywhere"),), None
    if not np.isfinite(gradient).all():
        return (Term("not finite", "has entries that are not finite"),), None
    if (apart := catalogue.take_apart(gradient, problem)) is None:
        without_X = catalogue.factor_of(
            gradient, np.tile((problem.P - problem.Y).sum(axis=0)[:, None], gradient.shape[1])
        )
        return ((Term("X left out", "the images are not multiplied in"),) if without_X else None), None
    weights = (Term("penalty without lambda", "W is added although lambda is 0"),) if apart.weights else ()
    fitted = catalogue.fit_data(apart.B, problem, own_P)
    if fitted is None:
        return None, None
    fit, formula = fitted
    return (*fit.terms, *_factor_terms(fit.factor, problem), *weights), formula


def _factor_terms(factor: float, problem: Problem) -> tuple[Term, ...]:
    named = _factors(problem).name(factor)
    if named is not None:
        return named
    return (Term("factor", f"it is {factor:.6g} times as large as it should be"),)


def _penalty_terms(penalty: Floats, problem: Problem) -> tuple[Term, ...] | None:
    if not np.isfinite(penalty).all():
        return (Term("not finite", "has entries that are not finite"),)
    if np.abs(penalty).max() <= catalogue.CLOSE * np.abs(problem.W).max():
        return catalogue.penalty_factor(0.0, LAMS[1], len(problem.labels))
    for terms, half in catalogue.penalty_gradients(problem.W):
        factor = catalogue.factor_of(penalty, 2 * half)
        if factor is not None:
            named = catalogue.penalty_factor(factor, LAMS[1], len(problem.labels))
            return (*terms, *(named if named is not None else (Term("factor", f"it is {factor:.6g} times as large"),)))
    return None


def _bias_faults(
    first: Floats, last: Floats, problem: Problem, own_P: Floats | None, formula: Floats | None, single: bool
) -> list[Fault]:
    _, right = _right(problem)
    tolerance = _SINGLE if single else catalogue.CLOSE
    faults: list[Fault] = []
    if not catalogue.close(first, right, tolerance):
        faults += _faults("grad_b", _bias_terms(first, problem, own_P, formula), first, right, "data term: ")
    penalty = (last - first) / LAMS[1]
    if np.isfinite(penalty).all() and np.abs(penalty).max() > tolerance * np.abs(problem.b).max():
        factor = catalogue.factor_of(penalty, 2 * problem.b)
        terms = None if factor is None else (catalogue.COVERS_B,)
        faults += _faults("grad_b", terms, LAMS[1] * penalty, 0 * right, "penalty: ")
    return faults


def _bias_terms(
    gradient: Floats, problem: Problem, own_P: Floats | None, formula: Floats | None
) -> tuple[Term, ...] | None:
    """Mistakes in the gradient of b: first those of the formula of W, then of the right one, then of all."""
    if not gradient.any():
        return (Term("zero", "is zero everywhere"),)
    if not np.isfinite(gradient).all():
        return (Term("not finite", "has entries that are not finite"),)
    n = len(problem.Y)
    right = problem.P - problem.Y
    formulas = [((), formula)] if formula is not None else []
    for terms, B in [*formulas, ((), right), *catalogue.score_gradients(problem, own_P)]:
        total = B.sum(axis=0) / n
        if not np.abs(total).max() > 1e-12:
            continue
        factor = catalogue.factor_of(gradient, total)
        if factor is not None:
            return (*terms, *_factor_terms(factor, problem))
        if catalogue.factor_of(1 / gradient, total) is not None:
            return (*terms, Term("reciprocal", "is one divided by the sum, not the sum divided by n"))
    return None


def _faults(part: str, terms: tuple[Term, ...] | None, found: Floats, expected: Floats, start: str = "") -> list[Fault]:
    """A fault for each mistake, with the entry of largest difference."""
    if terms is None:
        terms = (Term(UNEXPLAINED, "no mistake of the catalogue gives these numbers"),)
    apart = np.nan_to_num(np.abs(found - expected), nan=np.inf)
    where = np.unravel_index(int(apart.argmax()), apart.shape)
    entry = f"[{', '.join(str(int(place)) for place in where)}]"
    return [Fault(part, t.name, start + t.text, f"{found[where]:.8g}", f"{expected[where]:.8g}", entry) for t in terms]
