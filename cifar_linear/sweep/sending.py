"""Send image files to the hosts of a cluster that do not have them, once to each."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from cifar_linear.errors import DataError
from cifar_linear.sweep.comparing import WorkerFacts
from cifar_linear.sweep.image_files import receive, sums_of
from cifar_linear.sweep.remote import images_here

if TYPE_CHECKING:
    from distributed import Client


def send_images(
    client: Client, workers: Sequence[WorkerFacts], files: Mapping[str, Path], say: Callable[[str], None]
) -> dict[str, str]:
    """Return the folder of each host with some image files, after sending them where they are missing.

    Args:
        client: a connection to the cluster.
        workers: the facts of its workers.
        files: the files, by their names in the data folder; none for generated images.
        say: called with each host to which they are sent.

    Raises:
        DataError: if a host can neither find nor keep them.
    """
    if not files:
        return {}
    sums, (name, path) = sums_of(files), next(iter(files.items()))
    data_dir = str(path)[: -len(name)]
    folders: dict[str, str] = {}
    for host, address in {worker["host"]: worker["address"] for worker in workers}.items():
        try:
            folders[host] = _run(client, address, images_here, sums, data_dir) or _send(
                client, host, address, files, sums, say
            )
        except Exception as error:  # Whatever happens there is raised here.
            raise DataError(f"{host}: does not have the images, and cannot store them: {error}") from error
    return folders


def _send(
    client: Client,
    host: str,
    address: str,
    files: Mapping[str, Path],
    sums: Mapping[str, str],
    say: Callable[[str], None],
) -> str:
    say(f"sending {sum(path.stat().st_size for path in files.values()) / 1e6:.0f} MB of images to {host}")
    folder = ""
    for name, path in files.items():
        folder = _run(client, address, receive, sums, name, path.read_bytes())
    return folder


def _run(client: Client, address: str, function: Callable[..., str | None], *arguments: object) -> str:
    """Call a function in one worker."""
    result: str = client.run(function, *arguments, workers=[address])[address]
    return result
