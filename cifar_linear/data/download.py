"""Archives from the net: mirrors one after another, and nothing that is not what it should be."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, sleep
from typing import cast

import pooch
import requests

import cifar_linear
from cifar_linear.data.registry import Archive
from cifar_linear.errors import DataError, RunError

_ATTEMPTS = 3
"""At each mirror, where asking again may help."""
_PAUSE = 2.0
"""Seconds before the second attempt; before later ones, more."""
_TIMEOUT = (10.0, 30.0)
"""Seconds to connect, and without a byte."""
_SLOWEST = 20_000
"""Bytes in a second on average; a mirror that is slower for `_PATIENCE` is given up."""
_PATIENCE = 30.0
_CHUNK = 2**14
_MAY_PASS = {408, 425, 429, 500, 502, 503, 504}
"""Answers that another attempt may change."""

pooch.get_logger().setLevel(logging.WARNING)


@dataclass(frozen=True)
class DownloadListener:
    """Who is told of what happens.

    Attributes:
        say: a line of talk.
        received: the name of a file, and how many of its bytes are there.
    """

    say: Callable[[str], None]
    received: Callable[[str, int], None]


class _TransferError(Exception):
    """Why a mirror did not give the archive, and whether it may do so when asked again."""

    def __init__(self, reason: str, *, again: bool) -> None:
        super().__init__(reason)
        self.again = again


def fetch(archive: Archive, mirrors: Sequence[str], folder: Path, listener: DownloadListener) -> Path:
    """The archive as a file in ``folder``, with the SHA-256 sum that it should have.

    A mirror is the address of a folder, or of the file itself. Raises `DataError` if none of them has the archive,
    `RunError` if it cannot be written.
    """
    problems = []
    for mirror in mirrors:
        address = mirror if mirror.endswith(archive.name) else f"{mirror.rstrip('/')}/{archive.name}"
        listener.say(f"{archive.name}, {archive.size / 1e6:.1f} MB, from {address}")
        try:
            return _fetch_from(address, archive, folder, listener)
        except _TransferError as failure:
            problems.append(f"  {address}: {failure}")
            listener.say(problems[-1].strip())
    raise DataError(
        "\n".join([f"{archive.name} could not be had:", *problems])
        + "\nTry later, name another with --mirror, or bring the files of the data set in any other way and call: "
        "cifar-linear data import FILES"
    )


def _fetch_from(address: str, archive: Archive, folder: Path, listener: DownloadListener) -> Path:
    """From one address, with as many attempts as make sense."""
    for attempt in range(1, _ATTEMPTS):
        try:
            return _transfer(address, archive, folder, listener)
        except _TransferError as failure:
            if not failure.again:
                raise
            listener.say(f"{address}: {failure}; once more")
            sleep(_PAUSE * attempt)
    return _transfer(address, archive, folder, listener)


def _transfer(address: str, archive: Archive, folder: Path, listener: DownloadListener) -> Path:
    downloader = pooch.HTTPDownloader(
        progressbar=_Watch(archive, listener),
        chunk_size=_CHUNK,
        timeout=_TIMEOUT,
        headers={"User-Agent": f"cifar-linear/{cifar_linear.__version__}", "Accept-Encoding": "identity"},
    )
    try:
        path = pooch.retrieve(address, f"sha256:{archive.sha256}", archive.name, folder, downloader=downloader)
    except requests.HTTPError as error:
        answer = cast("requests.Response", error.response)
        again = answer.status_code in _MAY_PASS
        raise _TransferError(f"answers {answer.status_code} {answer.reason}", again=again) from error
    except (requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError) as error:
        raise _TransferError(_in_short(error), again=True) from error
    except requests.RequestException as error:
        raise _TransferError(str(error), again=False) from error
    except ValueError as error:  # pooch's, for another checksum
        raise _TransferError("sends another file: its SHA-256 sum is not the published one", again=False) from error
    except OSError as error:
        raise RunError(f"{folder}: cannot be written: {error.strerror}; choose another --data-dir") from error
    return Path(path)


def _in_short(error: requests.RequestException) -> str:
    """The libraries' words for a broken connection are long, and say the address again."""
    if isinstance(error, requests.ConnectTimeout):
        return f"no answer within {_TIMEOUT[0]:g} s"
    if isinstance(error, requests.ReadTimeout) or "Read timed out" in str(error):
        return f"not a byte for {_TIMEOUT[1]:g} s"
    if isinstance(error, requests.exceptions.SSLError):
        return "its certificate does not hold"
    if isinstance(error, requests.exceptions.ChunkedEncodingError):
        return "broke off"
    return "cannot be reached"


class _Watch:
    """What pooch takes for a progress bar: tells of a transfer, and ends it if it brings too much or takes too long."""

    def __init__(self, archive: Archive, listener: DownloadListener) -> None:
        self.total = 0  # which pooch sets
        self._archive, self._listener = archive, listener
        self._received, self._started = 0, monotonic()

    def update(self, amount: int) -> None:
        """So many bytes more."""
        self._received += amount
        if self._received >= self._archive.size + _CHUNK:
            raise _TransferError(f"sends more than the {self._archive.size} bytes published", again=False)
        seconds = monotonic() - self._started
        if seconds > _PATIENCE and self._received < _SLOWEST * seconds:
            raise _TransferError(f"sends {self._received / seconds / 1000:.1f} kB a second, too slow", again=False)
        self._listener.received(self._archive.name, min(self._received, self._archive.size))

    def reset(self) -> None:
        """Begin to count anew, as pooch does once all is there."""
        self._received = 0

    def close(self) -> None:
        """Nothing to do."""
