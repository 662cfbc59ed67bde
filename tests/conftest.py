import os
import shutil
import signal
from pathlib import Path

import faults
import numpy as np
import pytest
import yaml
from archives import publish, serving
from cifar_files import python2_batch
from click.testing import CliRunner
from folders import BASE, finished_run
from hypothesis import settings

from cifar_linear.cli import cli
from cifar_linear.config.models import Config
from cifar_linear.data import download, inspection
from cifar_linear.experiments.loading import load_dataset
from cifar_linear.experiments.run import run_group
from cifar_linear.runs.folder import RunFolder

# The same examples in every run, however slow the machine.
settings.register_profile("suite", derandomize=True, database=None, deadline=None)
settings.register_profile("campaign", max_examples=20_000, database=None, deadline=None)
settings.load_profile("suite")


@pytest.fixture(scope="session", autouse=True)
def signals_as_in_a_terminal():
    """Processes that tests start heed SIGINT and SIGHUP, even if the suite runs in the background or under nohup."""
    for name in ("SIGINT", "SIGHUP"):
        number = getattr(signal, name, None)
        if number and signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, signal.default_int_handler if name == "SIGINT" else signal.SIG_DFL)


@pytest.fixture(autouse=True)
def no_settings_from_outside(monkeypatch):
    """A test does not depend on the environment of whoever runs it; `real_data` asks for it before this."""
    monkeypatch.delenv("CIFAR_LINEAR_DATA", raising=False)
    monkeypatch.delenv("CIFAR_LINEAR_RUNS", raising=False)


@pytest.fixture(autouse=True)
def no_memory_of_files(monkeypatch, tmp_path):
    """What is known of files from other runs of the program is in no test's way, and stays as it is."""
    monkeypatch.setattr(inspection, "default_folder", lambda: tmp_path / "cache")


@pytest.fixture(scope="session")
def real_data():
    """The folder with CIFAR-10 in all three layouts."""
    folder = os.environ.get("CIFAR_LINEAR_DATA")
    if not folder:
        pytest.skip("CIFAR_LINEAR_DATA does not name a folder with CIFAR-10")
    return Path(folder)


@pytest.fixture(scope="session")
def real_digits(real_data):
    """The folder, if it has MNIST as well."""
    if not (real_data / "MNIST" / "raw").is_dir():
        pytest.skip("CIFAR_LINEAR_DATA names a folder without MNIST/raw")
    return real_data


@pytest.fixture
def make_config():
    """A config for generated images, from a few changes."""

    def make(**changes):
        data = {"dataset": "synthetic", "images_per_batch": 60} | changes.pop("data", {})
        lam = changes.pop("lam", changes.pop("lambda", 0))
        return Config.model_validate({"data": data, "lam": lam, "eta": 0.01, "n_batch": 20, "epochs": 3} | changes)

    return make


@pytest.fixture
def dataset(make_config):
    """Three splits of sixty generated images."""
    return load_dataset(make_config())


@pytest.fixture
def small_config(tmp_path):
    """A config file that trains in a blink."""
    path = tmp_path / "small.yaml"
    path.write_text(
        "data: {dataset: synthetic, images_per_batch: 60}\nlambda: 0.01\neta: 0.003\nn_batch: 20\nepochs: 3\nseed: 7\n"
    )
    return path


@pytest.fixture(scope="session")
def make_four_runs():
    """Four finished runs that differ in lambda and eta, trained together; gives the folder that holds them."""

    def make(root):
        common = {"data": {"dataset": "synthetic", "images_per_batch": 100}, "n_batch": 20, "epochs": 4}
        settings = ((0, 0.003), (0.3, 0.003), (1, 0.003), (0, 0.05))
        configs = [Config.model_validate({**common, "lambda": lam, "eta": eta}) for lam, eta in settings]
        folders = [RunFolder.create(root / "runs", f"run-{i}") for i in range(4)]
        run_group(configs, folders, load_dataset(configs[0]), lambda _: None)
        return root / "runs"

    return make


@pytest.fixture(scope="session")
def four_runs(tmp_path_factory, make_four_runs):
    """The folder of four finished runs, which tests only read."""
    return make_four_runs(tmp_path_factory.mktemp("report"))


@pytest.fixture
def own_runs(four_runs, tmp_path):
    """A copy of the runs that a test may damage."""
    return shutil.copytree(four_runs, tmp_path / "runs")


@pytest.fixture
def runs_dir(tmp_path):
    return tmp_path / "runs"


@pytest.fixture
def run():
    """Call the command line in this process."""

    def call(*arguments):
        return CliRunner().invoke(cli, [str(argument) for argument in arguments])

    return call


@pytest.fixture
def sweep_file(tmp_path):
    """Write a sweep: a grid over a base config that trains in a blink."""

    def write(grid, base=None, **more):
        path = tmp_path / "grid.yaml"
        path.write_text(yaml.safe_dump({"base": base or BASE, "grid": grid, **more}, sort_keys=False))
        return path

    return write


@pytest.fixture
def sweep(run, runs_dir):
    """Call the command sweep."""

    def call(path, *arguments):
        return run("sweep", "--config", path, "--runs-dir", runs_dir, "--no-figures", *arguments)

    return call


@pytest.fixture(scope="session")
def batch_arrays():
    """Ten thousand random images and labels."""
    rng = np.random.default_rng(0)
    return rng.integers(0, 256, (10_000, 3072), dtype=np.uint8), rng.integers(0, 10, 10_000)


@pytest.fixture
def python_folder(tmp_path, batch_arrays):
    """A folder with one good batch in Python's layout."""
    folder = tmp_path / "cifar-10-batches-py"
    folder.mkdir()
    (folder / "data_batch_1").write_bytes(python2_batch(batch_arrays[0], {"labels": batch_arrays[1]}))
    return folder


@pytest.fixture
def files(monkeypatch):
    """Small archives that count as the published ones."""
    monkeypatch.setattr(download, "_PAUSE", 0.01)
    return publish(monkeypatch, np.random.default_rng(0))


@pytest.fixture
def mirrors(files):
    with serving(files) as server:
        yield server


@pytest.fixture
def fetch(run, tmp_path, mirrors):
    """Call ``data download`` with mirrors that behave in these ways."""

    def call(*ways, dataset="cifar10"):
        addresses = [word for way in ways for word in ("--mirror", mirrors.address(way, dataset))]
        return run("data", "download", dataset, "--data-dir", tmp_path / "data", *addresses)

    return call


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """An undisturbed run, and how many file operations it took."""
    runs_dir = tmp_path_factory.mktemp("whole")
    with faults.Faults().installed() as counting:
        faults.train(runs_dir)
    (path,) = runs_dir.iterdir()
    return RunFolder(path), counting.count


@pytest.fixture
def trained(make_config, tmp_path):
    """Train a config with these changes, and return the folder of its run."""

    return lambda **changes: finished_run(make_config(**changes), tmp_path / "runs")
