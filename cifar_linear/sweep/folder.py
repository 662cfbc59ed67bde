"""The folder of a sweep. Its run folders are the only record of progress: a cell is identified by its config."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from cifar_linear.config.models import Config
from cifar_linear.config.sweeps import Cell, Sweep, key_of
from cifar_linear.errors import RunError
from cifar_linear.runs.folder import RunFolder
from cifar_linear.runs.places import CLAIM, SWEEP_FILE, parsed_name
from cifar_linear.runs.record import ENDED, Record
from cifar_linear.storage.atomic import is_unfinished, remove_unfinished, write_whole
from cifar_linear.storage.leases import LEASE, Lease, leased
from cifar_linear.storage.locks import LOCK

Runs = Mapping[Config, tuple[RunFolder, Record]]
"""What there is of each config, by `key_of` it."""


class SweepFolder:
    """The folder of a sweep: its file, and the run folders of its cells."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @contextmanager
    def locked(self, waiting: Callable[[], None]) -> Iterator[None]:
        """Hold the folder during the block, for what only one process at a time may do, on whatever machine.

        Args:
            waiting: called again and again while another process holds it; may raise.
        """
        with leased(self.path / LEASE, "another process holds this sweep", waiting):
            yield

    def create(self) -> None:
        """Make the folder, if it is missing. Raises `RunError` if that is impossible."""
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise RunError(f"{self.path}: cannot hold a sweep: {error.strerror}") from error

    def prepare(self, sweep: Sweep) -> None:
        """Write the sweep's file. The folder must be locked.

        Raises `RunError` if the folder contains anything other than a sweep, or others train another grid in it.
        """
        file, text = self.path / SWEEP_FILE, sweep.text.encode()
        passed_over = LOCK, LEASE
        if not file.is_file() and any(
            path.name not in passed_over and not is_unfinished(path) for path in self.path.iterdir()
        ):
            raise RunError(f"{self.path}: exists already and is not the folder of a sweep; use --name")
        if file.is_file() and file.read_bytes() != text and (others := self.others()):
            raise RunError(f"{self.path}: {', '.join(others)} trains another grid in it; wait, or use --name")
        remove_unfinished(self.path)
        write_whole(file, text)

    def claim(self, group: Sequence[Cell]) -> Lease:
        """Return the lease without which no process trains a group; it need not be held.

        Args:
            group: all cells of the group, finished ones as well, so that every process gives it the same name.
        """
        configs = "\n".join(cell.key.model_dump_json() for cell in group)
        return Lease(self.path / f".{hashlib.sha256(configs.encode()).hexdigest()[:16]}{CLAIM}")

    def others(self) -> list[str]:
        """Return who trains groups at the moment, by the claims on them; dead processes may be among them."""
        claims = (Lease(path) for path in sorted(self.path.glob(f".*{CLAIM}")))
        return sorted({holder for claim in claims if not claim.is_ours() and (holder := claim.holder())})

    def check_claims(self, groups: Sequence[Sequence[Cell]]) -> None:
        """Raise `RunError` if others train cells of this sweep in other groups than these."""
        known = {self.claim(group).path for group in groups}
        for claim in (Lease(path) for path in self.path.glob(f".*{CLAIM}") if path not in known):
            if not claim.acquire():
                raise RunError(
                    f"{self.path}: {claim.holder()} trains it in other groups; begin every process with --shard, "
                    "--workers or --scheduler, or wait"
                )
            claim.release()

    def runs(self) -> Runs:
        """What there is of each config, by `key_of` it. Raises `RunError` for a damaged record."""
        return self.read(RunFolder(path) for path in (sorted(self.path.iterdir()) if self.path.is_dir() else ()))

    def runs_of(self, cells: Sequence[Cell], known: Runs) -> Runs:
        """What there is of some cells by now; much quicker than `runs`, which reads the records of all.

        Args:
            cells: the cells.
            known: what there was before. Runs that have ended are not read again; new ones have the name of their cell.

        Raises:
            RunError: for a damaged record.
        """
        wanted = {cell.key for cell in cells}
        before = {key: run for key, run in known.items() if key in wanted}
        open_ = [run[0] for run in before.values() if run[1].status not in ENDED]
        there = {folder.path for folder, _ in before.values()}
        new = [RunFolder(path) for path in self._named_like(cells) if path not in there]
        found = self.read([*open_, *new])
        return {**before, **{key: run for key, run in found.items() if key in wanted}}

    def remove_not_begun(self, cells: Sequence[Cell]) -> None:
        """Remove folders of some cells whose process was killed before the run began. Their group must be claimed."""
        for path in self._named_like(cells):
            if not (folder := RunFolder(path)).is_run():
                folder.remove_if_not_begun()

    def _named_like(self, cells: Sequence[Cell]) -> list[Path]:
        names = {cell.name for cell in cells}
        found = ((made, path) for path in sorted(self.path.iterdir()) if (made := parsed_name(path.name)))
        return [path for made, path in found if names & made.numbers.keys()]

    @staticmethod
    def read(folders: Iterable[RunFolder]) -> Runs:
        """Return the runs among some folders by `key_of` their config. Raises `RunError` for a damaged record."""
        found: dict[Config, tuple[RunFolder, Record]] = {}
        for folder in folders:
            if folder.is_run():
                try:
                    record = folder.read_record()
                except RunError as error:
                    raise RunError(f"{error}; delete {folder.path} to have its cell run again") from error
                found[key_of(record.config)] = folder, record
        return found


def missing(cells: Sequence[Cell], runs: Runs, retry_failed: bool) -> list[Cell]:
    """Return the cells without a finished or diverged run; failed ones are included if ``retry_failed``."""
    done = ENDED - {"failed"} if retry_failed else ENDED
    return [cell for cell in cells if not (run := runs.get(cell.key)) or run[1].status not in done]


def existing_folders(cells: Sequence[Cell], runs: Runs) -> list[RunFolder | None]:
    """Return the folder of each cell, whatever its status; None if it has none."""
    return [run[0] if (run := runs.get(cell.key)) else None for cell in cells]
