"""YAML as plain values with the place of each in the file.

Scalars follow YAML 1.2: ``1e-3`` is a number, ``on`` and ``010`` are not what YAML 1.1 makes of them. Tags and
aliases are refused: a config needs neither, and both can be abused.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import yaml

from cifar_linear.errors import ConfigError

KeyPath = tuple[str | int, ...]

_INTEGER = re.compile(r"[-+]?[0-9]{1,4000}")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_WORDS = {"null": None, "~": None, "": None, "true": True, "false": False}
LARGEST_FILE = 2**20
"""Bytes that a config may hold."""


class Place(NamedTuple):
    """A place: a file, or an option of the command line, and the line from 1; 0 for an option."""

    name: str
    line: int = 0

    def __str__(self) -> str:
        return f"{self.name}:{self.line}" if self.line else self.name


class Problem(NamedTuple):
    """One problem: its place, the path of the key, and what is wrong."""

    place: Place
    path: KeyPath
    message: str

    def __str__(self) -> str:
        key = ".".join(map(str, self.path))
        return f"{self.place}: {key}: {self.message}" if key else f"{self.place}: {self.message}"


@dataclass
class Tree:
    """The values of a file, and the place of each of its keys."""

    values: dict[str, Any]
    places: dict[KeyPath, Place] = field(default_factory=dict)

    def place(self, path: KeyPath) -> Place:
        """The place of a key; for a missing key, the place of the mapping that lacks it."""
        while path not in self.places:
            path = path[:-1]
        return self.places[path]

    def set(self, path: tuple[str, ...], value: Any, place: Place) -> list[str]:
        """Put a value where ``path`` leads; returns what prevents it, if anything.

        Mappings on the way are made where there are none. A list gives way to one, since keys such as
        ``data.validation`` take either.
        """
        parent = self.values
        for i, part in enumerate(path[:-1], start=1):
            if isinstance(parent.get(part), (list, type(None))):
                parent[part] = {}
                self._put_place(path[:i], place)
            parent = parent[part]
            if not isinstance(parent, dict):
                return [f"{'.'.join(path[:i])} has no keys of its own"]
        parent[path[-1]] = value
        self._put_place(path, place)
        return []

    def _put_place(self, path: tuple[str, ...], place: Place) -> None:
        self.places = {known: where for known, where in self.places.items() if known[: len(path)] != path}
        self.places[path] = place

    def below(self, key: str) -> Tree:
        """The mapping below a key, as a tree of its own."""
        return Tree(self.values[key], {path[1:]: place for path, place in self.places.items() if path[:1] == (key,)})

    def copy(self) -> Tree:
        """An independent copy."""
        return Tree(deepcopy(self.values), dict(self.places))


def as_yaml(tree: Mapping[str, Any], flow: bool | None = False) -> str:
    """Plain values as a file that `parse_yaml` reads back as the same values.

    With ``flow`` it is one line; with None each innermost mapping or list is one.
    """
    width = None if flow is False else math.inf
    return yaml.dump(tree, Dumper=_Dumper, sort_keys=False, default_flow_style=flow, width=width)


class _Dumper(yaml.SafeDumper):
    """Quotes every text that the reader would take for a number or a word like ``true``."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002  # the reader refuses all of them
        return True


def _represent_text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = None if isinstance(_scalar(text), str) else "'"
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style)


_Dumper.add_representer(str, _represent_text)


