"""Pydantic's errors in the words of the config file."""

import difflib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from cifar_linear.config.yaml_tree import KeyPath, Place, Problem, Tree

SENTENCES = {
    "bool_type": "must be true or false",
    "int_type": "must be a whole number",
    "float_type": "must be a number",
    "finite_number": "must be a finite number",
    "greater_than": "must be greater than {gt:g}",
    "greater_than_equal": "must be greater than or equal to {ge:g}",
    "less_than": "must be less than {lt:g}",
    "less_than_equal": "must be less than or equal to {le:g}",
    "string_type": "must be text",
    "string_too_short": "must have at least {min_length} characters",
    "literal_error": "must be {expected}",
    "list_type": "must be a list",
    "tuple_type": "must be a list",
    "too_short": "must have at least {min_length} items, not {actual_length}",
    "too_long": "must have at most {max_length} items, not {actual_length}",
    "dict_type": "must be a mapping of keys",
    "model_type": "must be a mapping of keys",
    "model_attributes_type": "must be a mapping of keys",
    "neither": "must be a list of batches or {{size: n}}",
    "no_shuffle": "must be true, false or {{block: n}}",
    "no_files": "must be {{features: FILE, labels: FILE}} or {{size: n}}",
    "no_normalize": "must be standardize, minus_one_one, center or {{center: channel}}",
    "no_layer": "must be relu, flatten, globalaveragepool, linear, or one of conv, linear, maxpool, averagepool with "
    "its settings",
    "limits": "{message}",
}
"""What is wrong with a value, by the type of Pydantic's error; its context fills the gaps."""

_ELSEWHERE = {
    "batch_size": "n_batch",
    "batchsize": "n_batch",
    "learning_rate": "eta",
    "lr": "eta",
    "weight_decay": "lambda",
    "l2": "lambda",
    "num_epochs": "epochs",
}
"""What other programs call a key."""


def problems_of(errors: Iterable[Any], tree: Tree, schema: dict[str, Any]) -> list[Problem]:
    """Pydantic's errors as problems of the file; ``schema`` is the JSON Schema of what was validated."""
    known = dict(_known_keys(schema, schema))
    errors = list(errors)
    return [_problem_of(error, tree, known, schema) for error in errors if not _is_told_already(error, errors)]


def _is_told_already(error: Any, errors: Iterable[Any]) -> bool:
    """Pydantic also calls a list with invalid items too short; only the items are reported."""
    place = error["loc"]
    return error["type"] == "too_short" and any(
        other["loc"][: len(place)] == place and len(other["loc"]) > len(place) for other in errors
    )


def _problem_of(error: Any, tree: Tree, known: Mapping[str, str], schema: Mapping[str, Any]) -> Problem:
    path = path_in_file(error["loc"], tree.values, missing=error["type"] == "missing")
    match error["type"]:
        case "missing" if isinstance(error["loc"][-1], int):
            return Problem(tree.place(path[:-1]), path[:-1], _too_short(error))
        case "missing":
            return Problem(_place_of_choice(error["loc"], path, tree), path, f"missing ({known[_key(path)]})")
        case "extra_forbidden":
            message = _unknown_key(path, known, error["input"])
        case "union_tag_not_found":
            path = (*path, error["ctx"]["discriminator"].strip("'"))
            message = f"missing ({known[_key(path)]})"
        case "union_tag_invalid":
            path = (*path, error["ctx"]["discriminator"].strip("'"))
            message = f"must be one of {error['ctx']['expected_tags']}, found {_found(error['ctx']['tag'])}"
            message += _meant(error["ctx"]["tag"], error["ctx"]["expected_tags"])
        case "conflict" | "beside":
            path = (*(path if error["type"] == "conflict" else path[:-1]), error["ctx"]["key"])
            message = error["ctx"]["message"]
        case _:
            message = f"{_sentence(error)}{_example(error, schema)}, found {_found(error['input'])}"
            if error["type"] == "literal_error":
                message += _meant(error["input"], error["ctx"]["expected"])
    return Problem(tree.place(path), path, message)


