"""Whether the setting of a sweep that was evaluated on the test set is the one that validation images select."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from cifar_linear.config.sweeps import read_sweep
from cifar_linear.course.handins.flags import Flag
from cifar_linear.errors import CifarLinearError
from cifar_linear.runs.places import SWEEP_FILE
from cifar_linear.sweep.folder import SweepFolder
from cifar_linear.sweep.table import table_of


def selection_flags(folder: Path) -> Iterator[Flag]:
    """Yield for each sweep at or below a folder whether only settings that were not selected have test metrics."""
    for file in sorted(folder.rglob(SWEEP_FILE)):
        try:
            sweep = read_sweep(file)
            rows = table_of(sweep, SweepFolder(file.parent).runs())
        except CifarLinearError as error:
            yield Flag("selection", f"the sweep {file.parent.name} cannot be read: {str(error).splitlines()[0]}")
            continue
        tested = [row for row in rows if row.test]
        if tested and not rows[0].test:
            by = sweep.select_by.replace("_", " ")
            yield Flag(
                "selection",
                f"{file.parent.name}: {_named(tested[0].settings)} was evaluated on the test set; {by} selects "
                f"{_named(rows[0].settings)}",
            )


def _named(settings: Mapping[str, Any]) -> str:
    return ", ".join(f"{key} {value}" for key, value in settings.items())
