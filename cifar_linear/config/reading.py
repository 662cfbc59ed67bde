"""From a YAML file to a `Config`, or to every problem of the file at once."""

from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from cifar_linear.config.models import Config
from cifar_linear.config.problems import problems_of
from cifar_linear.config.yaml_tree import Problem, Tree, parse_override, parse_yaml
from cifar_linear.errors import ConfigError

_Model = TypeVar("_Model", bound=BaseModel)
_MOST = 50
"""Problems that are explained; whoever has more has another kind of file."""
_DEFAULT = b"{data: {dataset: synthetic}, lambda: 0, eta: 0.001, n_batch: 20, epochs: 1}"


def read_config(path: Path, overrides: Sequence[str] = ()) -> Config:
    """The config in a YAML file, with ``key=value`` overrides that pass the same checks.

    Raises `ConfigError` with all problems: each with file and line, what was found, what is allowed, and for an
    unknown key the nearest known one.
    """
    return parse_config(read_file(path), str(path), overrides)


def config_or_default(path: Path | None, overrides: Sequence[str] = ()) -> Config:
    """`read_config`, or without a path a small config on generated images, for who needs images but no experiment."""
    return read_config(path, overrides) if path else parse_config(_DEFAULT, "the built-in config", overrides)


def parse_config(content: bytes, name: str, overrides: Sequence[str] = ()) -> Config:
    """`read_config` for the content of a file called ``name``."""
    tree, problems = parse_yaml(content, name)
    if "base" in tree.values and "grid" in tree.values:
        raise ConfigError(f"{name}: this is a sweep, not a single config; run it with cifar-linear sweep")
    for override in overrides:
        problems += parse_override(tree, override)
    config, more = validated(Config, tree)
    if config is None or problems:
        raise ConfigError(listed(problems + more))
    return config


def validated(kind: type[_Model], tree: Tree) -> tuple[_Model | None, list[Problem]]:
    """What the values of a tree give, or what stands in the way."""
    try:
        return kind.model_validate(tree.values), []
    except ValidationError as error:
        return None, problems_of(error.errors()[:_MOST], tree, kind.model_json_schema())


def read_file(path: Path) -> bytes:
    """The content of a file that --config names. Raises `ConfigError`."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}; a YAML file was expected") from error


def listed(problems: list[Problem]) -> str:
    """One problem as it is; several with their number, in the order of the file."""
    if len(problems) == 1:
        return str(problems[0])
    in_order = sorted(problems, key=lambda problem: problem.place.line)
    return "\n  ".join([f"{len(problems)} problems in the config:", *map(str, in_order)])
