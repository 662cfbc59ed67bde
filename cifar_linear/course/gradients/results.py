"""The verdicts as text, as one JSON document, and as the results file of an autograder."""

from __future__ import annotations

from typing import Any

from cifar_linear.course.gradients.answers import Fault
from cifar_linear.course.gradients.checking import Checked


def lines(checked: Checked) -> list[str]:
    """What a terminal shows."""
    names = ", ".join(f"{role} {name}" for role, name in checked.functions.items())
    found = [f"{checked.module}: {checked.dialect}", f"functions: {names}", f"guards: {', '.join(checked.guards)}"]
    if checked.ending:
        found.append(f"no verdict: {checked.ending}")
    for verdict in checked.verdicts:
        found.append(f"{verdict.question}: {verdict.status}")
        found += [f"  {sentence(fault)}" for fault in verdict.faults]
        found += [f"  note: {note}" for note in verdict.notes]
        found += [f"  {line}" for line in verdict.error.splitlines()]
    found += [f"note: {note}" for note in checked.notes]
    if checked.output:
        found += ["printed by the module:", *(f"  | {line}" for line in checked.output.splitlines())]
    return found


def sentence(fault: Fault) -> str:
    """A fault in words, with both numbers."""
    numbers = f"; found {fault.found}, expected {fault.expected}" if fault.found else ""
    where = f" at {fault.where}" if fault.where else ""
    return f"{fault.part}: {fault.text}{numbers}{where}"


def document(checked: Checked) -> dict[str, Any]:
    """What ``--json`` prints."""
    return {
        **checked._asdict(),
        "passed": checked.passed,
        "verdicts": [
            {**verdict._asdict(), "faults": [fault._asdict() for fault in verdict.faults]}
            for verdict in checked.verdicts
        ],
    }


def gradescope(checked: Checked) -> dict[str, Any]:
    """``results.json`` of an autograder: a test for each verdict, all of the same weight."""
    tests = [
        {
            "name": verdict.question,
            "score": float(verdict.status == "right"),
            "max_score": 1.0,
            "status": "passed" if verdict.status == "right" else "failed",
            "output": "\n".join([*map(sentence, verdict.faults), *verdict.notes, verdict.error]).strip(),
        }
        for verdict in checked.verdicts
        if verdict.status != "not checked"
    ]
    return {"output": "\n".join([checked.ending, *checked.notes]).strip(), "tests": tests or [_failed(checked.ending)]}


def gradescope_failure(message: str) -> dict[str, Any]:
    """``results.json`` of a file in which nothing can be called."""
    return {"output": message, "tests": [_failed(message)]}


def _failed(message: str) -> dict[str, Any]:
    return {"name": "interface", "score": 0.0, "max_score": 1.0, "status": "failed", "output": message}
