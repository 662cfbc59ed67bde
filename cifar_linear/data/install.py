"""Published archives become files in the data folder: checked, and installed whole or not at all."""

from __future__ import annotations

import gzip
import hashlib
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePath
from typing import Literal, NamedTuple

from cifar_linear.data.archives import members_of
from cifar_linear.data.dataset import Source
from cifar_linear.data.registry import PUBLICATIONS, Archive, Publication, published_file
from cifar_linear.data.sources import SOURCES
from cifar_linear.errors import ConfigError, DataError, RunError
from cifar_linear.storage.atomic import write_whole
from cifar_linear.storage.locks import locked

Say = Callable[[str], None]
Get = Callable[[Archive, Path], Path]
"""Returns an archive as a file, which may be put into the folder given."""

_STAGING = ".staging"
"""The folder, in the data folder, for what is not complete yet."""


class Batch(NamedTuple):
    """The state of a published batch in a data folder, and a remark on it if it is not as published."""

    name: str
    state: Literal["as published", "readable", "damaged"]
    remark: str


def verify(dataset: str, data_dir: Path) -> list[Batch]:
    """Read every batch of a data set and compare its files, byte for byte, with the published ones.

    Files with other bytes are good data if they can be read. Raises `DataError` if the folder holds none of the data.
    """
    source = SOURCES[dataset](data_dir)
    return [_verified(source, name) for name in source.batches]


def install_dataset(dataset: str, data_dir: Path, get: Get, say: Say) -> None:
    """Put a data set into a data folder, unless it is there already, readable and complete.

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
    target = _target_folder(publication, data_dir)
    with _exclusive(data_dir, say), _staging_folder(data_dir) as staging:
        if _is_complete(dataset, data_dir):
            say(f"{dataset} is already installed and readable: nothing changed; to replace it, remove {target}")
            return
        for archive in publication.archives:
            for name, content in members_of(get(archive, staging), archive):
                write_whole(staging / publication.folder / name, content)
        _check_readable(verify(dataset, staging), staging)
        _move_to(target, staging / publication.folder)


def recognize_archives(paths: Sequence[Path], unpublished: bool = False) -> tuple[str, dict[str, Path]]:
    """Find out which archives of which data set some files are.

    A published archive is known by its SHA-256 sum, whatever its file is called.

    Args:
        paths: one file for each archive of a data set.
        unpublished: whether a file with another sum is accepted if it has the name of an archive.

    Returns:
        The name of the data set, and the file of each of its archives by the archive's name.

    Raises:
        DataError: a file is not a published archive; nothing of it has been unpacked.
        ConfigError: the files are not all archives of one data set.
    """
    found: dict[str, dict[str, Path]] = {}
    for path in paths:
        dataset, archive = _recognized(path, unpublished)
        found.setdefault(dataset, {})[archive.name] = path
    if len(found) > 1:
        raise ConfigError(f"files of {' and '.join(found)}: import one data set after another")
    ((dataset, files),) = found.items()
    missing = [archive.name for archive in PUBLICATIONS[dataset].archives if archive.name not in files]
    if missing:
        raise ConfigError(f"{dataset} is not complete without {', '.join(missing)}: name all its files at once")
    return dataset, files


def _recognized(path: Path, unpublished: bool) -> tuple[str, Archive]:
    """The data set and the archive that a file is: by its sum, or with ``unpublished`` by its name."""
    published = [(dataset, archive) for dataset, of in PUBLICATIONS.items() for archive in of.archives]
    digest = _sha256(path)
    for dataset, archive in published:
        if archive.sha256 == digest:
            return dataset, archive
    for dataset, archive in published:
        if archive.name == path.name:
            if unpublished:
                return dataset, archive
            raise DataError(
                f"{path}: its SHA-256 sum is not that of the published {archive.name}, so it is not unpacked: get the "
                f"archive again with cifar-linear data download {dataset}, or unpack it all the same with --unpublished"
            )
    names = ", ".join(archive.name for _, archive in published)
    raise DataError(f"{path}: neither the content nor the name of one of {names}")


def _sha256(path: Path) -> str:
    try:
        if path.exists() and not path.is_file():
            raise DataError(f"{path}: not a file")
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}") from error


def _verified(source: Source, name: str) -> Batch:
    try:
        source.read(name)
    except DataError as error:
        return Batch(name, "damaged", str(error))
    if all(_is_published(path) for path in source.files(name)):
        return Batch(name, "as published", "")
    known = all(published_file(path.name.removesuffix(".gz")) for path in source.files(name))
    remark = "its bytes differ from the published file" if known else "no checksum of this layout is known"
    return Batch(name, "readable", remark)


def _is_published(path: Path) -> bool:
    """Whether the content of a file, unpacked, is the published one."""
    member = published_file(path.name.removesuffix(".gz"))
    if member is None:
        return False
    with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
        content = file.read(member.size + 1)
    return hashlib.md5(content, usedforsecurity=False).hexdigest() == member.md5


def _is_complete(dataset: str, data_dir: Path) -> bool:
    try:
        return all(batch.state != "damaged" for batch in verify(dataset, data_dir))
    except DataError:
        return False


def _check_readable(batches: Sequence[Batch], staging: Path) -> None:
    """Raise `DataError` for a batch from an archive that cannot be read."""
    for batch in batches:
        if batch.state == "damaged":
            remark = batch.remark.replace(f"{staging}{os.sep}", "")
            raise DataError(f"{batch.name} in the archive cannot be used: {remark}")


def _target_folder(publication: Publication, data_dir: Path) -> Path:
    """Where the files of a data set belong: the folder that holds some of them, else where they would be read."""
    parts = PurePath(publication.folder).parts
    names = [path.rpartition("/")[2] for archive in publication.archives for path in archive.members]
    for folder in (data_dir, *(data_dir.joinpath(*parts[start:]) for start in range(len(parts)))):
        if any((folder / f"{name}{ending}").exists() for name in names for ending in ("", ".gz")):
            return folder
    # The data folder may be named by a folder within it, such as that of the files themselves.
    return data_dir.joinpath(*parts[parts.index(data_dir.name) + 1 :] if data_dir.name in parts else parts)


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
