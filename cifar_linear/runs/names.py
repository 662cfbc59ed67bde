"""Names of runs that every system accepts as a part of a folder's name."""

from __future__ import annotations

import re
from pathlib import Path

from cifar_linear.errors import ConfigError

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_DEVICE = re.compile(r"con|prn|aux|nul|(com|lpt)[0-9]", re.IGNORECASE)


def checked_name(name: str) -> str:
    """Return the name if it is a valid part of a folder name on every system. Raises `ConfigError` otherwise."""
    if _NAME.fullmatch(name) and not _is_reserved(name):
        return name
    raise ConfigError(
        f"run name {name!r}: must be 1 to 100 letters, digits, dots, dashes and underscores, "
        "start with a letter or digit, not end with a dot and not be reserved by Windows; choose one with --name"
    )


def _is_reserved(name: str) -> bool:
    """Return whether Windows would treat the name as a device, or drop its last character."""
    return _DEVICE.fullmatch(name.partition(".")[0]) is not None or name.endswith(".")


def name_from(path: Path) -> str:
    """Return a run name from the file name of a config, with invalid characters replaced."""
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", path.stem).lstrip("._-")[:100].rstrip(".") or "run"
    return f"run-{name}"[:100].rstrip(".") if _is_reserved(name) else name
