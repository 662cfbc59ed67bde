"""Runs a student's functions in a process of its own. Started as a script by `sandbox`, never imported by others.

It needs NumPy and the standard library only, since the Python that runs it may be the student's. First it gives up
what student code has no need of; then it reads arrays and a plan from standard input, calls the functions of the plan,
and leaves what they returned, or how they failed, in ``answer.npz``. It judges nothing: the right values are not here.
"""

from __future__ import annotations

import ast
import importlib.util
import io
import json
import os
import sys
from typing import Any

_MOST_TEXT = 4000


class Student:
    """A student's definitions, and calls of them whose results or failures are kept as arrays."""

    def __init__(self, source: str, kept: list[int], places: list[str]):
        self.source, self.places = source.splitlines(), places
        self.names: dict[str, Any] = {"__name__": "student"}
        self.answers: dict[str, Any] = {}
        tree = ast.parse(source)
        for number in kept:
            self._define(ast.Module([tree.body[number]], []))

    def _define(self, part: ast.Module) -> None:
        """Run one statement. What fails leaves a name undefined, which shows where it is used."""
        import __future__  # noqa: PLC0415

        try:
            flags = __future__.annotations.compiler_flag  # annotations may name libraries that are not here
            exec(compile(part, "<student>", "exec", flags, dont_inherit=True), self.names)  # noqa: S102
        except BaseException as error:
            self.answers["definitions!"] = self._told(error)

    def keep(self, key: str, value: Any) -> None:
        """Keep numbers as an array, the parts of tuples and mappings under keys of their own."""
        import numpy as np  # noqa: PLC0415

        if (isinstance(value, (tuple, list)) and len(value) <= 8 and any(np.ndim(part) for part in value)) or (
            isinstance(value, tuple) and len(value) <= 8
        ):
            value = dict(enumerate(value))
        if isinstance(value, dict):
            for name, part in list(value.items())[:8]:
                self.keep(f"{key}/{str(name)[:40].replace('/', '')}", part)
        elif value is not None:
            array = np.asarray(value)
            if array.dtype.kind not in "biuf" or array.size > 10**6:
                self.answers[f"{key}!"] = f"returned {type(value).__name__}, {array.size} entries of {array.dtype}"
            else:
                self.answers[key] = array.copy()

    def attempt(self, key: str, call: Any) -> Any:
        """Return what a call returned, and keep it; None, and how it failed, if it failed."""
        try:
            value = call()
            self.keep(key, value)
        except BaseException as error:
            self.answers[f"{key}!"] = self._told(error)
            return None
        return value

    def _told(self, error: BaseException) -> str:
        """The error and the student's own lines that lead to it, the last five."""
        lines = []
        trace = error.__traceback__
        while trace is not None:
            code = trace.tb_frame.f_code
            if code.co_filename == "<student>":
                number = trace.tb_lineno
                place = self.places[number - 1] if number <= len(self.places) else f"line {number}"
                text = self.source[number - 1].strip() if number <= len(self.source) else ""
                lines.append(f"{place}, in {code.co_name}: {text}")
            trace = trace.tb_next
        try:
            message = str(error)[:1000]
        except BaseException:
            message = ""
        return "\n".join([*lines[-5:], f"{type(error).__name__}: {message}"])[:_MOST_TEXT]


