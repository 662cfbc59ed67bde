"""Signals, broken pipes and readers while a real process trains."""

import shutil
import signal
import subprocess
import sys
import time
from contextlib import ExitStack

import faults
import numpy as np
import pytest
from folders import only_run

from cifar_linear.config.reading import read_config
from cifar_linear.errors import RunError
from cifar_linear.experiments.loading import load_dataset
from cifar_linear.experiments.run import run_group
from cifar_linear.runs.folder import RunFolder


def wait_for(happened):
    """Until something is so, for half a minute at most."""
    deadline = time.monotonic() + 30
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.fixture
def start(small_config, runs_dir):
    """Start a training of several minutes in a process of its own, which a test that fails does not leave behind."""
    command = [sys.executable, "-m", "cifar_linear", "train", "--config", small_config, "--runs-dir", runs_dir]
    with ExitStack() as processes:

        def begin(*arguments, launcher=()):
            words = [*launcher, *command, "--set", "epochs=100000", *arguments]
            process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            processes.enter_context(process)
            processes.callback(process.kill)
            return process

        yield begin


@pytest.mark.parametrize("pause", [0, 0.001, 0.02])
def test_second_signal_does_not_spoil_what_the_first_is_saving(start, runs_dir, pause):
    process = start("--quiet")
    wait_for(lambda: list(runs_dir.glob("*/model.npz")))
    process.send_signal(signal.SIGINT)
    time.sleep(pause)
    process.send_signal(signal.SIGTERM)
    _, stderr = process.communicate(timeout=20)
    # The very last moments of a process, when all is saved, are the system's: there SIGTERM is what it says.
    assert process.returncode in (130, 143, -signal.SIGTERM), stderr
    assert "Traceback" not in stderr
    folder = only_run(runs_dir)
    assert folder.read_record().status == "interrupted"
    assert folder.read_record().epoch == folder.read_metrics()[-1]["epoch"]
    folder.read_model()
    assert not list(folder.path.glob(".*.new"))


def test_signal_as_soon_as_the_folder_is_there_leaves_a_whole_folder(start, runs_dir):
    """Or, if it came a moment earlier, none at all."""
    process = start("--quiet")
    wait_for(lambda: runs_dir.exists() and list(runs_dir.iterdir()))
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=20)
    assert process.returncode == 130
    folder = only_run(runs_dir)
    assert folder.read_record().status == "interrupted"
    assert len(folder.read_metrics()) >= 1
    folder.read_model()


@pytest.mark.parametrize("redirection", ["2>&-", "2>/dev/full", "2> >(true)"])
def test_training_goes_on_when_nobody_listens_to_its_talk(small_config, runs_dir, redirection):
    command = f"{sys.executable} -m cifar_linear train --config {small_config} --runs-dir {runs_dir} --no-figures"
    result = subprocess.run(["bash", "-c", f"{command} {redirection}"], stdout=subprocess.PIPE, text=True, check=False)
    assert result.returncode == 0
    assert only_run(runs_dir).read_record().status == "finished"


@pytest.mark.parametrize(("number", "exit_code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_interrupted_run_keeps_what_it_has(start, small_config, runs_dir, number, exit_code):
    """Sent while a real process trains: exit code, status, and figures that belong to the stored weights."""
    process = start()
    for line in process.stderr:
        if line.startswith("epoch  50/"):
            break
    process.send_signal(number)
    _, stderr = process.communicate(timeout=20)
    assert process.returncode == exit_code, stderr
    folder = only_run(runs_dir)
    assert str(folder.path) in stderr
    assert "Traceback" not in stderr
    record, rows = folder.read_record(), folder.read_metrics()
    assert (record.status, record.epoch) == ("interrupted", rows[-1]["epoch"])
    assert rows[-1]["epoch"] >= 50
    model, split = folder.read_model(), load_dataset(read_config(small_config)).validation
    X = (split.images / 255 - model.mean) / model.std
    assert np.mean((X @ model.W.T + model.b).argmax(axis=1) == split.labels) == rows[-1]["validation_accuracy"]


def test_signals_that_the_caller_has_ignored_stay_ignored(start, runs_dir):
    """As nohup does with SIGHUP, and a shell with the SIGINT of a job in the background; SIGTERM ends the run."""
    process = start(launcher=["sh", "-c", 'trap "" INT HUP; exec "$0" "$@"'])
    for line in process.stderr:
        if line.startswith("epoch  50/"):
            process.send_signal(signal.SIGINT)
            process.send_signal(signal.SIGHUP)
        elif line.startswith("epoch 500/"):
            process.send_signal(signal.SIGTERM)
    assert process.wait() == 143
    assert only_run(runs_dir).read_record().epoch >= 500


def test_a_run_whose_folder_is_removed_ends(make_config, tmp_path):
    """And nothing half comes to be where it was."""
    config, folder = make_config(epochs=50), RunFolder.create(tmp_path, "run")

    def watch(evaluation):
        if evaluation.epoch == 2:
            shutil.rmtree(folder.path)

    with (
        faults.saving_always(),
        pytest.raises(RunError, match="the run folder no longer exists; it was removed during training"),
    ):
        run_group([config], [folder], load_dataset(config), watch)
    assert not folder.path.exists()


def test_the_command_to_go_on_names_the_data(start, runs_dir, tmp_path):
    process = start("--quiet", "--data-dir", tmp_path / "my data")
    wait_for(lambda: list(runs_dir.glob("*/run.json")))
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=20)
    assert (
        f"to continue: cifar-linear train --resume {only_run(runs_dir).path} --data-dir '{tmp_path}/my data'" in stderr
    )


def test_metrics_can_be_read_while_they_grow(start, runs_dir):
    """A second into a run the folder holds readable figures, weights and the status running."""
    start("--quiet")
    wait_for(lambda: list(runs_dir.glob("*/model.npz")))
    folder = only_run(runs_dir)
    assert folder.read_record().status == "running"
    assert [row["epoch"] for row in folder.read_metrics()[:3]] == [0, 1, 2]
    folder.read_model()
