"""Reads a YAML file with a base config and a grid into the configs of all cells, or reports all problems at once."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from math import prod
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field

from cifar_linear.config.datasets import SyntheticData
from cifar_linear.config.formatting import as_text
from cifar_linear.config.models import Config
from cifar_linear.config.reading import listed, parse_file, validated
from cifar_linear.config.yaml_tree import Place, Problem, Tree, as_yaml, parse_override
from cifar_linear.errors import ConfigError

SelectBy = Literal["validation_accuracy", "validation_loss"]
_MOST_CELLS = 10_000


class SweepFile(BaseModel):
    """The keys of a sweep's file; what is under ``base`` is checked cell by cell."""

    model_config = ConfigDict(strict=True, extra="forbid")

    base: dict[str, Any] | str = Field(description="a config, or the path of its file from this one")
    grid: dict[str, Annotated[list[Any], Field(min_length=1)]] = Field(
        default={}, description="keys of the config, with dots between levels, each with the list of its values"
    )
    cells: list[dict[str, Any]] = Field(
        default=[],
        description="settings that belong together, each with the same keys; each is combined with the whole grid",
    )
    select_by: SelectBy = Field("validation_accuracy", description="the metric that selects among the cells")


@dataclass(frozen=True)
class Cell:
    """One combination of values, and its config."""

    settings: Mapping[str, Any]
    config: Config

    @cached_property
    def name(self) -> str:
        """The settings as a part of a folder's name."""
        words = [f"{key.rpartition('.')[2]}-{as_text(value)}" for key, value in self.settings.items()]
        return re.sub(r"[^A-Za-z0-9._-]+", "-", "_".join(words).replace("+", "")).strip("-")[:100] or "cell"

    @cached_property
    def key(self) -> Config:
        """What identifies the cell's run; see `key_of`."""
        return key_of(self.config)


def key_of(config: Config) -> Config:
    """Return a key that is equal for configs of the same run: the folder of the images does not matter."""
    if isinstance(config.data, SyntheticData):
        return config
    return config.model_copy(update={"data": config.data.model_copy(update={"folder": None})})


@dataclass(frozen=True)
class Sweep:
    """All cells. Those listed under ``cells`` come first; in the grid, the last key changes fastest.

    Attributes:
        cells: at least one.
        select_by: the metric that selects.
        text: a file that is read back as this sweep.
    """

    cells: Sequence[Cell]
    select_by: SelectBy
    text: str


def read_sweep(path: Path, overrides: Sequence[str] = (), seeds: int | None = None) -> Sweep:
    """The sweep in a YAML file, with ``key=value`` overrides of its base.

    Args:
        path: the file, or ``-`` for standard input.
        overrides: changes to the base.
        seeds: the number of seeds with which each cell is repeated, consecutive from the seed of the base.

    Raises:
        ConfigError: with all problems of the file and of every cell.
    """
    tree, problems = parse_file(path)
    if "data" in tree.values and "base" not in tree.values:
        name = tree.place(()).name
        raise ConfigError(f"{name}: this is a single config, not a sweep; run it with cifar-linear train")
    file, more = validated(SweepFile, tree)
    if file is None:
        raise ConfigError(listed(problems + more))
    if isinstance(file.base, str):
        base, more = parse_file(path.parent / file.base)
        problems += more
    else:
        base = tree.below("base")
    return _sweep(base, tree, file, problems, overrides, seeds)


def sweep_over_seeds(path: Path, overrides: Sequence[str], seeds: int) -> Sweep:
    """One config with several consecutive seeds, starting at its own. Raises `ConfigError`."""
    base, problems = parse_file(path)
    return _sweep(base, Tree({}, {(): Place(str(path))}), SweepFile(base={}), problems, overrides, seeds)


def sweep_over_grid(
    base: Tree, problems: list[Problem], grid: Mapping[str, list[Any]], overrides: Sequence[str] = ()
) -> Sweep:
    """A sweep that is in no file.

    Args:
        base: a config.
        problems: what is wrong with it so far.
        grid: keys of the config with their values.
        overrides: ``key=value``, changes to the base.

    Raises:
        ConfigError: with all problems of every cell.
    """
    return _sweep(base, Tree({}, {(): base.place(())}), SweepFile(base={}, grid=dict(grid)), problems, overrides, None)


