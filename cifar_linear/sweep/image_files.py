"""The image files that a sweep needs, for machines that may not have them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path

from cifar_linear.config.models import Config
from cifar_linear.data.sources import default_folder
from cifar_linear.errors import DataError
from cifar_linear.experiments.loading import files_of
from cifar_linear.storage.atomic import write_whole

_RECEIVED = "received"


def needed(configs: Iterable[Config], data_dir: Path | None) -> dict[str, Path]:
    """Return the files that some configs read, by their names in the data folder; none for generated images.

    Args:
        configs: the configs.
        data_dir: folder of the images; None for that of each config.

    Raises:
        DataError: if images are missing, or lie in several folders.
    """
    found: dict[str, Path] = {}
    for root, path in {place for config in configs for place in files_of(config, data_dir)}:
        name = path.relative_to(root).as_posix()
        if found.setdefault(name, path) != path:
            raise DataError(f"{path} and {found[name]}: images of several folders; name one with --data-dir")
    return found


def sums_of(files: Mapping[str, Path]) -> dict[str, str]:
    """Return the SHA-256 of each file, by its name."""
    return {name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in sorted(files.items())}


def folder_with(sums: Mapping[str, str], data_dir: Path | None) -> Path | None:
    """Return a folder of this machine with exactly these files; None if there is none.

    Args:
        sums: SHA-256 of each file, by its name in the folder.
        data_dir: where to look first.
    """
    for folder in filter(None, (data_dir, default_folder(), received(sums))):
        files = {name: folder / name for name in sums}
        if all(path.is_file() for path in files.values()) and sums_of(files) == sums:
            return folder
    return None


def receive(sums: Mapping[str, str], name: str, content: bytes) -> str:
    """Keep a file that was sent in the cache of this machine, and return the folder.

    Args:
        sums: SHA-256 of all files that belong together.
        name: which of them it is.
        content: the file.

    Raises:
        DataError: if it is another file than announced.
        RunError: if it cannot be written.
    """
    if hashlib.sha256(content).hexdigest() != sums[name]:
        raise DataError(f"{name}: changed during the transfer")
    write_whole(received(sums) / name, content)
    return str(received(sums))


def received(sums: Mapping[str, str]) -> Path:
    """Return the folder in this machine's cache for files that were sent, by their sums."""
    digest = hashlib.sha256("".join(f"{name} {sums[name]}\n" for name in sorted(sums)).encode())
    return default_folder() / _RECEIVED / digest.hexdigest()[:32]
