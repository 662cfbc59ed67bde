"""Reading the expected files, and nothing else, from an archive of unknown origin."""

from __future__ import annotations

import gzip
import tarfile
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import IO, cast

from cifar_linear.data.registry import Archive, Member
from cifar_linear.errors import DataError

_SLACK = 48 * 2**10
"""Bytes that a tar archive may hold besides the expected files: some headers, small files, padding at the end.

tarfile reads an extended header whole, and before Python 3.11.10 takes time that grows with the square of its length:
two seconds for this size, hours for some megabytes.
"""
_CHUNK = 2**20


def members_of(path: Path, archive: Archive) -> Iterator[tuple[str, bytes]]:
    """The expected members of an archive, one after another.

    Members are known by their exact names, and must be regular files no larger than the published ones; others are
    skipped. No more is unpacked than the size of what is published, and nothing is written to disk.

    Args:
        path: of the file to read.
        archive: the published archive that the file should be.

    Yields:
        The last part of the name, and the content.

    Raises:
        DataError: the file is not an archive of this kind, or a member is missing, there twice, too large or no
            regular file.
    """
    read = _read_tar if archive.name.endswith(".tar.gz") else _read_gzip
    missing = set(archive.members)
    try:
        with path.open("rb") as file, gzip.open(file) as unpacked:
            for name, content in read(cast("IO[bytes]", unpacked), archive.members):
                if name not in missing:
                    raise DataError(f"{path}: contains {name} twice; refused")
                missing.remove(name)
                yield name.rpartition("/")[2], content
    except DataError:
        raise
    except FileNotFoundError as error:
        raise DataError(f"{path}: there is no such file") from error
    except _RefusedError as error:
        raise DataError(f"{path}: {error}; refused") from error
    except Exception as error:  # gzip, zlib and tarfile have no exception in common for what is damaged
        raise DataError(f"{path}: not a whole {archive.name}: {error}") from error
    if missing:
        raise DataError(f"{path}: not a whole {archive.name}: it lacks {', '.join(sorted(missing))}")


class _RefusedError(Exception):
    """What no publisher has put into an archive."""


class _Limited:
    """A stream of at most ``left`` more bytes."""

    def __init__(self, stream: IO[bytes], left: int) -> None:
        self._stream, self.left = stream, left

    def read(self, size: int) -> bytes:
        content = self._stream.read(min(size, self.left + 1))
        self.left -= len(content)
        if self.left < 0:
            raise _RefusedError(f"it unpacks to more than {_SLACK} bytes besides the expected files")
        return content


def _read_tar(stream: IO[bytes], members: Mapping[str, Member]) -> Iterator[tuple[str, bytes]]:
    """In one pass, so that what tarfile keeps and skips is limited; an expected file extends the limit by its size."""
    limited = _Limited(stream, _SLACK)
    with tarfile.open(fileobj=cast("IO[bytes]", limited), mode="r|") as tar:
        for entry in tar:
            name = str(PurePosixPath(entry.name))
            if name not in members:
                continue
            if entry.type not in (tarfile.REGTYPE, tarfile.AREGTYPE) or entry.issparse():
                raise _RefusedError(f"{name} is not a regular file")
            if not 0 <= entry.size <= members[name].size:
                raise _RefusedError(f"{name} has {entry.size} bytes, the published file {members[name].size}")
            limited.left += entry.size
            yield name, cast("IO[bytes]", tar.extractfile(entry)).read()
    while limited.read(_CHUNK):  # To its end, where the checksum is.
        pass


def _read_gzip(stream: IO[bytes], members: Mapping[str, Member]) -> Iterator[tuple[str, bytes]]:
    for name, member in members.items():
        content = stream.read(member.size + 1)
        if len(content) > member.size:
            raise _RefusedError(f"it unpacks to more than the {member.size} bytes published")
        if not content:
            raise EOFError("it is empty")
        yield name, content