class _Loader(yaml.SafeLoader):
    """Composes nodes only. With no resolver, every scalar without an explicit tag stays text."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012  # overrides PyYAML's own class attribute

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]  # PyYAML's stubs lack it
            raise yaml.MarkedYAMLError(problem="aliases (*name) are not used in configs", problem_mark=mark)
        return super().compose_node(parent, index)


def parse_yaml(content: bytes, name: str) -> tuple[Tree, list[Problem]]:
    """The mapping in a file called ``name``, and the keys that it repeats.

    Raises `ConfigError` if the content is not text, empty, not YAML or not a mapping.
    """
    if len(content) > LARGEST_FILE:
        raise ConfigError(f"{name}: holds {len(content)} bytes; a config is a short text file")
    try:
        node = yaml.compose(content.decode(), _Loader)
    except UnicodeDecodeError as error:
        raise ConfigError(f"{name}: not a text file in UTF-8 (byte {error.start}); a config is YAML") from error
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise ConfigError(f"{name}:{line}: not valid YAML: {error.problem}") from error
    except yaml.YAMLError as error:
        raise ConfigError(f"{name}: not valid YAML: {getattr(error, 'reason', error)}") from error
    except RecursionError as error:
        raise ConfigError(f"{name}: nested too deeply for a config") from error
    if node is None:
        raise ConfigError(f"{name}: the file is empty; a config is a mapping like 'eta: 0.001'")
    if not isinstance(node, yaml.MappingNode):
        raise ConfigError(f"{name}:{node.start_mark.line + 1}: a config is a mapping like 'eta: 0.001'")
    tree, problems = Tree({}, {(): _place(node, name)}), list[Problem]()
    tree.values = _value(node, (), name, tree, problems)
    return tree, problems


def parse_override(tree: Tree, override: str) -> list[Problem]:
    """Set ``key=value`` in the tree, with dots between the keys and the value in YAML; returns what is wrong."""
    key, equals, text = override.partition("=")
    place = Place(f"--set {override}")
    path = tuple(key.strip().split("."))
    if not equals or not all(path):
        return [Problem(place, (), "must be key=value, like eta=0.01 or data.validation={size: 1000}")]
    parsed, problems = parse_yaml(f"value: {text}".encode(errors="surrogateescape"), place.name)
    if list(parsed.values) != ["value"]:
        return [Problem(place, path, "must have a single value")]
    messages = [problem.message for problem in problems] + tree.set(path, parsed.values["value"], place)
    return [Problem(place, path, message) for message in messages]


def _value(node: yaml.Node, path: KeyPath, name: str, tree: Tree, problems: list[Problem]) -> Any:
    """The plain value of a node; notes places in ``tree`` and repeated keys and tags in ``problems``."""
    place = _place(node, name)
    if node.tag not in ("tag:yaml.org,2002:str", "tag:yaml.org,2002:map", "tag:yaml.org,2002:seq"):
        problems.append(Problem(place, path, f"tags ({node.tag}) are not used in configs"))
    if isinstance(node, yaml.SequenceNode):
        tree.places.update({(*path, i): _place(item, name) for i, item in enumerate(node.value)})
        return [_value(item, (*path, i), name, tree, problems) for i, item in enumerate(node.value)]
    if isinstance(node, yaml.ScalarNode):
        return node.value if node.style else _scalar(node.value)
    mapping: dict[str, Any] = {}
    for key_node, value_node in node.value:
        key = key_node.value if isinstance(key_node, yaml.ScalarNode) else "(not a word)"
        key_path, key_place = (*path, key), _place(key_node, name)
        if key in mapping:
            problems.append(Problem(key_place, key_path, f"repeated; first on {tree.places[key_path]}"))
            continue
        tree.places[key_path] = key_place
        mapping[key] = _value(value_node, key_path, name, tree, problems)
    return mapping


def _place(node: yaml.Node, name: str) -> Place:
    return Place(name, node.start_mark.line + 1)


def _scalar(text: str) -> str | int | float | bool | None:
    """The value of an unquoted word.

    >>> [_scalar(word) for word in ("1e-3", "40", "010", "on", "true", ".inf")]
    [0.001, 40, 10, 'on', True, inf]
    """
    if text in _WORDS:
        return _WORDS[text]
    if _INTEGER.fullmatch(text):
        return int(text)
    if _FLOAT.fullmatch(text):
        return float(re.sub(r"\.(?=[inIN])", "", text))
    return text
