"""The share of one of several processes that train a sweep together, such as the tasks of a SLURM array."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple, TypeVar

from cifar_linear.errors import ConfigError

_Item = TypeVar("_Item")
_ARRAY = "SLURM_ARRAY_TASK_ID", "SLURM_ARRAY_TASK_MIN", "SLURM_ARRAY_TASK_COUNT"


class Shard(NamedTuple):
    """Share ``number`` of ``shares``, counted from 1.

    >>> Shard(2, 3).ordered("abcdef")
    ['c', 'd', 'b', 'a', 'f', 'e']
    """

    number: int
    shares: int

    def __str__(self) -> str:
        return f"{self.number}/{self.shares}"

    def ordered(self, items: Sequence[_Item]) -> list[_Item]:
        """Return all items: first those of the share, then those of others, the last of each share first.

        Processes that have done their share so take what their neighbours would come to last.
        """
        start, end = ((part * len(items)) // self.shares for part in (self.number - 1, self.number))
        return [*items[start:end], *reversed(items[:start]), *reversed(items[end:])]


def read_shard(text: str, environment: Mapping[str, str]) -> Shard:
    """Return the share that ``i/n`` or ``auto`` means.

    Args:
        text: ``i/n``, with i from 1 to n; or ``auto``, the place of a task in its SLURM array.
        environment: variables of the process.

    Raises:
        ConfigError: for anything else, or outside an array.
    """
    if text == "auto":
        return _of_array(environment)
    match = re.fullmatch(r"([0-9]{1,6})/([0-9]{1,6})", text)
    if not match or not 1 <= (number := int(match[1])) <= (count := int(match[2])):
        raise ConfigError(f"--shard: must be i/n with i from 1 to n, such as 1/8, or auto, found {text}")
    return Shard(number, count)


def _of_array(environment: Mapping[str, str]) -> Shard:
    try:
        task, first, count = (int(environment[name]) for name in _ARRAY)
        step = int(environment.get("SLURM_ARRAY_TASK_STEP", 1))
        number = (task - first) // step + 1
    except (KeyError, ValueError, ZeroDivisionError) as error:
        raise ConfigError(
            f"--shard auto: this is not a task of a SLURM array, which has {', '.join(_ARRAY)} as numbers; "
            "name the share, such as --shard 1/8"
        ) from error
    if not 1 <= number <= count:
        # An array may be listed, as in 1,5,7: then only the number of its tasks is known.
        return Shard(task % count + 1, count)
    return Shard(number, count)
