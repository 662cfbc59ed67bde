"""What was asked for, and which runs of a hand-in are that."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from cifar_linear.config.formatting import differing
from cifar_linear.config.models import Config
from cifar_linear.config.reading import read_config
from cifar_linear.course.handins.flags import Flag
from cifar_linear.course.handins.reading import HandedRun
from cifar_linear.errors import ConfigError

_FREE = ("seed", "repro", "record_steps", "evaluate")
"""Keys that a student may set otherwise; keys below them as well."""

Asked = Mapping[str, Config]
"""Configs by the names of their files."""


def read_asked(path: Path) -> Asked:
    """Read a config, or all configs of a folder.

    Raises:
        ConfigError: if there is none or one is invalid.
    """
    files = sorted(path.glob("*.yaml")) if path.is_dir() else [path]
    if not files:
        raise ConfigError(f"--asked {path}: there are no YAML files in this folder")
    return {file.stem: read_config(file) for file in files}


def asked_flags(runs: Sequence[HandedRun], asked: Asked, alone: bool) -> Iterator[tuple[HandedRun | None, Flag]]:
    """Yield what was asked for and is not there; with the run that it is about, None for the hand-in as a whole.

    Args:
        runs: the runs of a hand-in.
        asked: what was asked for.
        alone: whether the hand-in is a single run, which should be one of these; else it should have all of them, and
            may have others.
    """
    if alone:
        for run in runs:
            yield from ((run, flag) for flag in _of_one(run, asked))
        return
    for name, config in asked.items():
        if any(not _differences(run.config, config) for run in runs):
            yield from _unfinished([run for run in runs if not _differences(run.config, config)])
        else:
            others = [run for run in runs if all(_differences(run.config, other) for other in asked.values())]
            nearest = min(others or runs, key=lambda run: len(_differences(run.config, config)), default=None)
            yield None, Flag("asked", f"{name} is missing{_nearest(nearest, config)}")


def _of_one(run: HandedRun, asked: Asked) -> Iterator[Flag]:
    name = min(asked, key=lambda name: len(_differences(run.config, asked[name])))
    if differences := _differences(run.config, asked[name]):
        yield Flag("asked", f"not what was asked; the nearest is {name}: {', '.join(differences)}")
    else:
        yield from (flag for _, flag in _unfinished([run]))


def _unfinished(runs: Sequence[HandedRun]) -> Iterator[tuple[HandedRun, Flag]]:
    """Yield the last of some runs if none of them came to its end."""
    if not any(run.record.status in ("finished", "diverged") for run in runs):
        last = runs[-1]
        reached = f"{last.record.status} after epoch {last.rows[-1]['epoch']:.0f}"
        yield last, Flag("asked", f"{reached}, asked were {last.config.length} {last.config.unit}s")


def _nearest(run: HandedRun | None, config: Config) -> str:
    return f"; the nearest is {run.name}: {', '.join(_differences(run.config, config))}" if run else ""


def _differences(config: Config, asked: Config) -> list[str]:
    return [
        f"{key} is {found or 'not set'}, asked was {wanted or 'nothing'}"
        for key, found, wanted in differing(config, asked)
        if key.partition(".")[0] not in _FREE
    ]