class Variant:
    """One way to call a student's functions: which shape the arrays have, and which parameter gets what."""

    def __init__(self, student: Student, plan: dict[str, Any], arrays: dict[str, Any]):
        self.student, self.plan = student, plan
        start = f"{plan['orientation']}/"
        mine = {key[len(start) :]: value for key, value in arrays.items() if key.startswith(start)}
        self.directions = {name: mine.pop(f"directions_{name}", ()) for name in ("W", "b")}
        self.arrays = mine

    def values(self, lam: float, **changed: Any) -> dict[str, Any]:
        """Everything that a parameter can be, as copies: a function may change its arguments."""
        values = {key: value.copy() for key, value in self.arrays.items()}
        values.update(changed, lam=lam)
        values["network"] = {name: values[name] for name in ("W", "b") if name in values}
        values.update(self.plan["numbers"])
        return values

    def call(self, role: str, values: dict[str, Any]) -> Any:
        """Call the function of a role."""
        plan = self.plan["roles"][role]
        if role == "cost" and "loss" in plan["arguments"].values():
            values["loss"] = self.numbers("loss", dict(values))[0]
        given = {parameter: values[symbol] for parameter, symbol in plan["arguments"].items()}
        owner = self._instance(values) if plan["method"] else None
        function = getattr(owner, plan["name"]) if owner is not None else self.student.names[plan["name"]]
        if owner is not None and self.plan["forward_first"] and role == "gradients":
            getattr(owner, self.plan["roles"]["probabilities"]["name"])(values["X"])
        result = function(**given)
        if result is None and owner is not None:
            result = {name: getattr(owner, name) for name in self.plan["results"] if hasattr(owner, name)}
        return result

    def _instance(self, values: dict[str, Any]) -> Any:
        kind = self.student.names[self.plan["class"]]
        given = {parameter: values[symbol] for parameter, symbol in (self.plan["constructor"] or {}).items()}
        try:
            made = kind.__new__(kind) if self.plan["constructor"] is None else kind(**given)
        except Exception:  # a constructor that reads data, say
            made = kind.__new__(kind)
        for name, symbol in self.plan["state"].items():
            setattr(made, name, values[symbol])
        return made

    def probabilities(self, values: dict[str, Any]) -> Any:
        """Return the student's probabilities; the first of several results."""
        result = self.call("probabilities", values)
        return result[0] if isinstance(result, tuple) else result

    def numbers(self, role: str, values: dict[str, Any]) -> list[float]:
        """Return the student's cost or loss at other weights than those that are given; both, if both are returned."""
        import numpy as np  # noqa: PLC0415

        if "P" in self.plan["roles"][role]["arguments"].values():
            values["P"] = self.probabilities(
                values | {name: np.copy(values[name]) for name in ("W", "b") if name in values}
            )
        result = self.call(role, values)
        result = list(result.values()) if isinstance(result, dict) else result
        results = result if isinstance(result, (tuple, list)) else [result]
        return [float(np.asarray(part).item()) for part in results[:2]]

    def run(self, key: str, lams: list[float], step: float) -> None:
        """Call everything at every lambda and keep it. Stops if there are no probabilities in this way."""
        import numpy as np  # noqa: PLC0415

        student, roles = self.student, self.plan["roles"]
        for place, lam in enumerate(lams):
            at = f"{key}/{place}"
            own = student.attempt(f"{at}/P", lambda lam=lam: self.probabilities(self.values(lam)))
            if own is None:
                return
            for role in ("loss", "cost", "gradients"):
                if role in roles:
                    student.attempt(f"{at}/{role}", lambda lam=lam, role=role: self.call(role, self.values(lam)))
            if "P" in roles["gradients"]["arguments"].values():
                student.attempt(
                    f"{at}/own", lambda lam=lam, own=own: self.call("gradients", self.values(lam, P=np.array(own)))
                )
            role = "cost" if "cost" in roles else "loss"
            student.attempt(f"{at}/slopes", lambda lam=lam, role=role: self.slopes(role, lam, step))
        large = {name: 1000 * self.arrays[name] for name in ("W",)}
        student.attempt(f"{key}/large", lambda: self.probabilities(self.values(0.0, **large)))

    def slopes(self, role: str, lam: float, step: float) -> Any:
        """Return slopes of the student's own cost along the directions in W, then in b, (directions, numbers)."""
        import numpy as np  # noqa: PLC0415

        found = []
        for name in ("W", "b"):
            for direction in self.directions[name]:
                ends = [
                    np.array(
                        self.numbers(role, self.values(lam, **{name: self.arrays[name] + sign * step * direction}))
                    )
                    for sign in (1, -1)
                ]
                found.append((ends[0] - ends[1]) / (2 * step))
        return np.array(found)


