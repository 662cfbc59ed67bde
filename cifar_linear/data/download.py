"""Downloading an archive: one mirror after another, until one sends the published bytes."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, sleep

import requests

import cifar_linear
from cifar_linear.data.registry import Archive
from cifar_linear.errors import DataError, RunError

_ATTEMPTS = 3
"""At each mirror, as long as another attempt may help."""
_PAUSE = 2.0
"""Seconds before the second attempt; twice as many before the third."""
_TIMEOUT = (10.0, 30.0)
"""Seconds to connect, and without a byte."""
_SLOWEST = 20_000
"""Bytes per second on average; a mirror that is slower for `_PATIENCE` is given up."""
_PATIENCE = 30.0
_CHUNK = 2**14
_TEMPORARY = {408, 425, 429, 500, 502, 503, 504}
"""HTTP status codes that another attempt may change."""
_HEADERS = {"User-Agent": f"cifar-linear/{cifar_linear.__version__}", "Accept-Encoding": "identity"}


@dataclass(frozen=True)
class DownloadListener:
    """Functions that are called during a download.

    Attributes:
        say: with a line of text for the user.
        received: with the name of a file, and the number of its bytes received so far.
    """

    say: Callable[[str], None]
    received: Callable[[str, int], None]


class _TransferError(Exception):
    """Why a mirror did not send the archive, and whether another attempt may help."""

    def __init__(self, reason: str, *, retry: bool = False) -> None:
        super().__init__(reason)
        self.retry = retry


def fetch(archive: Archive, mirrors: Sequence[str], folder: Path, listener: DownloadListener) -> Path:
    """Download an archive and check its SHA-256 sum.

    Args:
        archive: what to download.
        mirrors: addresses of folders that hold it, or of the file itself, in the order of asking.
        folder: where the file is put, made if it is not there; a failure may leave part of the file in it.
        listener: is told of progress and failures.

    Returns:
        The path of the file.

    Raises:
        DataError: no mirror has sent the archive; the message has the reason for each.
        RunError: the file cannot be written.
    """
    path, problems = folder / archive.name, []
    for mirror in mirrors:
        address = mirror if mirror.endswith(archive.name) else f"{mirror.rstrip('/')}/{archive.name}"
        listener.say(f"{archive.name}, {archive.size / 1e6:.1f} MB, from {address}")
        try:
            _fetch_from(address, archive, path, listener)
        except _TransferError as failure:
            problems.append(f"  {address}: {failure}")
            listener.say(problems[-1].strip())
        else:
            return path
    raise DataError(
        "\n".join([f"{archive.name} could not be downloaded:", *problems])
        + "\nTry again later, name another mirror with --mirror, or get the archives elsewhere and import them with: "
        "cifar-linear data import FILES"
    )


def _fetch_from(address: str, archive: Archive, path: Path, listener: DownloadListener) -> None:
    """Download from one address, in up to three attempts.

    urllib3's Retry does not help here: it does not see a connection that breaks after the headers, in the body.
    """
    for attempt in range(1, _ATTEMPTS):
        try:
            return _transfer(address, archive, path, listener)
        except _TransferError as failure:
            if not failure.retry:
                raise
            listener.say(f"{address}: {failure}; trying again")
            sleep(_PAUSE * attempt)
    return _transfer(address, archive, path, listener)


def _transfer(address: str, archive: Archive, path: Path, listener: DownloadListener) -> None:
    """A single attempt. Every failure but that of the disk becomes a `_TransferError`."""
    try:
        with requests.get(address, stream=True, timeout=_TIMEOUT, headers=_HEADERS) as answer:
            if not answer.ok:
                reason = f"answers {answer.status_code} {answer.reason}"
                raise _TransferError(reason, retry=answer.status_code in _TEMPORARY)
            _receive(answer.iter_content(_CHUNK), archive, path, listener)
    except (requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError) as error:
        raise _TransferError(_in_short(error), retry=True) from error
    except requests.RequestException as error:
        raise _TransferError(str(error)) from error
    except OSError as error:
        raise RunError(f"{path.parent}: cannot be written: {error.strerror}; choose another --data-dir") from error


def _receive(chunks: Iterator[bytes], archive: Archive, path: Path, listener: DownloadListener) -> None:
    """Write the content to a file, as long as it is neither too much nor too slow, and check its sum."""
    digest, received, started = hashlib.sha256(), 0, monotonic()
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        for chunk in chunks:
            received, seconds = received + len(chunk), monotonic() - started
            if received > archive.size:
                raise _TransferError(f"sends more than the {archive.size} bytes published")
            if seconds > _PATIENCE and received < _SLOWEST * seconds:
                raise _TransferError(f"sends {received / seconds / 1000:.1f} kB per second, too slow")
            file.write(chunk)
            digest.update(chunk)
            listener.received(archive.name, received)
    if digest.hexdigest() != archive.sha256:
        raise _TransferError("sends another file: its SHA-256 sum is not the published one")


def _in_short(error: requests.RequestException) -> str:
    """The libraries' words for a broken connection are long, and repeat the address."""
    if isinstance(error, requests.ConnectTimeout):
        return f"no answer within {_TIMEOUT[0]:g} s"
    if isinstance(error, requests.ReadTimeout) or "Read timed out" in str(error):
        return f"no data for {_TIMEOUT[1]:g} s"
    if isinstance(error, requests.exceptions.SSLError):
        return "its TLS certificate is not valid"
    if isinstance(error, requests.exceptions.ChunkedEncodingError):
        return "the connection broke"
    return "cannot be reached"
