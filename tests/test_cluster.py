"""Sweeps on dask clusters of real processes, which are disturbed."""

import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta

import dask
import numpy as np
import pytest
import yaml
from clusters import SHORT_LEASES, Processes, pids_of_workers
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from distributed.comm import CommClosedError
from folders import BASE, assert_same_cells, by_cell, folders, table_rows
from mnist_files import write_mnist

from cifar_linear.errors import ConfigError, RunError
from cifar_linear.sweep import comparing, connecting
from cifar_linear.sweep.cluster import Cluster

pytestmark = pytest.mark.filterwarnings("ignore")  # Those of another program's processes and threads.

GRID = {"n_batch": [10, 15, 20, 25, 30, 40], "lambda": [0, 0.1]}
# A group takes about half a second.
LONG = BASE | {"epochs": 100, "data": {"dataset": "synthetic", "images_per_batch": 200}, "augmentation": {"flip": 0.5}}


def start(path, runs_dir, *arguments):
    words = ["-m", "cifar_linear", "sweep", path, "--runs-dir", runs_dir, "--no-figures", *arguments]
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "PYTHONPATH": SHORT_LEASES}
    return subprocess.Popen(
        [sys.executable, *map(str, words)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    )


def ended(process, code=0):
    stdout, stderr = process.communicate(timeout=60)
    assert process.returncode == code, stderr
    return stdout, stderr


@pytest.fixture(scope="module")
def grid(tmp_path_factory):
    path = tmp_path_factory.mktemp("grid") / "grid.yaml"
    path.write_text(yaml.safe_dump({"base": LONG, "grid": GRID}, sort_keys=False))
    return path


@pytest.fixture(scope="module")
def undisturbed(grid, tmp_path_factory):
    """The table and the runs of two processes without dask."""
    root = tmp_path_factory.mktemp("undisturbed")
    stdout, _ = ended(start(grid, root, "--workers", "2"))
    return table_rows(stdout), by_cell(root)


@pytest.fixture
def cluster(tmp_path):
    (tmp_path / "dask").mkdir()
    with Processes(tmp_path / "dask") as processes:
        yield processes


def until(condition):
    for _ in range(600):
        if value := condition():
            return value
        time.sleep(0.05)
    raise AssertionError("it did not come to that")


def claims(runs_dir):
    return list(runs_dir.glob("grid/.*.claim"))


def test_a_local_cluster_gives_the_bits_of_two_processes(grid, undisturbed, tmp_path):
    """Each line says on which host and processor a group was trained."""
    table, expected = undisturbed
    stdout, stderr = ended(start(grid, tmp_path, "--scheduler", "local", "--workers", "2"))
    assert table_rows(stdout) == table
    assert_same_cells(by_cell(tmp_path), expected)
    assert len(re.findall(r"^group \d/6: 2 runs done on \S+, \w+ x \d+, ", stderr, re.MULTILINE)) == 6


def test_workers_killed_at_random_and_a_killed_client_repeat_nothing(grid, undisturbed, tmp_path, cluster):
    """Then the same command goes on; a second client is told who works."""
    table, expected = undisturbed
    cluster.add_worker("--nworkers", "2")
    address, rng = cluster.address, random.Random(0)
    words = (grid, tmp_path / "runs", "--scheduler", address)
    client = start(*words)
    until(lambda: claims(tmp_path / "runs"))
    for _ in range(3):
        os.kill(rng.choice(until(lambda: pids_of_workers(address))), signal.SIGKILL)
        time.sleep(rng.uniform(0.2, 0.6))
    client.kill()
    client.communicate()
    stdout, _ = ended(start(*words))
    assert table_rows(stdout) == table
    assert_same_cells(by_cell(tmp_path / "runs"), expected)
    assert not claims(tmp_path / "runs")


def test_without_a_scheduler_workers_stop_and_another_cluster_goes_on(grid, undisturbed, tmp_path, cluster):
    table, expected = undisturbed
    cluster.add_worker()
    client = start(grid, tmp_path / "runs", "--scheduler", cluster.address)
    until(lambda: claims(tmp_path / "runs"))
    cluster.scheduler.kill()
    killed = time.monotonic()
    until(lambda: not claims(tmp_path / "runs"))
    assert time.monotonic() - killed < 5
    _, stderr = ended(client, code=1)
    assert stderr.splitlines()[-1].startswith("error: the dask scheduler has gone; what has been trained is kept")
    stdout, _ = ended(start(grid, tmp_path / "runs"))
    assert table_rows(stdout) == table
    assert_same_cells(by_cell(tmp_path / "runs"), expected)


def test_the_group_of_a_silent_worker_is_taken_over(tmp_path, cluster):
    """Worker and process are stopped for longer than a lease; what they do afterwards changes nothing."""
    path = tmp_path / "grid.yaml"
    path.write_text(yaml.safe_dump({"base": LONG | {"epochs": 800}, "grid": {"lambda": [0, 0.1]}}, sort_keys=False))
    ended(start(path, tmp_path / "whole"))
    cluster.add_worker(nanny=False)
    client = start(path, tmp_path / "runs", "--scheduler", cluster.address)
    (claim,) = until(lambda: claims(tmp_path / "runs"))
    child = int(re.search(r"pid=(\d+)", until(claim.read_text))[1])
    cluster.add_worker(nanny=False)
    time.sleep(0.5)
    stopped = [cluster.workers[0].pid, child]
    for process in stopped:
        os.kill(process, signal.SIGSTOP)
    ended(client)
    before = {file: file.read_bytes() for file in (tmp_path / "runs").glob("grid/*/*")}
    for process in stopped:
        os.kill(process, signal.SIGCONT)
    until(lambda: not alive(child))
    assert {file: file.read_bytes() for file in (tmp_path / "runs").glob("grid/*/*")} == before
    assert_same_cells(by_cell(tmp_path / "runs"), by_cell(tmp_path / "whole"))


def alive(process):
    try:
        os.kill(process, 0)
    except OSError:
        return False
    return True


def test_ctrl_c_lets_the_workers_save_and_the_cluster_stays(grid, undisturbed, tmp_path, cluster):
    cluster.add_worker()
    words = (grid, tmp_path / "runs", "--scheduler", cluster.address)
    client = start(*words)
    until(lambda: claims(tmp_path / "runs"))
    client.send_signal(signal.SIGINT)
    _, stderr = ended(client, code=130)
    assert not claims(tmp_path / "runs")
    assert {folder.read_record().status for folder in folders(tmp_path / "runs")} <= {"interrupted", "finished"}
    assert f"To continue: cifar-linear sweep --config {tmp_path}/runs/grid/sweep.yaml" in stderr
    assert f"--scheduler {cluster.address}" in stderr
    stdout, _ = ended(start(*words))
    assert table_rows(stdout) == undisturbed[0]
    assert_same_cells(by_cell(tmp_path / "runs"), undisturbed[1])


@pytest.fixture
def blind(tmp_path):
    """The start of a command that sees neither the folder of the runs nor the images of this machine."""
    if not shutil.which("unshare") or subprocess.run(["unshare", "--mount", "true"], check=False).returncode:
        pytest.skip("no mount namespaces without privileges")
    for name in ("runs", "data", "cache"):
        (tmp_path / name).mkdir()
    hide = f"mount -t tmpfs none {tmp_path}/runs && mount -t tmpfs none {tmp_path}/data"
    cache = f"export XDG_CACHE_HOME={tmp_path}/cache"
    return ["unshare", "--mount", "sh", "-c", f'{hide} && {cache} && exec "$0" "$@"', sys.executable]


def test_workers_without_the_folder_send_their_runs_back(grid, undisturbed, tmp_path, cluster, blind):
    """A group that was interrupted goes on there, from what is sent to it."""
    table, expected = undisturbed
    cluster.add_worker(command=blind)
    words = (grid, tmp_path / "runs", "--scheduler", cluster.address)
    client = start(*words)
    until(lambda: len(folders(tmp_path / "runs")) > 2 if (tmp_path / "runs" / "grid").exists() else False)
    client.send_signal(signal.SIGINT)
    ended(client, code=130)
    assert not claims(tmp_path / "runs")
    stdout, _ = ended(start(*words))
    assert table_rows(stdout) == table
    assert_same_cells(by_cell(tmp_path / "runs"), expected)
    assert not list((tmp_path / "dask").glob("cifar-linear-*"))


def test_a_full_disk_of_one_worker_is_told_with_path_and_cause(tmp_path, cluster, blind):
    """The other worker's groups end, and the rest is trained by the same command elsewhere."""
    path = tmp_path / "grid.yaml"
    path.write_text(yaml.safe_dump({"base": BASE, "grid": {"seed": [1, 2, 3, 4]}}, sort_keys=False))
    (tmp_path / "full").mkdir()
    full = f"mount -t tmpfs -o size=200k none {tmp_path}/full && export TMPDIR={tmp_path}/full && exec"
    cluster.add_worker(command=blind)
    cluster.add_worker(command=[word.replace("exec", full) for word in blind])
    words = (path, tmp_path / "runs")
    _, stderr = ended(start(*words, "--scheduler", cluster.address), code=1)
    failed = [line for line in stderr.splitlines() if "1 run failed" in line]
    assert failed
    told = rf"failed on \S+, .*: {tmp_path}/full/\S+: cannot be written: No space left on device"
    assert all(re.search(told, line) for line in failed)
    assert len(re.findall("1 run done on", stderr)) == 4 - len(failed) > 0
    ended(start(*words))
    assert len(folders(tmp_path / "runs")) == 4


@pytest.fixture
def digits(blind, tmp_path):
    """Digits in a folder that the blind worker does not see."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (50, 28, 28), dtype=np.uint8)
    write_mnist(tmp_path / "data" / "MNIST" / "raw", images, rng.integers(0, 10, 50, dtype=np.uint8), packed=True)
    return tmp_path / "data"


def test_images_are_sent_once_to_a_host_that_has_none(tmp_path, cluster, blind, digits):
    """Into its cache, by their sums; the second sweep finds them there."""
    path = tmp_path / "grid.yaml"
    base = BASE | {"data": {"dataset": "mnist", "limit": 100, "validation": {"size": 20}}}
    path.write_text(yaml.safe_dump({"base": base, "grid": {"lambda": [0, 0.1]}}, sort_keys=False))
    cluster.add_worker(command=blind)
    words = (path, tmp_path / "runs", "--scheduler", cluster.address, "--data-dir", digits)
    _, stderr = ended(start(*words))
    assert re.search(r"^sending \d+ MB of images to \S+$", stderr, re.MULTILINE)
    _, stderr = ended(start(*words, "--name", "second"))
    assert "sending" not in stderr
    assert_same_cells(by_cell(tmp_path / "runs"), by_cell(tmp_path / "runs", "second"))


@pytest.mark.parametrize(
    "address", ["here", "tcp://host", "http://127.0.0.1:80", "tcp://127.0.0.1:port", "inproc://1/2:3", ""]
)
def test_what_is_no_address_is_a_wrong_use(sweep, sweep_file, address):
    result = sweep(sweep_file({"eta": [0.1]}), "--scheduler", address or "tls://")
    assert result.exit_code == 2
    assert "--scheduler: must be tls://HOST:PORT, tcp://HOST:PORT or local" in result.stderr


def test_no_scheduler_at_the_address_is_told_in_one_line(sweep, sweep_file, runs_dir, monkeypatch):
    monkeypatch.setattr(connecting, "_TIMEOUT", 0.2)
    result = sweep(sweep_file({"eta": [0.1]}), "--scheduler", "tcp://127.0.0.1:9")
    assert result.exit_code == 1
    (line,) = [line for line in result.stderr.splitlines() if line.startswith("error")]
    assert line.startswith("error: tcp://127.0.0.1:9: no dask scheduler answers there within 0.2 s: ")
    assert folders(runs_dir) == []


@pytest.mark.parametrize("address", ["tcp://192.0.2.1:8786", "tcp://example.org:8786"])
def test_a_connection_without_encryption_does_not_leave_the_machine_unasked(address):
    with pytest.raises(ConfigError, match="anybody in the network could run programs as you; use tls://"):
        connecting._security(address, insecure=False)
    assert connecting._security(address, insecure=True) is None
    assert connecting._security("tcp://[::1]:8786", insecure=False) is None
    assert connecting._security("tcp://localhost:8786", insecure=False) is None


@pytest.fixture
def certificate(tmp_path):
    """A certificate that is valid for some days more, and its key, as keys of dask's configuration."""

    def make(days):
        key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([])
        now = datetime.now(UTC)
        built = x509.CertificateBuilder(name, name, key.public_key(), 1, now - timedelta(9), now + timedelta(days))
        pem = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        (tmp_path / "cert.pem").write_bytes(built.sign(key, hashes.SHA256()).public_bytes(pem[0]))
        (tmp_path / "key.pem").write_bytes(key.private_bytes(*pem))
        files = {"ca-file": "cert.pem", "client.cert": "cert.pem", "client.key": "key.pem"}
        return {f"distributed.comm.tls.{key}": str(tmp_path / file) for key, file in files.items()}

    return make


def test_certificates_are_checked_before_anything_is_sent(certificate, tmp_path):
    """Missing in the configuration, missing on the disk, expired, damaged; a good one is taken."""
    with pytest.raises(ConfigError, match=r"dask's configuration has no distributed\.comm\.tls\.ca-file"):
        connecting._security("tls://127.0.0.1:1", insecure=False)
    with dask.config.set(certificate(days=1)):
        security = connecting._security("tls://127.0.0.1:1", insecure=False)
        assert security.require_encryption
        assert security.tls_client_cert == str(tmp_path / "cert.pem")
    with dask.config.set(certificate(days=-1)), pytest.raises(ConfigError, match=r"cert\.pem: expired on \d{4}-"):
        connecting._security("tls://127.0.0.1:1", insecure=False)
    files = dict.fromkeys(certificate(days=1), str(tmp_path / "cert.pem"))
    (tmp_path / "cert.pem").write_text("no certificate")
    with dask.config.set(files), pytest.raises(ConfigError, match="not a certificate that can be read"):
        connecting._security("tls://127.0.0.1:1", insecure=False)
    (tmp_path / "cert.pem").unlink()
    with dask.config.set(files), pytest.raises(ConfigError, match="where there is no file"):
        connecting._security("tls://127.0.0.1:1", insecure=False)


def facts(host="one", **others):
    versions = dict(comparing.environment_record().versions)
    versions.update(others.pop("versions", {}))
    return {"host": host, "versions": versions, "blas": ["Haswell 0.3"], "cores": 4, "slots": 2, "sees": True, **others}


@pytest.mark.parametrize(
    ("worker", "message"),
    [
        (
            facts("two", versions={"cifar_linear": "9.9"}),
            r"^two: has cifar_linear 9\.9, this machine .*; install the same",
        ),
        (facts("two", versions={"numpy": "9.9"}), r"^two: has numpy 9\.9"),
        (facts("two", sees=False), "^the folder of the sweep is seen on one, but not on two; mount it there"),
    ],
)
def test_workers_that_would_not_train_the_same_are_refused(worker, message):
    with pytest.raises(RunError, match=message):
        comparing.differences([facts(), worker])


def test_other_differences_are_named():
    assert comparing.differences([facts(), facts("two")]) == []
    others = facts("two", blas=["Zen 0.3"], slots=4), facts("three", versions={"python": "9"})
    found = comparing.differences([facts(), *others])
    assert [line.partition(" differs")[0] for line in found] == ["Python", "BLAS", "threads of a group"]
    assert found[1] == "BLAS differs: Haswell 0.3 on one, three; Zen 0.3 on two"
    assert found[2] == "threads of a group differs: 2 on one, three; 1 on two"


def test_workers_on_one_host_share_its_cores():
    assert comparing.slots_of([facts(), facts(slots=1), facts("two")]) == {"one": 3, "two": 2}


def test_a_scheduler_without_workers_says_how_to_start_some(sweep, sweep_file, cluster):
    result = sweep(sweep_file({"eta": [0.1]}), "--scheduler", cluster.address)
    assert result.exit_code == 1
    assert f"the scheduler has no workers; start some with: dask worker {cluster.address}" in result.stderr


def test_without_dask_the_extra_is_named(sweep, sweep_file, monkeypatch):
    monkeypatch.setitem(sys.modules, "cifar_linear.sweep.cluster", None)
    result = sweep(sweep_file({"eta": [0.1]}), "--scheduler", "local")
    assert result.exit_code == 2
    assert "pip install 'cifar-linear[cluster]'" in result.stderr


def test_a_scheduler_that_has_just_gone_is_no_error_of_its_own():
    """A call may find the connection closed before the client knows: then there is no worker to send anything to."""

    class Gone:
        status = "running"

        def nthreads(self):
            raise CommClosedError("in <TCP (closed)>")

    assert not Cluster(Gone(), {}, {}).free()
