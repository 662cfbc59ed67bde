"""Settings as text, for tables, labels and names of folders."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from cifar_linear.config.models import Config
from cifar_linear.nn.network import Network

LAYER_COLUMNS = ("layer", "output", "parameters", "formula", "receptive field", "multiplications", "share")
"""Titles of `layer_rows`."""


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


def layer_rows(network: Network) -> list[tuple[str, ...]]:
    """A network as a table of texts: a row for each layer under `LAYER_COLUMNS`, and one for their sum.

    The share is that of all multiplications by weights in the forward pass of one image.
    """
    layers = network.table()
    parameters = sum(row.parameters for row in layers)
    multiplications = sum(row.multiplications for row in layers)
    rows = [
        (
            row.name,
            _sides(row.output_shape),
            str(row.parameters),
            row.formula,
            _sides(row.receptive_field),
            str(row.multiplications),
            f"{100 * row.multiplications / multiplications:.1f} %",
        )
        for row in layers
    ]
    return [*rows, ("all", "", str(parameters), "", "", str(multiplications), "100.0 %")]


def layers_as_comments(network: Network) -> str:
    """The same table in lines that begin with #, for the end of a YAML file."""
    rows = [LAYER_COLUMNS, *layer_rows(network)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return "".join(f"# {line}\n" for line in lines)


def _sides(shape: tuple[int, ...]) -> str:
    """A shape as in ``16 x 28 x 28``."""
    return " x ".join(map(str, shape))
