"""Data that comes over the net, from mirrors of every kind; no host but this one is asked."""

import gzip
import signal
import subprocess
import sys
import threading
import time

import pytest
import pytest_socket
import requests
from archives import TAR, content_of, serving

from cifar_linear.data import download, install
from cifar_linear.data.cifar import CIFAR10
from cifar_linear.data.registry import PUBLICATIONS

BATCHES = sorted(f"cifar-10-batches-py/{name}" for name in CIFAR10.images)


def test_no_test_reaches_the_network():
    blocked = pytest.raises(pytest_socket.SocketConnectBlockedError)
    with pytest.warns(UserWarning, match=r"192\.0\.2\.1"), blocked:
        requests.get("http://192.0.2.1/", timeout=1)


@pytest.mark.parametrize("dataset", PUBLICATIONS)
def test_downloaded_data_is_complete_and_published(run, fetch, tmp_path, dataset):
    result = fetch("good", dataset=dataset)
    assert result.exit_code == 0, result.stderr
    batches = install.verify(dataset, tmp_path / "data")
    assert {batch.state for batch in batches} == {"as published"}
    *lines, summary = result.stdout.splitlines()
    assert lines == [f"{batch.name:14}as published" for batch in batches]
    n = len(batches)
    assert summary == f"{dataset} in {tmp_path / 'data'}: {n} of {n} batches readable, {n} as published"
    verified = run("data", "verify", dataset, "--data-dir", tmp_path / "data", "--strict")
    assert (verified.exit_code, verified.stdout) == (0, result.stdout)


@pytest.mark.parametrize(
    ("way", "requests_made", "reason"),
    [
        ("missing", 1, "answers 404 Not Found"),
        ("cut", 3, "the connection broke"),
        ("other", 1, "its SHA-256 sum is not the published one"),
        ("endless", 1, "bytes published"),
        ("stalling", 3, "no data for"),
        ("trickling", 1, "too slow"),
    ],
)
def test_the_next_mirror_is_asked_and_why_is_said(fetch, mirrors, monkeypatch, tmp_path, way, requests_made, reason):
    monkeypatch.setattr(download, "_TIMEOUT", (5.0, 0.2))
    monkeypatch.setattr(download, "_PATIENCE", 0.1)
    monkeypatch.setattr(download, "_SLOWEST", 1_000_000)
    result = fetch(way, "good")
    assert result.exit_code == 0, result.stderr
    assert mirrors.asked == [way] * requests_made + ["good"]
    assert f"{mirrors.address(way)}{TAR}: " in result.stderr
    assert reason in result.stderr
    assert content_of(tmp_path / "data") == BATCHES


def test_a_redirection_is_followed_and_a_busy_mirror_asked_again(fetch, mirrors):
    assert fetch("moved").exit_code == 0
    assert mirrors.asked == ["moved", "good"]
    assert fetch("busy", dataset="mnist").exit_code == 0
    assert mirrors.asked[2:5] == ["busy"] * 3


def test_the_address_of_the_file_itself_will_do(run, mirrors, tmp_path):
    result = run("data", "download", "--data-dir", tmp_path, "--mirror", mirrors.address("good") + TAR)
    assert result.exit_code == 0, result.stderr


def test_mirrors_come_from_the_environment_too(run, mirrors, tmp_path, monkeypatch):
    monkeypatch.setenv(
        "CIFAR_LINEAR_MIRROR", f"{mirrors.address('missing', 'mnist')} {mirrors.address('good', 'mnist')}"
    )
    assert run("data", "download", "mnist", "--data-dir", tmp_path).exit_code == 0
    assert set(mirrors.asked) == {"missing", "good"}


@pytest.mark.parametrize("ways", [("missing",), ("other", "cut"), ("endless",)])
def test_what_cannot_be_had_leaves_nothing_and_says_what_to_do(fetch, tmp_path, ways):
    result = fetch(*ways)
    assert result.exit_code == 3
    reasons = result.stderr.partition(f"error: {TAR} could not be downloaded:\n")[2].splitlines()
    assert [reason.split("/")[3] for reason in reasons[:-1]] == list(ways)
    assert "cifar-linear data import FILES" in result.stderr
    assert content_of(tmp_path / "data") == []


@pytest.mark.parametrize(
    ("address", "code", "message"),
    [
        ("no address", 2, "is not an address that begins with http:// or https://"),
        ("file:///etc/", 2, "is not an address that begins with http:// or https://"),
        ("http://127.0.0.1:1/", 3, "http://127.0.0.1:1/cifar-10-python.tar.gz: cannot be reached"),
    ],
)
def test_an_address_that_is_none_is_told(run, tmp_path, files, address, code, message):
    result = run("data", "download", "--data-dir", tmp_path, "--mirror", address)
    assert result.exit_code == code
    assert message in result.stderr


def test_data_that_is_there_is_left_alone(fetch, mirrors):
    fetch("good")
    result = fetch("good")
    assert result.exit_code == 0
    assert "cifar10 is already installed and readable: nothing changed" in result.stderr
    assert mirrors.asked == ["good"]


