"""The whole check of a student's file: find, call, compare, choose the way of calling that fits best."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from cifar_linear.course.gradients import sandbox
from cifar_linear.course.gradients.answers import Reader
from cifar_linear.course.gradients.interface import Interface, find_interface
from cifar_linear.course.gradients.layer_pairs import Pair, find_pairs, layer_problem
from cifar_linear.course.gradients.layer_pairs import request as layer_request
from cifar_linear.course.gradients.layer_verdicts import layer_verdicts
from cifar_linear.course.gradients.problem import CLASSES, LAMS, STEP, Problem, make_problem, oriented
from cifar_linear.course.gradients.sandbox import Answer, Limits
from cifar_linear.course.gradients.verdicts import OURS, OWN, Verdict, verdicts
from cifar_linear.errors import ConfigError

_FEATURES = 3072
_DIGITS = 784


class Checked(NamedTuple):
    """What is known of a file after the check.

    Attributes:
        module: the file.
        dialect: of its interface.
        functions: its functions by role.
        guards: what its code was run behind.
        verdicts: four for a classifier, three for each layer; none if the process ended without an answer.
        notes: what else is worth knowing.
        ending: why there was no answer, else empty.
        output: what the code printed.
    """

    module: str
    dialect: str
    functions: dict[str, str]
    guards: list[str]
    verdicts: list[Verdict]
    notes: list[str]
    ending: str
    output: str

    @property
    def passed(self) -> bool:
        """Whether nothing is wrong."""
        return not self.ending and all(verdict.status != "wrong" for verdict in self.verdicts)


def check_module(
    path: Path,
    renamed: Mapping[str, str] | None = None,
    python: str | None = None,
    limits: Limits | None = None,
    require_sandbox: bool = False,
) -> Checked:
    """Check the functions of a file.

    Args:
        path: a ``.py`` file or a notebook.
        renamed: names of functions by role where they are not those of the table: see `interface`.
        python: the Python that runs the file; that of this program by default.
        limits: what the file's code may use.
        require_sandbox: run nothing unless the system grants all guards.

    Raises:
        ConfigError: if the file is no Python or its interface is not found.
    """
    limits = limits or Limits()
    python = python or sys.executable
    module = prepare(str(path), sandbox.description(python, path), renamed or {})
    granted = sandbox.guards(python, limits)
    if require_sandbox:
        sandbox.require(granted)
    return judge(module, sandbox.run(python, module.request, limits), granted)


class Module(NamedTuple):
    """A file that is ready to be called.

    Attributes:
        path: of the file.
        found: what it defines: see `definitions.describe`.
        interface: how a classifier is called; None if the file has layers.
        problem: what a classifier is called with, or None.
        layers: pairs of functions, if the file has no classifier.
        plans: how each pair is called, a plan for each orientation.
        request: the plan and the arrays for `child`.
    """

    path: str
    found: Mapping[str, Any]
    interface: Interface | None
    problem: Problem | None
    layers: list[Pair]
    plans: list[dict[str, Any]]
    request: dict[str, Any]


def prepare(path: str, found: Mapping[str, Any], renamed: Mapping[str, str]) -> Module:
    """Find the interface of a file and make the problem for it. Nothing of the file is run."""
    try:
        interface = find_interface(path, found, renamed, CLASSES)
    except ConfigError:
        pairs = [] if renamed else find_pairs(path, found)
        if not pairs:
            raise
        plans, arrays = layer_request(pairs, _seed(found))
        return Module(path, found, None, None, pairs, plans, _request(found, [], plans, arrays))
    features = _DIGITS if interface.bias_in_weights else _FEATURES
    problem = make_problem(features, interface.outputs, interface.bias_in_weights, _seed(found))
    variants = [{**variant, "numbers": problem.numbers()} for variant in interface.variants]
    arrays = {
        f"{orientation}/{name}": array
        for orientation in {variant["orientation"] for variant in variants}
        for name, array in oriented(problem, orientation).items()
    }
    return Module(path, found, interface, problem, [], [], _request(found, variants, [], arrays))


def _seed(found: Mapping[str, Any]) -> int:
    """A seed made of the code: the same code has the same verdict, and no code can hold the right numbers."""
    return int.from_bytes(hashlib.sha256(found["source"].encode(errors="replace")).digest()[:8], "big")


def judge(module: Module, answer: Answer, granted: list[str]) -> Checked:
    """The verdicts about what a file's functions returned behind these guards."""
    try:
        return _judged(module, answer, granted)
    except (ValueError, TypeError, IndexError, KeyError, AttributeError):
        # Student code may have written the arrays itself.
        return _judged(module, Answer({}, answer.output, "its answer is not one of its functions"), granted)