def _sweep(
    base: Tree, tree: Tree, file: SweepFile, problems: list[Problem], overrides: Sequence[str], seeds: int | None
) -> Sweep:
    grid = dict(file.grid)
    listed_keys = set().union(*file.cells)
    for override in overrides:
        key = override.partition("=")[0].strip()
        for what, keys in (("grid, which decides", grid), ("cells, which decide", listed_keys)):
            if key in keys:
                message = f"is in the {what}; leave out one"
                problems.append(Problem(Place(f"--set {override}"), (key,), message))
        problems += parse_override(base, override)
    if seeds is not None:
        for path in (("grid", "seed"), ("cells", 0, "seed")):
            if "seed" in (grid if path[0] == "grid" else listed_keys):
                problems.append(Problem(tree.place(path), path, "is set by --seeds; leave out one"))
        first = base.values.get("seed", Config.model_fields["seed"].default)
        grid["seed"] = [first + i for i in range(seeds)] if isinstance(first, int) else [first]
    axes = _axes(file.cells, grid, tree)
    if (count := prod(map(len, axes))) > _MOST_CELLS:
        raise ConfigError(f"{tree.place(('grid',))}: grid: has {count} cells; at most {_MOST_CELLS} are run")
    problems += [*_problems_of_grid(grid, tree), *_problems_of_cells(file.cells, grid, tree)]
    problems += _problems_of_choice(axes, tree, file.select_by)
    cells, more = _cells(base, axes, tree)
    if problems or more:
        raise ConfigError(listed(problems + more))
    varied = {name: what for name, what in (("cells", file.cells), ("grid", grid)) if what}
    text = as_yaml({"base": base.values, **varied, "select_by": file.select_by})
    return Sweep(cells, file.select_by, text)


class _Setting(NamedTuple):
    """A value for a key, and its place."""

    key: str
    value: Any
    path: tuple[str | int, ...]
    place: Place


_Axes = list[list[list[_Setting]]]
"""A cell has one of the choices of each axis; a choice is settings that belong together."""


def _axes(cells: Sequence[Mapping[str, Any]], grid: Mapping[str, list[Any]], tree: Tree) -> _Axes:
    axes: _Axes = []
    if cells:
        together = []
        for i, cell in enumerate(cells):
            paths = [("cells", i, key) for key in cell]
            together.append([_Setting(path[2], cell[path[2]], path, tree.place(path)) for path in paths])
        axes.append(together)
    for key, values in grid.items():
        path = ("grid", key)
        axes.append([[_Setting(key, value, path, tree.place((*path, i)))] for i, value in enumerate(values)])
    return axes


def _problems_of_choice(axes: _Axes, tree: Tree, select_by: SelectBy) -> list[Problem]:
    problems = []
    losses = {str(setting.value) for axis in axes for choice in axis for setting in choice if setting.key == "loss"}
    if select_by == "validation_loss" and len(losses) > 1:
        message = "validation_loss cannot compare losses of different scales; select by validation_accuracy"
        problems.append(Problem(tree.place(("select_by",)), ("select_by",), message))
    return problems


def _problems_of_cells(
    cells: Sequence[Mapping[str, Any]], grid: Mapping[str, list[Any]], tree: Tree
) -> Iterator[Problem]:
    for i, cell in enumerate(cells):
        path = ("cells", i)
        if cell.keys() != cells[0].keys():
            message = (
                f"has the keys {', '.join(cell) or 'none'}, the first of the cells {', '.join(cells[0]) or 'none'}"
            )
            yield Problem(tree.place(path), path, message)
        for key in cell:
            if key in grid:
                yield Problem(tree.place((*path, key)), (*path, key), "is also in the grid; leave out one")


def _problems_of_grid(grid: Mapping[str, list[Any]], tree: Tree) -> list[Problem]:
    problems = []
    for key, values in grid.items():
        path = ("grid", key)
        problems += [
            Problem(tree.place(path), path, f"is a part of {outer}, which is also in the grid")
            for outer in grid
            if key.startswith(f"{outer}.")
        ]
        seen = set[str]()
        for i, value in enumerate(values):
            text = json.dumps(value, sort_keys=True)
            if text in seen:
                problems.append(Problem(tree.place((*path, i)), path, f"{as_text(value)} is listed twice"))
            seen.add(text)
    return problems


def _cells(base: Tree, axes: _Axes, tree: Tree) -> tuple[list[Cell], list[Problem]]:
    """All cells, and the problems, each of them once, though many cells may have it."""
    cells, problems = list[Cell](), dict[str, Problem]()
    known: dict[Config | None, Mapping[str, Any]] = {}
    first = axes[0][0][0].path[0] if axes and axes[0][0] else "base"
    for choices in product(*axes):
        of_cell = base.copy()
        chosen = [setting for choice in choices for setting in choice]
        settings = {setting.key: setting.value for setting in chosen}
        for setting in chosen:
            for message in of_cell.set(tuple(setting.key.split(".")), setting.value, setting.place):
                problems.setdefault(setting.key, Problem(setting.place, setting.path, message))
        config, more = validated(Config, of_cell)
        if config in known:
            message = f"two cells have the same config: {as_text(known[config])}; and {as_text(settings)}"
            problems.setdefault("same", Problem(tree.place((first,)), (first,), message))
        if config:
            known[config] = settings
            cells.append(Cell(settings, config))
        problems.update({str(problem): problem for problem in more})
    return cells, list(problems.values())
