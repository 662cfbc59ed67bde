"""Connect to a dask cluster, or start one on this machine."""

from __future__ import annotations

import logging
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from ipaddress import ip_address
from pathlib import Path

import dask
from cryptography import x509
from distributed import Client, LocalCluster, Security

from cifar_linear.errors import ConfigError, RunError

LOCAL = "local"
"""In place of an address: a cluster on this machine, for as long as the sweep takes."""
_TIMEOUT = 10.0
_QUIET = {
    "distributed.worker.profile.enabled": False,
    "distributed.admin.system-monitor.gil.enabled": False,
    "distributed.admin.tick.interval": "500ms",
}
"""Without what dask measures a hundred times a second about itself: all processors are needed for training."""


@contextmanager
def connected(address: str, workers: int, insecure: bool) -> Iterator[Client]:
    """Connect to a cluster during the block.

    Args:
        address: of its scheduler, ``tls://host:port`` or ``tcp://host:port``; or ``local``.
        workers: number of worker processes of a local cluster.
        insecure: whether a connection without encryption may leave this machine.

    Raises:
        ConfigError: if the address or the certificates do not serve.
        RunError: if there is no scheduler.
    """
    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    if address == LOCAL:
        with _local(workers) as cluster, Client(cluster, set_as_default=False) as client:
            yield client
        return
    security = _security(address, insecure)
    try:
        client = Client(address, security=security, timeout=_TIMEOUT, set_as_default=False, name="cifar-linear")
    except (OSError, TimeoutError, ValueError, RuntimeError) as error:
        raise RunError(
            f"{address}: no dask scheduler answers there within {_TIMEOUT:g} s: {_innermost(error)}"
        ) from error
    with client:
        yield client


@contextmanager
def _local(workers: int) -> Iterator[LocalCluster]:
    """Start a cluster whose connections need certificates that exist for this time only."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the client, which then stops its tasks.
    try:
        with dask.config.set(_QUIET):
            cluster = LocalCluster(
                n_workers=workers,
                threads_per_worker=1,
                processes=True,
                dashboard_address=None,
                memory_limit=0,
                host="127.0.0.1",
                protocol="tls://",
                security=Security.temporary(),
                silence_logs=logging.CRITICAL,
            )
    finally:
        signal.signal(signal.SIGINT, before)
    with cluster:
        yield cluster


def _security(address: str, insecure: bool) -> Security | None:
    """Return the settings of a connection. Raises `ConfigError` if it would be open to others."""
    scheme, separator, rest = address.partition("://")
    if not separator or scheme not in ("tcp", "tls") or not rest.rpartition(":")[2].isdigit():
        raise ConfigError(f"--scheduler: must be tls://HOST:PORT, tcp://HOST:PORT or local, found {address}")
    if scheme == "tls":
        return _certificates()
    if not insecure and not _is_loopback(rest.rpartition(":")[0]):
        raise ConfigError(
            f"{address}: a connection without encryption, by which anybody in the network could run programs as you; "
            "use tls:// with certificates, or --insecure where you trust everybody"
        )
    return None


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def _certificates() -> Security:
    """Return the settings in dask's own configuration, if its certificates exist and are still valid."""
    settings = {key: dask.config.get(f"distributed.comm.tls.{key}") for key in ("ca-file", "client.cert", "client.key")}
    for key, file in settings.items():
        name = f"distributed.comm.tls.{key}"
        if not file:
            raise ConfigError(f"tls:// needs certificates, and dask's configuration has no {name}")
        if not Path(file).is_file():
            raise ConfigError(f"{name} of dask's configuration is {file}, where there is no file")
    for key in ("ca-file", "client.cert"):
        try:
            until = x509.load_pem_x509_certificate(Path(settings[key]).read_bytes()).not_valid_after_utc
        except (OSError, ValueError) as error:
            raise ConfigError(f"{settings[key]}: not a certificate that can be read: {error}") from error
        if until < datetime.now(UTC):
            raise ConfigError(f"{settings[key]}: expired on {until:%Y-%m-%d}; make a new certificate")
    return Security(require_encryption=True)


def _innermost(error: BaseException) -> str:
    while error.__cause__ is not None:
        error = error.__cause__
    return str(error) or type(error).__name__