def _judged(module: Module, answer: Answer, granted: list[str]) -> Checked:
    judged: list[Verdict] = []
    if module.interface is not None and module.problem is not None:
        dialect, functions = module.interface.dialect, module.interface.functions
        judged = _best(answer, module.interface, module.problem) if not answer.ending else []
    else:
        dialect, functions = "layers", {}
        for pair in module.layers:
            functions |= {f"{pair.kind} forward": pair.forward, f"{pair.kind} backward": pair.backward}
            judged += _best_layer(module, pair, answer) if not answer.ending else []
    notes = [f"skipped, no Python: {cell}" for cell in module.found["skipped"]] + _notes(judged, answer, module.found)
    if module.interface is not None:
        notes += _without_constructor(judged, module.interface.variants[0])
    return Checked(module.path, dialect, functions, granted, judged, notes, answer.ending, answer.output)


def _best_layer(module: Module, pair: Pair, answer: Answer) -> list[Verdict]:
    """The verdicts of the orientation in which the functions of a layer fit best."""
    with np.errstate(all="ignore"):
        judged = [
            layer_verdicts(answer.arrays, module.request, number, plan, layer_problem(pair, _seed(module.found)))
            for number, plan in enumerate(module.plans)
            if plan["kind"] == pair.kind and plan["functions"][0] == pair.forward
        ]
    return max(judged, key=_merit)


def _request(
    found: Mapping[str, Any], variants: list[dict[str, Any]], layers: list[dict[str, Any]], arrays: Mapping[str, Any]
) -> dict[str, Any]:
    plan = {name: found[name] for name in ("source", "kept", "places", "libraries")}
    return {"plan": json.dumps({**plan, "variants": variants, "layers": layers, "lams": LAMS, "step": STEP}), **arrays}


def _best(answer: Answer, interface: Interface, problem: Problem) -> list[Verdict]:
    """The verdicts of the variant that fits best, of equals the first."""
    with np.errstate(all="ignore"):  # numbers of strangers: what is not finite is told
        judged = [
            verdicts(Reader(answer.arrays, number, variant["orientation"], problem), problem, variant)
            for number, variant in enumerate(interface.variants)
        ]
    return max(judged, key=_merit)


def _merit(judged: list[Verdict]) -> tuple[int, int, int, int]:
    """How well a way of calling fits: right verdicts, then few failures, then few mistakes."""
    right = sum(verdict.status == "right" for verdict in judged)
    errors = [verdict.error for verdict in judged if verdict.error]
    # A way with the wrong shapes fails with ValueError, the right one with what is wrong.
    shapes = sum("\nValueError" in error for error in errors)
    return right, -len(errors), -shapes, -sum(len(verdict.faults) for verdict in judged)


def _without_constructor(judged: list[Verdict], plan: Mapping[str, Any]) -> list[str]:
    if not plan["without"] or not any("AttributeError" in verdict.error for verdict in judged):
        return []
    unknown = ", ".join(plan["without"])
    return [
        f"{plan['class']} was made without its constructor, whose parameter {unknown} is not known; give it a default"
    ]


def _notes(judged: list[Verdict], answer: Answer, found: Mapping[str, Any]) -> list[str]:
    status = {verdict.question: verdict.status for verdict in judged}
    notes = []
    if status.get(OWN) == "right" and status.get(OURS) == "wrong":
        notes.append(
            "two wrongs agree: the gradient is that of the cost that the module computes, and neither is the right one"
        )
    errors = "".join(verdict.error for verdict in judged)
    for name, module in found["imports"].items():
        if f"'{name}' is not defined" in errors:
            notes.append(f"{name} comes from {module}, which is not imported here: put what is needed into the file")
    if "definitions!" in answer.arrays and errors:
        notes.append(f"a definition failed: {answer.arrays['definitions!']}")
    return notes
