"""Atomic writes: a file or folder is written completely or not at all."""

import glob
import os
import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from cifar_linear.errors import ConfigError, RunError
from cifar_linear.storage.locks import LOCK, is_locked, locked

_UNFINISHED = ".new"


def write_whole(path: Path, content: bytes, confirm: Callable[[], None] = lambda: None) -> None:
    """Write a file atomically: after a crash, and for every reader, it has either the old or the new content.

    The content is written to a temporary file, synced and renamed. Several processes may write the same file: the last
    rename wins. A missing folder is created.

    Args:
        path: the file.
        content: what it will contain.
        confirm: called just before the rename; may raise to keep the old content.

    Raises:
        RunError: if the file cannot be written; the message contains path and cause.
    """
    beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}{_UNFINISHED}")
    try:
        _write(path, beside, content, confirm)
    except OSError as error:
        kept = "; its previous content is kept" if path.exists() else ""
        raise RunError(f"{path}: cannot be written: {error.strerror}{kept}") from error
    finally:
        with suppress(OSError):
            beside.unlink(missing_ok=True)


@contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """Make a new folder atomically: it is there, with all its files, once the block has ended without an error.

    The block writes into the folder that it is given, which lies beside the new one until it is renamed. Those that
    killed processes have left there are removed.

    Raises:
        ConfigError: if the folder exists.
        RunError: if a file in it cannot be written.
    """
    if path.exists():
        raise ConfigError(f"{path}: exists already and is not overwritten; choose another name, or remove it")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        for left in path.parent.glob(f".{glob.escape(path.name)}.*{_UNFINISHED}"):
            if not is_locked(left):
                shutil.rmtree(left, ignore_errors=True)
        beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}{_UNFINISHED}")
        beside.mkdir()
        try:
            with locked(beside, "another process writes here"):
                yield beside
            (beside / LOCK).unlink(missing_ok=True)
            beside.rename(path)
        finally:
            shutil.rmtree(beside, ignore_errors=True)
    except OSError as error:
        raise RunError(f"{path}: cannot be written: {error.strerror}") from error


def is_unfinished(path: Path) -> bool:
    """Return whether a file is the temporary file of a writer that was killed or is still writing."""
    return path.name.startswith(".") and path.name.endswith(_UNFINISHED)


def remove_unfinished(folder: Path) -> None:
    """Remove the temporary files of killed writers. Lock the folder first: those of live writers are removed too."""
    for path in folder.iterdir():
        if is_unfinished(path):
            path.unlink(missing_ok=True)


def _write(path: Path, beside: Path, content: bytes, confirm: Callable[[], None]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with beside.open("xb") as file:  # "x": never follow an existing link
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    confirm()
    beside.replace(path)
    _sync_folder(path.parent)


def _sync_folder(path: Path) -> None:
    """Make a rename survive a power failure; Windows cannot open folders."""
    if os.name == "nt":
        return
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
