"""What Pydantic found wrong, in the words of the config file."""

import difflib
import json
from collections.abc import Iterable, Iterator
from typing import Any

from cifar_linear.config.yaml_tree import KeyPath, Problem, Tree

_WORDING = {
    "Input should be": "must be",
    "a valid tuple": "a list",
    "a valid list": "a list",
    "a valid integer": "a whole number",
    "a valid number": "a number",
    "a valid string": "text",
    "a valid boolean": "true or false",
    "Tuple should": "must",
    "List should": "must",
    "item after validation": "item",
}


def problems_of(errors: Iterable[Any], tree: Tree, schema: dict[str, Any]) -> list[Problem]:
    """Pydantic's errors as problems of the file; ``schema`` is the JSON Schema of what was validated."""
    known = dict(_known_keys(schema, schema))
    errors = list(errors)
    return [_problem_of(error, tree, known) for error in errors if not _is_told_already(error, errors)]


def _is_told_already(error: Any, errors: Iterable[Any]) -> bool:
    """A list counts as too short when its items are wrong: then those are told."""
    place = error["loc"]
    return error["type"] == "too_short" and any(
        other["loc"][: len(place)] == place and len(other["loc"]) > len(place) for other in errors
    )


def _problem_of(error: Any, tree: Tree, known: dict[str, str]) -> Problem:
    path = _path_in_file(error["loc"], tree.values, missing=error["type"] == "missing")
    match error["type"]:
        case "missing":
            message = f"missing ({known[_dotted(path)]})"
        case "extra_forbidden":
            message = _unknown_key(path, known)
        case "union_tag_not_found":
            path = (*path, error["ctx"]["discriminator"].strip("'"))
            message = f"missing ({known[_dotted(path)]})"
        case "union_tag_invalid":
            path = (*path, error["ctx"]["discriminator"].strip("'"))
            message = f"must be one of {error['ctx']['expected_tags']}, found {_found(error['ctx']['tag'])}"
        case "model_type" | "model_attributes_type" | "dict_type":
            message = f"must be a mapping of keys, found {_found(error['input'])}"
        case "conflict":
            path = (*path, error["ctx"]["key"])
            message = error["ctx"]["message"]
        case _:
            message = error["msg"]
            for theirs, ours in _WORDING.items():
                message = message.replace(theirs, ours)
            message += f", found {_found(error['input'])}"
    return Problem(tree.place(path), path, message)


def _path_in_file(location: tuple[str | int, ...], values: Any, missing: bool) -> KeyPath:
    """Pydantic's location without the names of union members, which no file contains."""
    path: KeyPath = ()
    for i, part in enumerate(location):
        is_key = isinstance(values, dict) and part in values
        if is_key or (isinstance(values, list) and isinstance(part, int)):
            path, values = (*path, part), values[part]
        elif missing and i == len(location) - 1:
            path = (*path, part)
    return path


def _known_keys(node: dict[str, Any], schema: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Each key that the schema knows anywhere, dotted, with its description."""
    if "$ref" in node:
        yield from _known_keys(schema["$defs"][node["$ref"].rpartition("/")[2]], schema, prefix)
    for alternative in [*node.get("anyOf", []), *node.get("oneOf", [])]:
        yield from _known_keys(alternative, schema, prefix)
    if isinstance(node.get("items"), dict):
        yield from _known_keys(node["items"], schema, prefix)
    for key, value in node.get("properties", {}).items():
        yield prefix + key, value.get("description", "")
        yield from _known_keys(value, schema, f"{prefix}{key}.")


def _unknown_key(path: KeyPath, known: dict[str, str]) -> str:
    """The nearest known key, looked for at every level; else the keys of this level."""
    if _dotted(path) in known:
        return "does not go with the other settings here; leave it out"
    by_last_part = {name.rpartition(".")[2]: name for name in reversed(known)}
    nearest = difflib.get_close_matches(str(path[-1]), by_last_part, n=1)
    if nearest:
        return f"unknown key; did you mean '{by_last_part[nearest[0]]}'?"
    prefix = "".join(f"{part}." for part in path[:-1])
    siblings = [name.removeprefix(prefix) for name in known if name.startswith(prefix)]
    return f"unknown key; known here: {', '.join(name for name in siblings if '.' not in name)}"


def _dotted(path: KeyPath) -> str:
    return ".".join(map(str, path))


def _found(value: object) -> str:
    """A value as the file would have it, cut to what fits a line."""
    text = json.dumps(value, default=str)
    return text if len(text) <= 60 else text[:57] + "..."
