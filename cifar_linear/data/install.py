"""Published archives become files in the data folder: checked, and installed whole or not at all."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePath
from typing import Literal, NamedTuple

from cifar_linear.data.archives import members_of
from cifar_linear.data.dataset import Source
from cifar_linear.data.registry import PUBLICATIONS, Archive, members, published_as
from cifar_linear.data.sources import SOURCES
from cifar_linear.errors import ConfigError, DataError, RunError
from cifar_linear.storage.atomic import write_whole
from cifar_linear.storage.locks import locked

Say = Callable[[str], None]
Get = Callable[[Archive, Path], Path]
"""Returns an archive as a file, which may be put into the folder given."""

_STAGING = ".staging"
"""The folder, in the data folder, for what is not complete yet."""


class VerifiedBatch(NamedTuple):
    """The state of a published batch in a data folder, and a remark on it if it is not as published."""

    name: str
    state: Literal["as published", "readable", "damaged"]
    remark: str


def verify(dataset: str, data_dir: Path) -> list[VerifiedBatch]:
    """Read every batch of a data set and compare its files, byte for byte, with the published ones.

    Files with other bytes are good data if they can be read. Raises `DataError` if the folder holds none of the data.
    """
    source = SOURCES[dataset](data_dir)
    return [_verified(dataset, source, name) for name in source.batches]


def install_dataset(dataset: str, data_dir: Path, get: Get, say: Say) -> None:
    """Put a data set into a data folder, unless it is already there, readable and complete.

    One process at a time does so; others wait.

    Args:
        dataset: its name in configs.
        data_dir: the data folder, made if it is not there.
        get: returns each archive as a file.
        say: receives lines of progress.

    Raises:
        DataError: an archive is not what it should be; nothing is installed.
        RunError: the data folder cannot be written.
    """
    publication = PUBLICATIONS[dataset]
    target = _target_folder(dataset, data_dir)
    with _exclusive(data_dir, say), _staging_folder(data_dir) as staging:
        if _is_complete(dataset, data_dir):
            say(f"{dataset} is already installed and readable: nothing changed; to replace it, remove {target}")
            return
        for archive in publication.archives:
            for name, content in members_of(get(archive, staging), archive):
                write_whole(staging / publication.folder / name, content)
        _check_readable(verify(dataset, staging), staging)
        _move_to(target, staging / publication.folder)


def recognize_archives(
    paths: Sequence[Path], dataset: str | None = None, *, unpublished: bool = False
) -> tuple[str, dict[str, Path]]:
    """Find out which archives of which data set some files are.

    A published archive is known by its SHA-256 sum, whatever its file is called.

    Args:
        paths: one file for each archive of a data set.
        dataset: the data set that it must be; None for any.
        unpublished: whether a file with another sum is accepted if it has the name of an archive.

    Returns:
        The name of the data set, and the file of each of its archives by the archive's name.

    Raises:
        DataError: a file is not a published archive; nothing of it has been unpacked.
        ConfigError: the files are not all archives of one data set, or their names leave open of which.
    """
    found: dict[str, dict[str, Path]] = {}
    for path in paths:
        publication, archive = _recognized(path, dataset, unpublished)
        found.setdefault(publication, {})[archive.name] = path
    if len(found) > 1:
        raise ConfigError(f"files of {' and '.join(found)}: import one data set after another")
    ((publication, files),) = found.items()
    missing = [archive.name for archive in PUBLICATIONS[publication].archives if archive.name not in files]
    if missing:
        raise ConfigError(f"{publication} is not complete without {', '.join(missing)}: name all its files at once")
    return publication, files


def _recognized(path: Path, dataset: str | None, unpublished: bool) -> tuple[str, Archive]:
    """The data set and the archive that a file is: by its sum, or with ``unpublished`` by its name."""
    wanted = [name for name in PUBLICATIONS if dataset in (None, name)]
    published = [(name, archive) for name in wanted for archive in PUBLICATIONS[name].archives]
    digest = _sha256(path)
    for name, archive in published:
        if archive.sha256 == digest:
            return name, archive
    named = [(name, archive) for name, archive in published if archive.name == path.name]
    if not named:
        names = dict.fromkeys(archive.name for _, archive in published)
        raise DataError(f"{path}: neither the content nor the name of one of {', '.join(names)}")
    sets = [name for name, _ in named]
    if not unpublished:
        raise DataError(
            f"{path}: its SHA-256 sum is not that of the published {path.name}, so it is not unpacked: get the archive "
            f"again with cifar-linear data download {' or '.join(sets)}, or unpack it all the same with --unpublished"
        )
    if len(named) > 1:
        raise ConfigError(f"{path}: {' and '.join(sets)} have a file of this name: choose one with --dataset")
    return named[0]


def _sha256(path: Path) -> str:
    try:
        if path.exists() and not path.is_file():
            raise DataError(f"{path}: not a file")
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}") from error


def _verified(dataset: str, source: Source, name: str) -> VerifiedBatch:
    try:
        source.read(name)
    except DataError as error:
        return VerifiedBatch(name, "damaged", str(error))
    if all(published_as(path) == dataset for path in source.files(name)):
        return VerifiedBatch(name, "as published", "")
    known = all(path.name.removesuffix(".gz") in members(dataset) for path in source.files(name))
    remark = "its bytes differ from the published file" if known else "no checksum of this layout is known"
    return VerifiedBatch(name, "readable", remark)


def _is_complete(dataset: str, data_dir: Path) -> bool:
    try:
        return all(batch.state != "damaged" for batch in verify(dataset, data_dir))
    except DataError:
        return False


def _check_readable(batches: Sequence[VerifiedBatch], staging: Path) -> None:
    """Raise `DataError` for a batch from an archive that cannot be read."""
    for batch in batches:
        if batch.state == "damaged":
            remark = batch.remark.replace(f"{staging}{os.sep}", "")
            raise DataError(f"{batch.name} in the archive cannot be used: {remark}")


def _target_folder(dataset: str, data_dir: Path) -> Path:
    """Where the files of a data set belong: the folder that holds some of them, else where they would be read."""
    parts = PurePath(PUBLICATIONS[dataset].folder).parts
    for folder in (data_dir.joinpath(*parts[start:]) for start in range(len(parts) + 1)):
        if _holds(dataset, folder) and not _holds_another(dataset, folder):
            return folder
    # The data folder may be named by a folder within it, such as that of the files themselves.
    within = data_dir.name in parts and not _holds_another(dataset, data_dir)
    return data_dir.joinpath(*parts[parts.index(data_dir.name) + 1 :] if within else parts)


def _holds(dataset: str, folder: Path) -> list[Path]:
    """The files in a folder that have the names of a data set's files."""
    paths = [folder / f"{name}{ending}" for name in members(dataset) for ending in ("", ".gz")]
    return [path for path in paths if path.exists()]


