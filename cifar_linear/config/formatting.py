"""Settings as text, for tables, labels and names of folders."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from cifar_linear.config.models import Config


def flat(tree: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Every key of a config, dotted, with its value as text."""
    for key, value in tree.items():
        if isinstance(value, Mapping):
            yield from flat(value, f"{prefix}{key}.")
        else:
            yield prefix + key, as_text(value)


def differing(before: Config, after: Config) -> list[tuple[str, str | None, str | None]]:
    """The keys in which two configs differ, with both values; the data folder, which changes no number, is left out."""
    ours, theirs = (dict(flat(config.to_tree())) for config in (before, after))
    keys = [key for key in {**ours, **theirs} if ours.get(key) != theirs.get(key) and key != "data.folder"]
    return [(key, ours.get(key), theirs.get(key)) for key in keys]


def as_text(value: Any) -> str:
    """A value in few words; different values have different texts.

    >>> [as_text(value) for value in (0.001, 1e6, True, ["a", "b"], {"kind": "step", "every": 10})]
    ['0.001', '1e+06', 'true', 'a b', 'kind step, every 10']
    """
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {as_text(part)}" for key, part in value.items())
    if isinstance(value, list):
        return " ".join(map(as_text, value))
    if isinstance(value, float):
        # Short where that is exact.
        return f"{value:g}" if float(f"{value:g}") == value else repr(value)
    return value if isinstance(value, str) else json.dumps(value)
