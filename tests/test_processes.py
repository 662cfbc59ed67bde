"""Signals, broken pipes and readers while a real process trains."""

import shutil
import signal
import subprocess
import sys
import time

import faults
import numpy as np
import pytest
from folders import only_run

from cifar_linear.config.reading import read_config
from cifar_linear.errors import RunError
from cifar_linear.experiments.assembly import load_dataset
from cifar_linear.experiments.run import run_group
from cifar_linear.runs.folder import RunFolder


def wait_for(happened):
    """Until something is so, for half a minute at most."""
    deadline = time.monotonic() + 30
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def start(config, runs_dir, *arguments):
    """A training in a process of its own that would take minutes."""
    command = [sys.executable, "-m", "cifar_linear", "train", "--config", config, "--runs-dir", runs_dir]
    long = [*command, "--set", "epochs=100000", *arguments]
    return subprocess.Popen(long, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.mark.parametrize("pause", [0, 0.001, 0.02])
def test_second_signal_does_not_spoil_what_the_first_is_saving(small_config, runs_dir, pause):
    process = start(small_config, runs_dir, "--quiet")
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


def test_signal_as_soon_as_the_folder_is_there_leaves_a_whole_folder(small_config, runs_dir):
    """Or, if it came a moment earlier, none at all."""
    process = start(small_config, runs_dir, "--quiet")
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
def test_interrupted_run_keeps_what_it_has(small_config, runs_dir, number, exit_code):
    """Sent while a real process trains: exit code, status, and figures that belong to the stored weights."""
    process = start(small_config, runs_dir)
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


def test_signals_that_the_caller_has_ignored_stay_ignored(small_config, runs_dir):
    """As nohup does with SIGHUP, and a shell with the SIGINT of a job in the background; SIGTERM ends the run."""
    command = [sys.executable, "-m", "cifar_linear", "train", "--config", small_config, "--runs-dir", runs_dir]
    ignoring = ["sh", "-c", 'trap "" INT HUP; exec "$0" "$@"', *command, "--set", "epochs=100000"]
    with subprocess.Popen(ignoring, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        for line in process.stderr:
            if line.startswith("epoch  50/"):
                process.send_signal(signal.SIGINT)
                process.send_signal(signal.SIGHUP)
            elif line.startswith("epoch 500/"):
                process.send_signal(signal.SIGTERM)
    assert process.returncode == 143
    assert only_run(runs_dir).read_record().epoch >= 500


def test_a_run_whose_folder_is_removed_ends(make_config, tmp_path):
    """And nothing half comes to be where it was."""
    config, folder = make_config(epochs=50), RunFolder.create(tmp_path, "run")

    def watch(evaluation):
        if evaluation.epoch == 2:
            shutil.rmtree(folder.path)

    with faults.saving_always(), pytest.raises(RunError, match="the run folder is gone; somebody has removed it"):
        run_group([config], [folder], load_dataset(config), watch)
    assert not folder.path.exists()


def test_the_command_to_go_on_names_the_data(small_config, runs_dir, tmp_path):
    process = start(small_config, runs_dir, "--quiet", "--data-dir", tmp_path / "my data")
    wait_for(lambda: list(runs_dir.glob("*/run.json")))
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=20)
    assert f"to go on: cifar-linear train --resume {only_run(runs_dir).path} --data-dir '{tmp_path}/my data'" in stderr


def test_metrics_can_be_read_while_they_grow(small_config, runs_dir):
    """A second into a run the folder holds readable figures, weights and the status running."""
    process = start(small_config, runs_dir, "--quiet")
    try:
        wait_for(lambda: list(runs_dir.glob("*/model.npz")))
        folder = only_run(runs_dir)
        assert folder.read_record().status == "running"
        assert [row["epoch"] for row in folder.read_metrics()[:3]] == [0, 1, 2]
        folder.read_model()
    finally:
        process.kill()
        process.communicate()