def _holds_another(dataset: str, folder: Path) -> bool:
    """Whether such a file is that of another data set, with files of the same names."""
    return any(published_as(path) not in (None, dataset) for path in _holds(dataset, folder))


def _move_to(target: Path, complete: Path) -> None:
    """Move a complete folder to where it belongs: at once if nothing is there, else file by file."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        if not target.exists():
            complete.rename(target)
            return
        for path in complete.iterdir():
            if (target / path.name).is_dir():
                raise RunError(f"{target / path.name}: a folder is in the way; remove it")
        for path in complete.iterdir():
            path.replace(target / path.name)
    except OSError as error:
        raise RunError(f"{target}: cannot be written: {error.strerror}") from error


@contextmanager
def _exclusive(data_dir: Path, say: Say) -> Iterator[None]:
    """Make the data folder and wait until no other process installs data there."""
    try:
        data_dir.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RunError(f"{data_dir}: cannot be made: {error.strerror}; choose another --data-dir") from error
    with locked(data_dir, "another process is installing data; waiting for it to finish", say):
        yield


@contextmanager
def _staging_folder(data_dir: Path) -> Iterator[Path]:
    """A folder for what is not complete yet, removed at the end; one left by a killed process is removed first."""
    path = data_dir / _STAGING
    shutil.rmtree(path, ignore_errors=True)
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)
