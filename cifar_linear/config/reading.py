"""Reads a YAML file into a `Config`, or reports all problems of the file at once."""

import difflib
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from cifar_linear.config.models import Config
from cifar_linear.config.problems import problems_of
from cifar_linear.config.yaml_tree import LARGEST_FILE, Problem, Tree, parse_override, parse_yaml
from cifar_linear.errors import ConfigError

_Model = TypeVar("_Model", bound=BaseModel)
_MOST = 50
"""Problems that are explained; a file with more of them is another kind of file."""
_DEFAULT = b"{data: {dataset: synthetic}, lambda: 0, eta: 0.001, n_batch: 20, epochs: 1}"


def read_config(path: Path, overrides: Sequence[str] = ()) -> Config:
    """The config in a YAML file, with ``key=value`` overrides that pass the same checks.

    Raises `ConfigError` with all problems: each with file and line, what was found, what is allowed, and for an
    unknown key the nearest known one.
    """
    return _config(*parse_file(path), overrides)


def config_or_default(path: Path | None, overrides: Sequence[str] = ()) -> Config:
    """`read_config`; without a path, a small config on generated images, for commands that need only images."""
    return read_config(path, overrides) if path else parse_config(_DEFAULT, "the built-in config", overrides)


def parse_config(content: bytes, name: str, overrides: Sequence[str] = ()) -> Config:
    """`read_config` for the content of a file called ``name``."""
    return _config(*parse_yaml(content, name), overrides)


def _config(tree: Tree, problems: list[Problem], overrides: Sequence[str]) -> Config:
    if "base" in tree.values and "grid" in tree.values:
        raise ConfigError(
            f"{tree.place(()).name}: this is a sweep, not a single config; run it with cifar-linear sweep"
        )
    for override in overrides:
        problems += parse_override(tree, override)
    config, more = validated(Config, tree)
    if config is None or problems:
        raise ConfigError(listed(problems + more))
    return config


def validated(kind: type[_Model], tree: Tree) -> tuple[_Model | None, list[Problem]]:
    """The model with the values of a tree, or what is wrong with them."""
    try:
        return kind.model_validate(tree.values, by_name=False), []
    except ValidationError as error:
        return None, problems_of(error.errors()[:_MOST], tree, kind.model_json_schema())


def parse_file(path: Path) -> tuple[Tree, list[Problem]]:
    """The mapping in a YAML file, or in standard input if the path is ``-``; and the keys that it repeats.

    Raises `ConfigError` for a file that cannot be read or is not a mapping.
    """
    if path == Path("-"):
        return parse_yaml(sys.stdin.buffer.read(LARGEST_FILE + 1), "standard input")
    try:
        return parse_yaml(path.read_bytes(), str(path))
    except FileNotFoundError as error:
        near = difflib.get_close_matches(path.name, [file.name for file in path.parent.glob("*.y*ml")], n=1)
        hint = f"did you mean {path.parent / near[0]}?" if near else "cifar-linear config new writes a config"
        raise ConfigError(f"{path}: there is no such file; {hint}") from error
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}; a YAML file was expected") from error


def listed(problems: list[Problem]) -> str:
    """A single problem as it is; several with their count, in the order of the file."""
    if len(problems) == 1:
        return str(problems[0])
    in_order = sorted(problems, key=lambda problem: problem.place.line)
    return "\n  ".join([f"{len(problems)} problems in the config:", *map(str, in_order)])