def test_damaged_and_missing_batches_are_replaced(run, fetch, tmp_path):
    fetch("good")
    folder = tmp_path / "data" / "cifar-10-batches-py"
    (folder / "data_batch_3").write_bytes(b"no batch")
    (folder / "test_batch").unlink()
    (folder / "notes.txt").write_text("mine")
    told = run("data", "verify", "--data-dir", tmp_path / "data")
    assert told.exit_code == 3
    assert "2 of 6 batches of cifar10 are damaged or missing" in told.stderr
    assert told.stdout.splitlines()[-1].endswith("4 of 6 batches readable, 4 as published")
    assert fetch("good").exit_code == 0
    assert content_of(tmp_path / "data") == sorted([*BATCHES, "cifar-10-batches-py/notes.txt"])


def test_the_folder_of_the_files_itself_can_be_named(run, fetch, mirrors, tmp_path):
    fetch("good")
    folder = tmp_path / "data" / "cifar-10-batches-py"
    (folder / "test_batch").unlink()
    result = run("data", "download", "--data-dir", folder, "--mirror", mirrors.address("good"))
    assert result.exit_code == 0, result.stderr
    assert content_of(tmp_path / "data") == BATCHES


@pytest.mark.parametrize(
    ("named", "there", "place"),
    [
        ("data", "MNIST/raw", "data/MNIST/raw"),
        ("MNIST", "raw", "MNIST/raw"),
        ("raw", ".", "raw"),
        ("flat", ".", "flat"),
        ("half", "raw", "half/raw"),
    ],
)
def test_what_is_incomplete_is_completed_where_it_lies(fetch, run, mirrors, tmp_path, named, there, place):
    """Whichever of the folders that data is read from was named."""
    folder = tmp_path / named
    (folder / there).mkdir(parents=True)
    (folder / there / "t10k-labels-idx1-ubyte").write_bytes(b"damaged")
    result = run("data", "download", "mnist", "--data-dir", folder, "--mirror", mirrors.address("good", "mnist"))
    assert result.exit_code == 0, result.stderr
    assert {path.rpartition("/")[0] for path in content_of(tmp_path)} == {place}
    assert len(content_of(tmp_path)) == 4


@pytest.mark.parametrize("named", [".", "raw", "MNIST", "MNIST/raw"])
@pytest.mark.parametrize("packed", [False, True])
def test_files_of_the_same_names_are_never_replaced(run, fetch, files, mirrors, tmp_path, named, packed):
    """MNIST lies in the folder that is named for Fashion-MNIST; afterwards both can be read from it."""
    folder = tmp_path / named
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files["mnist"].items():
        (folder / name.removesuffix("" if packed else ".gz")).write_bytes(
            content if packed else gzip.decompress(content)
        )
    before = {path: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    for dataset in ("fashion_mnist", "mnist"):
        result = run("data", "download", dataset, "--data-dir", folder, "--mirror", mirrors.address("good", dataset))
        assert result.exit_code == 0, result.stderr
    assert {path: path.read_bytes() for path in before} == before
    for dataset in ("fashion_mnist", "mnist"):
        assert {batch.state for batch in install.verify(dataset, folder)} == {"as published"}


def test_a_folder_in_the_way_is_told_before_anything_is_moved(fetch, tmp_path):
    (tmp_path / "data" / "cifar-10-batches-py" / "data_batch_2").mkdir(parents=True)
    result = fetch("good")
    assert result.exit_code == 1
    assert "data_batch_2: a folder is in the way; remove it" in result.stderr
    assert content_of(tmp_path / "data") == []


def test_two_downloads_at_once_do_not_spoil_each_other(files, tmp_path):
    """The second waits for the first and finds everything there."""
    with serving(files) as server:
        told, threads = [], []
        for _ in range(2):
            listener = download.DownloadListener(told.append, lambda _name, _size: time.sleep(0.05))

            def get(archive, folder, listener=listener):
                return download.fetch(archive, [server.address("good")], folder, listener)

            thread = threading.Thread(target=install.install_dataset, args=("cifar10", tmp_path, get, told.append))
            thread.start()
            threads.append(thread)
        for thread in threads:
            thread.join(timeout=30)
        assert server.asked == ["good"]
    assert f"{tmp_path}: another process is installing data; waiting for it to finish" in told
    assert any(text.startswith("cifar10 is already installed") for text in told)
    assert content_of(tmp_path) == BATCHES


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_stopped_download_leaves_nothing_half(files, tmp_path, number):
    """Of a killed one the staging folder is left, which the next call removes."""
    with serving(files) as server:
        command = [sys.executable, "-m", "cifar_linear", "data", "download", "mnist", "--data-dir", tmp_path / "data"]
        command += ["--mirror", server.address("stalling", "mnist")]
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
            while not server.asked:
                time.sleep(0.01)
            process.send_signal(number)
            try:
                _, stderr = process.communicate(timeout=20)
            finally:
                process.kill()
        assert process.returncode == (-number if number == signal.SIGKILL else 128 + number), stderr
        assert "Traceback" not in stderr
        left = content_of(tmp_path / "data")
        assert all(path.startswith(".staging/") for path in left) if number == signal.SIGKILL else left == []
        listener = download.DownloadListener(lambda _: None, lambda *_: None)
        install.install_dataset(
            "mnist",
            tmp_path / "data",
            lambda archive, folder: download.fetch(archive, [server.address("good", "mnist")], folder, listener),
            lambda _: None,
        )
    assert {path.rpartition("/")[0] for path in content_of(tmp_path / "data")} == {"MNIST/raw"}


def test_a_full_disk_is_named(fetch, tmp_path, monkeypatch):
    def full(*_arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pathlib.Path.open", full)
    result = fetch("good")
    assert result.exit_code == 1
    assert "No space left on device; choose another --data-dir" in result.stderr
