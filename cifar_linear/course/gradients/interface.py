"""Which of a student's functions does what, and what its parameters are to be given."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from cifar_linear.course.gradients.names import GRADIENT_NAMES, MODEL, ROLES, SYMBOL, plain
from cifar_linear.course.gradients.problem import ORIENTATIONS, WITH_ONES
from cifar_linear.errors import ConfigError


class Interface(NamedTuple):
    """How a student's functions are called.

    Attributes:
        dialect: what such an interface is known by.
        functions: the function found for each role, as it is called in the file.
        variants: the ways to call them that are possible, as plans for `child`.
        bias_in_weights: whether the bias is the last row of the weights, for a column of ones.
        outputs: scores for each image: 1 for logistic regression.
    """

    dialect: str
    functions: dict[str, str]
    variants: list[dict[str, Any]]
    bias_in_weights: bool
    outputs: int


def find_interface(path: str, found: Mapping[str, Any], renamed: Mapping[str, str], classes: int) -> Interface:
    """The interface of a file.

    Args:
        path: of the file, for messages.
        found: what it defines: see `definitions.describe`.
        renamed: names of functions by role, of a class by ``model``, which come before those of the table.
        classes: K, of the problem that is computed.
    """
    unknown = set(renamed) - {*ROLES, MODEL}
    if unknown:
        raise ConfigError(f"--map {min(unknown)}: is not a role; choose from {', '.join((*ROLES, MODEL))}")
    kind = _model(path, found, renamed)
    methods = _inherited(found["classes"], kind, "methods") if kind else {}
    chosen = {role: _function(role, methods, found["functions"], renamed) for role in ROLES}
    missing = [role for role in ("probabilities", "gradients") if chosen[role] is None]
    missing += ["cost or loss"] if chosen["cost"] is None and chosen["loss"] is None else []
    if missing:
        raise ConfigError(_not_found(path, missing, found))
    roles = {role: choice for role, choice in chosen.items() if choice is not None}
    return _interface(path, found, kind, roles, classes)


class _Choice(NamedTuple):
    name: str
    parameters: dict[str, bool]
    is_method: bool


def _model(path: str, found: Mapping[str, Any], renamed: Mapping[str, str]) -> str | None:
    """The class that has the functions, unless they stand on their own."""
    if MODEL in renamed:
        if renamed[MODEL] not in found["classes"]:
            raise ConfigError(f"{path}: has no class {renamed[MODEL]}; it has {_listed(found['classes'])}")
        return renamed[MODEL]
    needed = ("probabilities", "gradients")
    if all(_function(role, {}, found["functions"], renamed) for role in needed):
        return None
    able = [
        name
        for name in found["classes"]
        if all(_function(r, _inherited(found["classes"], name, "methods"), found["functions"], renamed) for r in needed)
    ]
    return max(able, key=lambda name: ("softmax" in plain(name), able.index(name)), default=None)


def _inherited(classes: Mapping[str, Any], name: str, what: str, seen: frozenset[str] = frozenset()) -> dict[str, Any]:
    """Methods or attributes of a class and of those in the file that it is derived from."""
    if name not in classes or name in seen:
        return {}
    merged: dict[str, Any] = {}
    for base in reversed(classes[name]["bases"]):
        merged |= _inherited(classes, base, what, seen | {name})
    return merged | dict(classes[name][what] if what == "methods" else dict.fromkeys(classes[name][what]))


def _function(
    role: str, methods: Mapping[str, Any], functions: Mapping[str, Any], renamed: Mapping[str, str]
) -> _Choice | None:
    wanted = renamed.get(role)
    for is_method, names in ((True, methods), (False, functions)):
        if wanted is not None:
            if wanted in names:
                return _Choice(wanted, names[wanted], is_method)
            continue
        by_plain = {plain(name): name for name, parameters in names.items() if parameters}
        for known in ROLES[role]:
            if known in by_plain:
                return _Choice(by_plain[known], names[by_plain[known]], is_method)
    if wanted is not None:
        raise ConfigError(f"--map {role}={wanted}: there is no such function; found {_listed([*functions, *methods])}")
    return None


def _not_found(path: str, missing: list[str], found: Mapping[str, Any]) -> str:
    methods = [f"{name}.{method}" for name, kind in found["classes"].items() for method in kind["methods"]]
    return (
        f"{path}: no function for {' and '.join(missing)} is found; it defines "
        f"{_listed([*found['functions'], *methods])}. Name them: --map {missing[0].split()[0]}=NAME"
    )


def _listed(names: Any) -> str:
    listed = list(names)
    return ", ".join(listed[:30]) + (", ..." if len(listed) > 30 else "") if listed else "nothing"


def _interface(
    path: str, found: Mapping[str, Any], kind: str | None, roles: dict[str, _Choice], classes: int
) -> Interface:
    attributes = _inherited(found["classes"], kind, "attributes") if kind else {}
    state = {name: symbol for name in attributes if (symbol := SYMBOL.get(plain(name))) in ("W", "b", "lam", "network")}
    given = {SYMBOL.get(plain(name)) for choice in roles.values() for name in choice.parameters} | set(state.values())
    bias_in_weights = kind is not None and not {"b", "network"} & given
    outputs = 1 if kind and "binary" in plain(kind) else classes
    orientations = (WITH_ONES,) if bias_in_weights else tuple(ORIENTATIONS)
    variants = [
        _variant(path, found, kind, roles, state, attributes, orientation, labels)
        for orientation in orientations
        for labels in (("labels", "onehot") if "y" in _ambiguous(roles) else ("onehot",))
    ]
    return Interface(
        _dialect(kind, bias_in_weights, given),
        {role: f"{kind}.{choice.name}" if choice.is_method else choice.name for role, choice in roles.items()},
        variants,
        bias_in_weights,
        outputs,
    )


def _dialect(kind: str | None, bias_in_weights: bool, given: set[str | None]) -> str:
    if kind:
        return "D: a model with forward, backward and grad" if bias_in_weights else "C: a class with weights"
    return "B: a network in a dictionary" if "network" in given else "A: functions of X, Y, W, b"


def _ambiguous(roles: Mapping[str, _Choice]) -> Iterator[str]:
    """Parameters that may be labels or their one-hot form: ``y``, unlike ``Y``."""
    for choice in roles.values():
        yield from (SYMBOL.get(plain(name), "") for name in choice.parameters if name[0].islower())


def _variant(
    path: str,
    found: Mapping[str, Any],
    kind: str | None,
    roles: dict[str, _Choice],
    state: dict[str, str],
    attributes: dict[str, Any],
    orientation: str,
    labels: str,
) -> dict[str, Any]:
    results = [name for name in attributes if any(plain(name) in names for names in GRADIENT_NAMES.values())]
    return {
        "orientation": orientation,
        "class": kind,
        "constructor": _constructor(_inherited(found["classes"], kind, "methods"), labels) if kind else None,
        "without": _unknown(_inherited(found["classes"], kind, "methods")) if kind else [],
        "state": state,
        "results": [name for name in results if name not in state],
        "forward_first": kind is not None
        and roles["probabilities"].is_method
        and _takes_only_x(roles["probabilities"]),
        "roles": {
            role: {
                "name": choice.name,
                "method": choice.is_method,
                "arguments": _arguments(path, choice, labels),
            }
            for role, choice in roles.items()
        },
    }


def _takes_only_x(choice: _Choice) -> bool:
    required = [name for name, must in choice.parameters.items() if must]
    return len(required) == 1 and SYMBOL.get(plain(required[0])) == "X"


def _symbol(name: str, labels: str) -> str | None:
    symbol = SYMBOL.get(plain(name))
    if symbol == "y":
        return "onehot" if name[0].isupper() else labels
    return symbol


def _arguments(path: str, choice: _Choice, labels: str) -> dict[str, str]:
    """What each parameter is given. Those that are not known keep their defaults."""
    arguments = {}
    for name, must in choice.parameters.items():
        symbol = _symbol(name, labels)
        if symbol is not None and (must or symbol not in {"n", "eta", "seed", "d", "K"}):
            arguments[name] = symbol
        elif must:
            raise ConfigError(
                f"{path}: {choice.name} has a parameter {name}, which is not known; give it a default, or one of the "
                "names X, Y, y, P, W, b, lam, network"
            )
    return arguments


def _constructor(methods: Mapping[str, Any], labels: str) -> dict[str, str] | None:
    """What the constructor is given; None if that is not known, and the object is made without it."""
    parameters = methods.get("__init__", {})
    symbols = {name: _symbol(name, labels) for name in parameters}
    if _unknown(methods):
        return None
    return {
        name: symbol
        for name, symbol in symbols.items()
        if symbol is not None and (parameters[name] or symbol in {"lam", "W", "b", "d", "K"})
    }


def _unknown(methods: Mapping[str, Any]) -> list[str]:
    """Parameters that a constructor needs and for which nothing is known."""
    return [name for name, must in methods.get("__init__", {}).items() if must and plain(name) not in SYMBOL]
