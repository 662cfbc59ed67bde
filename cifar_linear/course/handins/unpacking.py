"""Zip archives of hand-ins: the files of runs, and nothing else."""

import stat
import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from cifar_linear.errors import RunError
from cifar_linear.runs.file_names import FILES
from cifar_linear.runs.places import SWEEP_FILE

_MOST_BYTES = 512 * 2**20
"""Of an archive, and of all files that are unpacked from it."""
_MOST_ENTRIES = 20_000
_MOST_LEVELS = 5
_ENTRY = b"PK\x01\x02"
_CHUNK = 2**20


def unpack(path: Path, to: Path) -> None:
    """Unpack the files of runs and sweeps from an archive; all others, such as figures, are skipped.

    Args:
        path: the archive.
        to: an empty folder.

    Raises:
        RunError: if the archive is damaged or encrypted, has links, a file twice, names that lead out of the folder, or
            more entries or bytes than hand-ins have.
    """
    try:
        _refuse_large(path)
        with zipfile.ZipFile(path) as archive:
            for entry, name in list(_wanted(archive.infolist())):
                target = to / name
                target.parent.mkdir(parents=True, exist_ok=True)
                with archive.open(entry) as packed, target.open("xb") as file:
                    file.write(_whole(packed.read(entry.file_size + 1), entry.file_size))
    except _RefusedError as error:
        raise RunError(f"{path.name}: {error}; refused") from error
    except Exception as error:  # zipfile and zlib have no exception in common for what is damaged
        raise RunError(f"{path.name}: not a whole zip archive: {error}") from error


class _RefusedError(Exception):
    """What no run folder that was packed has."""


def _refuse_large(path: Path) -> None:
    """Before zipfile reads the directory of the archive into memory."""
    if path.stat().st_size > _MOST_BYTES:
        raise _RefusedError(f"it has more than {_MOST_BYTES // 2**20} MiB")
    entries, end = 0, b""
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            entries += (end + chunk).count(_ENTRY)
            end = chunk[-len(_ENTRY) + 1 :]
    if entries > _MOST_ENTRIES:
        raise _RefusedError(f"it has more than {_MOST_ENTRIES} entries")


def _wanted(entries: list[zipfile.ZipInfo]) -> Iterator[tuple[zipfile.ZipInfo, PurePosixPath]]:
    """The entries to unpack with their names, once all of them are known to be harmless."""
    seen: set[str] = set()
    total = 0
    for entry in entries:
        name = PurePosixPath(entry.filename)
        _refuse_odd(entry, name)
        if entry.is_dir() or name.name not in (*FILES, SWEEP_FILE) or len(name.parts) > _MOST_LEVELS:
            continue
        if str(name).lower() in seen:
            raise _RefusedError(f"it contains {name} twice")
        seen.add(str(name).lower())
        total += entry.file_size
        if total > _MOST_BYTES:
            raise _RefusedError(f"it unpacks to more than {_MOST_BYTES // 2**20} MiB")
        yield entry, name


def _refuse_odd(entry: zipfile.ZipInfo, name: PurePosixPath) -> None:
    # Some systems write no mode at all.
    if stat.S_IFMT(entry.external_attr >> 16) not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise _RefusedError(f"{name} is neither a file nor a folder")
    if name.is_absolute() or ".." in name.parts or any(c in entry.filename for c in ":\\\0"):
        raise _RefusedError(f"{entry.filename!r} leads out of the folder")
    if entry.flag_bits & 1:
        raise _RefusedError(f"{name} is encrypted")


def _whole(content: bytes, size: int) -> bytes:
    if len(content) != size:
        raise _RefusedError("a file is longer than its entry says")
    return content
