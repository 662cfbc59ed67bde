"""Runs as one archive, for machines without a common disk. What comes out of one is checked like any stranger's."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Sequence
from pathlib import Path

from cifar_linear.errors import ConfigError, RunError
from cifar_linear.runs.file_names import TRAINED
from cifar_linear.runs.files import LARGEST_FILE
from cifar_linear.runs.folder import RunFolder
from cifar_linear.runs.names import checked_name
from cifar_linear.storage.atomic import write_whole
from cifar_linear.storage.leases import Lease

_MOST_FILES = 1000


def pack(folders: Sequence[RunFolder]) -> bytes:
    """Return an archive of what training has written into some run folders."""
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as archive:
        for folder in folders:
            for path in folder.trained_files():
                archive.add(path, f"{folder.path.name}/{path.name}", recursive=False)
    return content.getvalue()


def unpack(content: bytes, target: Path) -> list[RunFolder]:
    """Write the runs of an archive into a folder, and return them.

    Args:
        content: the archive.
        target: an empty folder.

    Raises:
        RunError: if the archive has anything but files of runs, or one of them is damaged.
    """
    try:
        with tarfile.open(fileobj=io.BytesIO(content), mode="r:") as archive:
            for count, member in enumerate(archive, start=1):
                write_whole(target / _place(member, count), archive.extractfile(member).read())  # type: ignore[union-attr]  # a regular file
    except (tarfile.TarError, EOFError) as error:
        raise RunError(f"an archive of runs is damaged: {error}") from error
    folders = [RunFolder(path) for path in sorted(target.iterdir())]
    for folder in folders:
        _check(folder)
    return folders


def _place(member: tarfile.TarInfo, count: int) -> Path:
    """Return where a file belongs. Raises `RunError` if it is none of a run."""
    run, separator, name = member.name.partition("/")
    try:
        named_well = separator and checked_name(run) and name in TRAINED
    except ConfigError:
        named_well = False
    if not (named_well and member.isreg() and member.size <= LARGEST_FILE and count <= _MOST_FILES):
        raise RunError(f"an archive of runs has {member.name!r}, which is not a file of a run")
    return Path(run, name)


def _check(folder: RunFolder) -> None:
    """Raise `RunError` if a file of a run cannot be read as what it should be."""
    record = folder.read_record()
    if folder.config() != record.config:
        raise RunError(f"{folder.path}: config.yaml and run.json are not of the same run")
    if folder.read_checkpoint():
        folder.read_metrics()
        folder.read_steps()
        folder.read_model()
        if record.best:
            folder.read_model(best=True)


def install(found: RunFolder, runs_dir: Path, lease: Lease) -> None:
    """Copy what training has written into the folder of the same name; the record comes last.

    Args:
        found: a run that has been checked.
        runs_dir: where its folder is, or is made.
        lease: the claim on its group.
    """
    folder = RunFolder(runs_dir / found.path.name)
    folder.path.mkdir(exist_ok=True)
    with folder.locked(lease):
        folder.take_over(found)
