"""From a YAML file with a base config and a grid to the configs of all its cells, or to every problem at once."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from math import prod
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field

from cifar_linear.config.models import Config
from cifar_linear.config.reading import listed, read_file, validated
from cifar_linear.config.wording import as_text
from cifar_linear.config.yaml_tree import Place, Problem, Tree, parse_override, parse_yaml
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
    select_by: SelectBy = Field("validation_accuracy", description="the figure that chooses among the cells")


@dataclass(frozen=True)
class Cell:
    """One combination of the grid's values, and the config that it gives."""

    settings: Mapping[str, Any]
    config: Config

    @cached_property
    def name(self) -> str:
        """The settings as a part of a folder's name."""
        words = [f"{key.rpartition('.')[2]}-{as_text(value)}" for key, value in self.settings.items()]
        return re.sub(r"[^A-Za-z0-9._-]+", "-", "_".join(words).replace("+", "")).strip("-")[:100] or "cell"


@dataclass(frozen=True)
class Sweep:
    """All cells of a grid, in its order: the last key changes fastest.

    Attributes:
        cells: at least one.
        select_by: the figure that chooses.
        text: the file that gives this sweep again.
    """

    cells: Sequence[Cell]
    select_by: SelectBy
    text: str


def read_sweep(path: Path, overrides: Sequence[str] = (), seeds: int | None = None) -> Sweep:
    """The sweep in a YAML file, with ``key=value`` overrides of its base.

    ``seeds`` repeats each cell with so many seeds, counted up from that of the base. Raises `ConfigError` with all
    problems of the file and of every cell.
    """
    tree, problems = parse_yaml(read_file(path), str(path))
    file, more = validated(SweepFile, tree)
    if file is None:
        raise ConfigError(listed(problems + more))
    if isinstance(file.base, str):
        base_path = path.parent / file.base
        base, more = parse_yaml(read_file(base_path), str(base_path))
        problems += more
    else:
        base = tree.below("base")
    return _sweep(base, tree, file, problems, overrides, seeds)


def sweep_over_seeds(path: Path, overrides: Sequence[str], seeds: int) -> Sweep:
    """One config with several seeds, counted up from its own. Raises `ConfigError`."""
    base, problems = parse_yaml(read_file(path), str(path))
    return _sweep(base, Tree({}, {(): Place(str(path))}), SweepFile(base={}), problems, overrides, seeds)


def _sweep(
    base: Tree, tree: Tree, file: SweepFile, problems: list[Problem], overrides: Sequence[str], seeds: int | None
) -> Sweep:
    grid = dict(file.grid)
    for override in overrides:
        key = override.partition("=")[0].strip()
        if key in grid:
            problems.append(Problem(Place(f"--set {override}"), (key,), "is in the grid, which decides; leave out one"))
        problems += parse_override(base, override)
    if seeds is not None:
        if "seed" in grid:
            problems.append(
                Problem(tree.place(("grid", "seed")), ("grid", "seed"), "is what --seeds sets; leave out one")
            )
        first = base.values.get("seed", Config.model_fields["seed"].default)
        grid["seed"] = [first + i for i in range(seeds)] if isinstance(first, int) else [first]
    problems += _problems_of_grid(grid, tree, file.select_by)
    few = prod(map(len, grid.values())) <= _MOST_CELLS
    cells, more = _cells(base, grid, tree) if few else ([], [])
    if problems or more:
        raise ConfigError(listed(problems + more))
    text = yaml.safe_dump({"base": base.values, "grid": grid, "select_by": file.select_by}, sort_keys=False)
    return Sweep(cells, file.select_by, text)


def _problems_of_grid(grid: Mapping[str, list[Any]], tree: Tree, select_by: SelectBy) -> list[Problem]:
    problems = []
    if select_by == "validation_loss" and len(grid.get("loss", ())) > 1:
        message = "validation_loss cannot choose among losses of different scales; select by validation_accuracy"
        problems.append(Problem(tree.place(("select_by",)), ("select_by",), message))
    for key, values in grid.items():
        path = ("grid", key)
        problems += [
            Problem(tree.place(path), path, f"is a part of {outer}, which is in the grid as well")
            for outer in grid
            if key.startswith(f"{outer}.")
        ]
        for i, value in enumerate(values):
            if any(value == other and type(value) is type(other) for other in values[:i]):
                problems.append(Problem(tree.place((*path, i)), path, f"{as_text(value)} stands there twice"))
    if (count := prod(map(len, grid.values()))) > _MOST_CELLS:
        problems.append(Problem(tree.place(("grid",)), ("grid",), f"has {count} cells; at most {_MOST_CELLS} are run"))
    return problems


def _cells(base: Tree, grid: Mapping[str, list[Any]], tree: Tree) -> tuple[list[Cell], list[Problem]]:
    """Every cell; where there are problems, each of them once, though many cells may have it."""
    cells, problems = list[Cell](), dict[str, Problem]()
    known: dict[Config | None, Mapping[str, Any]] = {}
    for choice in product(*(range(len(values)) for values in grid.values())):
        of_cell = base.copy()
        settings = {key: grid[key][i] for key, i in zip(grid, choice, strict=True)}
        for (key, value), i in zip(settings.items(), choice, strict=True):
            path, place = tuple(key.split(".")), tree.place(("grid", key, i))
            for message in of_cell.set(path, value, place):
                problems.setdefault(key, Problem(place, ("grid", key), message))
        config, more = validated(Config, of_cell)
        if config in known:
            message = f"two cells come to the same config: {as_text(known[config])}; and {as_text(settings)}"
            problems.setdefault("same", Problem(tree.place(("grid",)), ("grid",), message))
        if config:
            known[config] = settings
            cells.append(Cell(settings, config))
        problems.update({str(problem): problem for problem in more})
    return cells, list(problems.values())
