"""Data that arrives, from the net or by hand: checked, and put in its place whole or not at all."""

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
"""Has an archive as a file, in the folder given or elsewhere."""

_ARRIVING = ".arriving"
"""The folder, in the data folder, of what is not complete yet."""


class Batch(NamedTuple):
    """A published batch as it is found: as published, readable with other content, or damaged; and what of it."""

    name: str
    state: Literal["as published", "readable", "damaged"]
    remark: str


def verify(dataset: str, data_dir: Path) -> list[Batch]:
    """Read every batch of a data set and compare its files with the published ones.

    Files with other content are good data if they can be read; the state tells the ones from the others. Raises
    `DataError` if there is none of the data at all.
    """
    source = SOURCES[dataset](data_dir)
    return [_verified(source, name) for name in source.batches]


def bring(dataset: str, data_dir: Path, get: Get, say: Say, unpublished: bool = False) -> None:
    """Put a data set into a data folder, unless it is there, readable and complete.

    One process at a time does so; others wait. Raises `DataError` for archives that are not what they should be:
    ``unpublished`` admits other content than the published, as long as it can be read.
    """
    publication = PUBLICATIONS[dataset]
    place = _place(publication, data_dir)
    with _turn(data_dir, say), _arriving(data_dir) as arriving:
        if _is_complete(dataset, data_dir):
            say(f"{dataset} is there already, complete and readable: nothing is changed; to replace it, remove {place}")
            return
        for archive in publication.archives:
            for name, content in members_of(get(archive, arriving), archive):
                write_whole(arriving / publication.folder / name, content)
        _admit(verify(dataset, arriving), arriving, unpublished)
        _move(arriving / publication.folder, place)


def archives_in(paths: Sequence[Path]) -> tuple[str, dict[str, Path]]:
    """The data set that files brought by hand make up, and the file of each of its archives by name.

    Files are known by their SHA-256 sums, whatever they are called, else by their names. Raises `DataError` for a file
    that is no archive of a data set, `ConfigError` for files that do not make up one.
    """
    found: dict[str, dict[str, Path]] = {}
    for path in paths:
        dataset, archive = _recognized(path)
        found.setdefault(dataset, {})[archive.name] = path
    if len(found) > 1:
        raise ConfigError(f"files of {' and '.join(found)}: import one data set after another")
    ((dataset, files),) = found.items()
    missing = [archive.name for archive in PUBLICATIONS[dataset].archives if archive.name not in files]
    if missing:
        raise ConfigError(f"{dataset} is not complete without {', '.join(missing)}: name all its files at once")
    return dataset, files


def _recognized(path: Path) -> tuple[str, Archive]:
    published = [(dataset, archive) for dataset, of in PUBLICATIONS.items() for archive in of.archives]
    try:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}") from error
    for dataset, archive in published:
        if archive.sha256 == digest:
            return dataset, archive
    for dataset, archive in published:
        if archive.name == path.name:
            return dataset, archive
    names = ", ".join(archive.name for _, archive in published)
    raise DataError(f"{path}: neither by its content nor by its name one of {names}")


def _verified(source: Source, name: str) -> Batch:
    try:
        source.read(name)
    except DataError as error:
        return Batch(name, "damaged", str(error))
    if all(_is_published(path) for path in source.files(name)):
        return Batch(name, "as published", "")
    known = all(published_file(path.name.removesuffix(".gz")) for path in source.files(name))
    remark = "its content is not the published one" if known else "there are no published sums of this layout"
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


def _admit(batches: Sequence[Batch], arriving: Path, unpublished: bool) -> None:
    """Raise `DataError` for batches that shall not come into the data folder."""
    for batch in batches:
        if batch.state == "damaged":
            remark = batch.remark.replace(f"{arriving}{os.sep}", "")
            raise DataError(f"{batch.name} in the archive cannot be used: {remark}")
        if batch.state == "readable" and not unpublished:
            raise DataError(f"{batch.name} in the archive: {batch.remark}; --unpublished takes it nonetheless")


def _place(publication: Publication, data_dir: Path) -> Path:
    """Where the files of a data set belong: where some of them are, if only in part, else where they would be read."""
    parts = PurePath(publication.folder).parts
    names = [path.rpartition("/")[2] for archive in publication.archives for path in archive.members]
    for place in (data_dir, *(data_dir.joinpath(*parts[start:]) for start in range(len(parts)))):
        if any((place / f"{name}{ending}").exists() for name in names for ending in ("", ".gz")):
            return place
    # The data folder may be named by a folder within it, such as that of the files themselves.
    return data_dir.joinpath(*parts[parts.index(data_dir.name) + 1 :] if data_dir.name in parts else parts)


def _move(arrived: Path, place: Path) -> None:
    """Put a complete folder in its place: at once if there is none, else file by file."""
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        if not place.exists():
            arrived.rename(place)
            return
        for path in arrived.iterdir():
            if (place / path.name).is_dir():
                raise RunError(f"{place / path.name}: a folder is in the way; remove it")
        for path in arrived.iterdir():
            path.replace(place / path.name)
    except OSError as error:
        raise RunError(f"{place}: cannot be written: {error.strerror}") from error


@contextmanager
def _turn(data_dir: Path, say: Say) -> Iterator[None]:
    """Wait until no other process brings data into the folder, which is made."""
    try:
        data_dir.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RunError(f"{data_dir}: cannot be made: {error.strerror}; choose another --data-dir") from error
    with locked(data_dir, "another process brings data; waiting for it to end", say):
        yield


@contextmanager
def _arriving(data_dir: Path) -> Iterator[Path]:
    """A folder for what is not complete yet; also what a kill has left of an earlier one goes."""
    path = data_dir / _ARRIVING
    shutil.rmtree(path, ignore_errors=True)
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)
