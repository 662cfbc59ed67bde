"""Taking the files that are expected, and nothing else, out of an archive that someone sent."""

from __future__ import annotations

import gzip
import tarfile
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import IO, cast

from cifar_linear.data.registry import Archive, Member
from cifar_linear.errors import DataError

_SLACK = 4 * 2**20
"""Bytes in a tar archive besides the expected files: headers, a page to read."""
_MOST_ENTRIES = 1000
_CHUNK = 2**20


def members_of(path: Path, archive: Archive) -> Iterator[tuple[str, bytes]]:
    """The members of an archive one after another: the last part of the name, and the content.

    Members are known by their exact names, and must be files no larger than the published ones; others are passed
    over. Nothing is unpacked beyond the size of what is published. Raises `DataError`, also if one is missing.
    """
    read = _read_tar if archive.name.endswith(".tar.gz") else _read_gzip
    missing = set(archive.members)
    try:
        with path.open("rb") as file, gzip.open(file) as unpacked:
            for name, content in read(cast("IO[bytes]", unpacked), archive.members):
                if name not in missing:
                    raise DataError(f"{path}: {name} is in it twice; refused")
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


class _AtMost:
    """A stream that gives so many bytes and no more."""

    def __init__(self, stream: IO[bytes], limit: int) -> None:
        self._stream, self.left, self._limit = stream, limit, limit

    def read(self, size: int) -> bytes:
        content = self._stream.read(min(size, self.left + 1))
        self.left -= len(content)
        if self.left < 0:
            raise _RefusedError(f"it unpacks to more than {self._limit} bytes")
        return content

    def skip(self, size: int) -> None:
        while size > 0 and (passed := self.read(min(size, _CHUNK))):
            size -= len(passed)


def _read_tar(stream: IO[bytes], members: Mapping[str, Member]) -> Iterator[tuple[str, bytes]]:
    """Block by block, so that extended headers, which can be of any size, are passed over like all that is unknown."""
    limited = _AtMost(stream, sum(member.size for member in members.values()) + _SLACK)
    for _ in range(_MOST_ENTRIES):
        block = limited.read(tarfile.BLOCKSIZE)
        if not block.strip(b"\0"):
            break
        entry = tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
        name = str(PurePosixPath(entry.name))
        if entry.size < 0:
            raise _RefusedError(f"{name} has a negative size")
        blocks = -(-entry.size // tarfile.BLOCKSIZE)
        if name in members:
            if entry.type not in (tarfile.REGTYPE, tarfile.AREGTYPE):
                raise _RefusedError(f"{name} is a link, a device or the like")
            if entry.size > members[name].size:
                raise _RefusedError(f"{name} has {entry.size} bytes, more than the {members[name].size} published")
            content = limited.read(blocks * tarfile.BLOCKSIZE)
            if len(content) < entry.size:
                raise EOFError("it ends within a file")
            yield name, content[: entry.size]
        else:
            limited.skip(blocks * tarfile.BLOCKSIZE)
    else:
        raise _RefusedError(f"it has more than {_MOST_ENTRIES} entries")
    limited.skip(limited.left + 1)  # To its end, where the checksum is.


def _read_gzip(stream: IO[bytes], members: Mapping[str, Member]) -> Iterator[tuple[str, bytes]]:
    for name, member in members.items():
        content = stream.read(member.size + 1)
        if len(content) > member.size:
            raise _RefusedError(f"it unpacks to more than the {member.size} bytes published")
        if not content:
            raise EOFError("it is empty")
        yield name, content
