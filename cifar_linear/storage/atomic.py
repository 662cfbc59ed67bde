"""Writing files whole or not at all."""

import os
import secrets
from contextlib import suppress
from pathlib import Path

from cifar_linear.errors import RunError

_UNFINISHED = ".new"


def write_whole(path: Path, content: bytes) -> None:
    """Write beside the file, sync, rename: a reader or a crash finds the old content or the new, never half.

    Several writers of one file do not disturb each other; the last to rename wins. Makes the folder if it is missing.
    Raises `RunError` with path and cause.
    """
    beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}{_UNFINISHED}")
    try:
        _write(path, beside, content)
    except OSError as error:
        kept = "; what was there before is unharmed" if path.exists() else ""
        raise RunError(f"{path}: cannot be written: {error.strerror}{kept}") from error
    finally:
        with suppress(OSError):
            beside.unlink(missing_ok=True)


def is_unfinished(path: Path) -> bool:
    """Return whether a file was left behind by a writer that was killed, or belongs to one that still writes."""
    return path.name.startswith(".") and path.name.endswith(_UNFINISHED)


def remove_unfinished(folder: Path) -> None:
    """Remove what killed writers left in a folder. Lock it first: the file of a live writer is removed as well."""
    for path in folder.iterdir():
        if is_unfinished(path):
            path.unlink(missing_ok=True)


def _write(path: Path, beside: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with beside.open("xb") as file:  # "x": not through a link that lies there
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)
    _sync_folder(path.parent)


def _sync_folder(path: Path) -> None:
    """Make a rename last through a power cut, where the system allows to open folders."""
    if os.name == "nt":
        return
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
