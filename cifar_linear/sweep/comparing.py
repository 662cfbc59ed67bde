"""Compare the workers of a cluster before they train: what differs between them may differ in their results."""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cifar_linear.errors import RunError
from cifar_linear.runs.provenance import environment_record
from cifar_linear.sweep.remote import facts

if TYPE_CHECKING:
    from distributed import Client

_DECISIVE = "cifar_linear", "numpy"
"""The libraries of which all must have the same version."""

WorkerFacts = Mapping[str, Any]


def facts_of(client: Client, folder: Path, address: str) -> list[WorkerFacts]:
    """Return the facts of all workers.

    Args:
        client: a connection to them.
        folder: of the sweep.
        address: of the scheduler, for messages.

    Raises:
        RunError: if there are no workers, or the program is not there or another version.
    """
    mark = folder / f".{secrets.token_hex(8)}.new"
    mark.write_bytes(b"")
    try:
        found: Mapping[str, Any] = client.run(facts, str(folder.resolve()), mark.name, on_error="return")
    finally:
        mark.unlink()
    if not found:
        raise RunError(f"{address}: the scheduler has no workers; start some with: dask worker {address}")
    for worker, fact in found.items():
        if isinstance(fact, BaseException):
            raise RunError(f"{worker}: cannot train: {type(fact).__name__}: {fact}; install the same version there")
    return [{**fact, "address": worker} for worker, fact in found.items()]


def slots_of(workers: Sequence[WorkerFacts]) -> dict[str, int]:
    """Return how many tasks each host performs at once."""
    slots = Counter[str]()
    for worker in workers:
        slots[worker["host"]] += worker["slots"]
    return dict(slots)


def differences(workers: Sequence[WorkerFacts]) -> list[str]:
    """Return what differs between workers, or from this process, as lines.

    Raises:
        RunError: if they would not compute the same at all, or only some see the folder of the sweep.
    """
    here = environment_record().versions
    for library in _DECISIVE:
        others = _hosts_by(workers, lambda worker: worker["versions"].get(library))  # noqa: B023  # called at once
        others.pop(here[library], None)
        for version, hosts in others.items():
            where = ", ".join(hosts)
            raise RunError(f"{where}: has {library} {version}, this machine {here[library]}; install the same there")
    seeing = _hosts_by(workers, lambda worker: worker["sees"])
    if len(seeing) > 1:
        raise RunError(
            f"the folder of the sweep is seen on {', '.join(seeing[True])}, but not on {', '.join(seeing[False])}; "
            "mount it there, or leave those workers out"
        )
    slots = slots_of(workers)
    compared = {
        "Python": _hosts_by(workers, lambda worker: worker["versions"]["python"]),
        "BLAS": _hosts_by(workers, lambda worker: ", ".join(worker["blas"])),
        "threads of a group": _hosts_by(workers, lambda worker: max(1, worker["cores"] // slots[worker["host"]])),
    }
    return [
        f"{what} differs: " + "; ".join(f"{value} on {', '.join(hosts)}" for value, hosts in found.items())
        for what, found in compared.items()
        if len(found) > 1
    ]


def _hosts_by(workers: Sequence[WorkerFacts], value: Any) -> dict[Any, list[str]]:
    found: dict[Any, list[str]] = {}
    for worker in workers:
        hosts = found.setdefault(value(worker), [])
        if worker["host"] not in hosts:
            hosts.append(worker["host"])
    return found
