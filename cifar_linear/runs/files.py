"""Reading and writing the files of a run folder: bytes, arrays and JSON, whole or with a message that says why not."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from cifar_linear.errors import RunError
from cifar_linear.runs.places import is_run, is_sweep
from cifar_linear.storage.atomic import write_whole
from cifar_linear.storage.leases import Lease
from cifar_linear.storage.npz import packed, unpacked

LARGEST_FILE = 256 * 2**20
"""Bytes of the largest file that is read; no run writes larger ones."""
LARGEST_TEXT = 2**20
"""Bytes of the largest text file that is read."""

_Entry = TypeVar("_Entry", bound=BaseModel)


class RunFiles:
    """The files of one folder, by their names."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lease: Lease | None = None

    def is_run(self) -> bool:
        """Return whether the folder has the record of a run."""
        return is_run(self.path)

    def _write_entry(self, name: str, entry: BaseModel) -> None:
        self._write(name, (json.dumps(entry.model_dump(mode="json"), indent=2, allow_nan=False) + "\n").encode())

    def _read_entry(self, name: str, kind: type[_Entry], remedy: str) -> _Entry | None:
        """What a JSON file holds; None if there is none."""
        if not (self.path / name).exists():
            return None
        try:
            return kind.model_validate_json(self._read(name, LARGEST_TEXT))
        except ValidationError as error:
            first = error.errors()[0]
            key = "".join(f"{part}." for part in first["loc"])[:-1]
            what = f"{key}: {first['msg']}" if key else first["msg"]
            raise RunError(f"{self.path / name}: damaged: {what}; {remedy}") from error

    def _write_arrays(self, name: str, arrays: Mapping[str, Any]) -> None:
        self._write(name, packed(arrays))

    def _read_arrays(self, name: str) -> dict[str, Any]:
        """Return the arrays of a file."""
        content = self._read(name)
        try:
            return unpacked(content)
        except ValueError as error:
            raise RunError(f"{self.path / name}: damaged, or not a file of this program: {error}") from error

    def _read(self, name: str, limit: int = LARGEST_FILE) -> bytes:
        """Return the content of a file of at most ``limit`` bytes."""
        path = self.path / name
        try:
            with path.open("rb") as file:
                content = file.read(limit + 1)
        except OSError as error:
            gone = "missing; copy it back, or train the run again"
            state = gone if isinstance(error, FileNotFoundError) else f"cannot be read: {error.strerror}"
            raise RunError(f"{path}: {self._no_run(state)}") from error
        if len(content) > limit:
            raise RunError(f"{path}: larger than {limit} bytes; not a file of this program")
        return content

    def _no_run(self, otherwise: str) -> str:
        """Return the message for a folder that lacks a run's file: a hint for sweeps, else ``otherwise``."""
        return "the folder of a sweep; name one of its runs" if is_sweep(self.path) else otherwise

    def _write(self, name: str, content: bytes) -> None:
        if not self.path.is_dir():
            raise RunError(f"{self.path}: the run folder no longer exists; it was removed during training")
        write_whole(self.path / name, content, self._lease.confirm if self._lease else lambda: None)