class Pair:
    """The forward and backward functions of a layer, in one orientation."""

    def __init__(self, student: Student, plan: dict[str, Any], key: str, arrays: dict[str, Any]):
        self.student, self.plan, self.key = student, plan, key
        self.arrays = {name[len(key) :]: value for name, value in arrays.items() if name.startswith(key)}

    def call(self, which: int, **changed: Any) -> Any:
        """Call forward (0) or backward (1) on copies."""
        values = {name: value.copy() for name, value in self.arrays.items()} | self.plan["values"] | changed
        given = {parameter: values[symbol] for parameter, symbol in self.plan["arguments"][which].items()}
        return self.student.names[self.plan["functions"][which]](**given)

    def output(self, **changed: Any) -> Any:
        """Return what forward returns without what it keeps for backward."""
        result = self.call(0, **changed)
        return result[0] if isinstance(result, tuple) else result

    def run(self, step: float) -> None:
        """Call both and keep what they return. Stops if forward fails."""
        result = self.student.attempt(f"{self.key}y", self.output)
        if result is None:
            return
        both = self.call(0)
        cache = (both[1] if len(both) == 2 else both[1:]) if isinstance(both, tuple) else None
        self.student.attempt(f"{self.key}backward", lambda: self.call(1, cache=cache))
        self.student.attempt(f"{self.key}slopes", lambda: self.slopes(step))

    def slopes(self, step: float) -> Any:
        """Return slopes of sum(dy * forward) along the directions in x, W and b, (arrays, directions)."""
        import numpy as np  # noqa: PLC0415

        return np.array(
            [[self.slope(name, along, step) for along in self.directions(name)] for name in self.plan["wanted"]]
        )

    def directions(self, name: str) -> Any:
        """Return the directions in an array."""
        return self.arrays[f"directions_{name}"]

    def slope(self, name: str, along: Any, step: float) -> float:
        """Return the slope along one direction."""
        ends = [self.output(**{name: self.arrays[name] + sign * step * along}) for sign in (1, -1)]
        return float(((ends[0] - ends[1]) * self.arrays["dy"]).sum() / (2 * step))


def call_all(plan: dict[str, Any], arrays: dict[str, Any]) -> dict[str, Any]:
    """Call every variant of a plan, and return what came back by the number of the variant, lambda and role."""
    import numpy as np  # noqa: PLC0415

    student = Student(plan["source"], plan["kept"], plan["places"])
    with np.errstate(all="ignore"):
        for number, variant in enumerate(plan["variants"]):
            Variant(student, variant, arrays).run(str(number), plan["lams"], plan["step"])
        for number, layer in enumerate(plan["layers"]):
            Pair(student, layer, f"layers/{number}/", arrays).run(plan["step"])
    return student.answers


def _enclosure() -> Any:
    """Return the module beside this file: a script does not belong to a package, and its folder is not searched."""
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "enclosure.py")  # noqa: PTH100, PTH118, PTH120
    spec = importlib.util.spec_from_file_location("enclosure", path)
    assert spec is not None and spec.loader is not None  # noqa: PT018, S101
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def main() -> None:
    """Read, enclose, run, and leave the answer."""
    limits = json.loads(sys.argv[1])
    enclose = _enclosure().enclose
    if "probe" in limits:
        sys.stdout.write(json.dumps(enclose(limits)))
        return
    import numpy as np  # noqa: PLC0415

    answer = open("answer.npz", "wb")  # noqa: PTH123, SIM115
    with np.load(io.BytesIO(sys.stdin.buffer.read()), allow_pickle=False) as file:
        arrays = {name: file[name] for name in file.files}
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    plan = json.loads(str(arrays.pop("plan")))
    enclose(limits, tuple(plan["libraries"]))
    sys.modules["cifar_linear"] = None  # type: ignore[assignment]  # the gradient is to be the student's
    answers = call_all(plan, arrays)
    np.savez(answer, **answers)
    answer.close()
    sys.stdout.flush()
    os._exit(0)


if __name__ == "__main__":
    main()