def _sentence(error: Any) -> str:
    """Our words for an invalid value; those of Pydantic for a type that only a later version knows."""
    text = SENTENCES.get(error["type"])
    if text is None:
        return str(error["msg"])
    said = text.format(**error.get("ctx", {}))
    return re.sub(r"(at (?:least|most) 1 \w+)s\b", r"\1", said)


def _example(error: Any, schema: Mapping[str, Any]) -> str:
    """What may stand where a mapping is needed, if one of its keys has an example."""
    section = schema.get("$defs", {}).get(error.get("ctx", {}).get("class_name"), {})
    examples = [
        (key, value["examples"][0]) for key, value in section.get("properties", {}).items() if "examples" in value
    ]
    return ", such as {{{}: {}}}".format(*examples[0]) if examples else ""


def _meant(found: object, choices: str) -> str:
    """The choice that is nearest to a word, if one is near; ``choices`` are quoted in a sentence."""
    near = difflib.get_close_matches(str(found).lower(), re.findall(r"'(.+?)'", choices), n=1)
    return f"; did you mean '{near[0]}'?" if near else ""


def _too_short(error: Any) -> str:
    """What Pydantic calls a missing item is a list of a fixed length that is too short."""
    count = len(error["input"])
    text = SENTENCES["too_short"].format(min_length=error["loc"][-1] + 1, actual_length=count)
    return f"{text}, found {_found(error['input'])}"


def _place_of_choice(location: tuple[str | int, ...], path: KeyPath, tree: Tree) -> Place:
    """Where the value stands that makes a missing key necessary, as ``kind: step`` does; else of the mapping."""
    mapping = tree.values
    for part in path[:-1]:
        mapping = mapping[part]  # type: ignore[index]  # the keys of a file, or the places in a list
    for key, value in mapping.items():
        if isinstance(value, str) and value in location and value not in path:
            return tree.place((*path[:-1], key))
    return tree.place(path)


def path_in_file(location: tuple[str | int, ...], values: Any, missing: bool = False) -> KeyPath:
    """Pydantic's location without the names of union members, which no file contains.

    The last part of a ``missing`` key is kept, though the values do not have it.
    """
    path: KeyPath = ()
    for i, part in enumerate(location):
        is_key = isinstance(values, dict) and part in values
        if is_key or (isinstance(values, list) and isinstance(part, int) and part < len(values)):
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


def key_called(word: str, schema: dict[str, Any]) -> str | None:
    """The key with this last part, or what other programs call so: ``lr`` is ``eta``; None if there is none."""
    by_last_part = _by_last_part(dict(_known_keys(schema, schema)), "")
    return by_last_part.get(_ELSEWHERE.get(word, word))


def _by_last_part(known: Mapping[str, str], prefix: str) -> dict[str, str]:
    """Keys by their last part; if several have the same, that of the level of ``prefix``, or else the first."""
    parts = [(name, *name.rpartition(".")[::2]) for name in known]
    anywhere = {last: name for name, _, last in reversed(parts)}
    return anywhere | {last: name for name, level, last in parts if level == prefix}


def _unknown_key(path: KeyPath, known: Mapping[str, str], value: object) -> str:
    """A message with the nearest known key of any level; without one, with the keys of this level."""
    if _key(path) in known:
        return "does not apply with the other settings here; leave it out"
    by_last_part = _by_last_part(known, _key(path[:-1]))
    word = str(path[-1])
    elsewhere = [called] if (called := _ELSEWHERE.get(word.lower())) in by_last_part else []
    if nearest := elsewhere or difflib.get_close_matches(word, by_last_part, n=1):
        option = f", or the option --seeds {value}" if path == ("seeds",) else ""
        return f"unknown key; did you mean '{by_last_part[nearest[0]]}'{option}?"
    prefix = f"{_key(path[:-1])}.".lstrip(".")
    siblings = [name.removeprefix(prefix) for name in known if name.startswith(prefix)]
    return f"unknown key; known here: {', '.join(name for name in siblings if '.' not in name)}"


def _key(path: KeyPath) -> str:
    """A path as the schema has it: without places in lists."""
    return ".".join(part for part in path if isinstance(part, str))


def _found(value: object) -> str:
    """A value as the file would have it, cut to what fits a line."""
    text = json.dumps(value, default=str)
    return text if len(text) <= 60 else text[:57] + "..."
