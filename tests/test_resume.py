import json
import os
import random
import signal
import subprocess
import sys
import time
from contextlib import suppress

import pytest
from filelock import FileLock
from folders import EVERYTHING, only_run, same, stopped_after

from cifar_linear.errors import ConfigError, RunError
from cifar_linear.experiments.loading import load_dataset
from cifar_linear.experiments.resume import resume_run, resumed_config
from cifar_linear.experiments.run import run_group
from cifar_linear.runs.folder import RunFolder
from cifar_linear.storage.locks import LOCK


@pytest.mark.parametrize("evaluations", range(1, 15))
def test_a_run_that_goes_on_is_the_unbroken_run(make_config, tmp_path, evaluations):
    """Wherever it was stopped, also within an epoch, with everything on that has a memory."""
    config = make_config(epochs=6, **EVERYTHING)
    dataset = load_dataset(config)
    whole, broken = (RunFolder.create(tmp_path, name) for name in ("whole", "broken"))
    run_group([config], [whole], dataset, lambda _: None)
    with pytest.raises(KeyboardInterrupt):
        run_group([config], [broken], dataset, stopped_after(evaluations))
    created = broken.read_record().created
    record = resume_run(broken, resumed_config(broken, ()), dataset, lambda _: None, lambda: None)
    assert record.status == "finished"
    assert record.created == created
    same(broken, whole)


def test_a_finished_run_can_be_lengthened(run, small_config, runs_dir, tmp_path):
    """Three epochs and two more are five."""
    common = ("--no-figures", "--quiet", "--json")
    first = run("train", "--config", small_config, "--runs-dir", runs_dir, *common)
    folder = json.loads(first.stdout)["folder"]
    again = run("train", "--resume", folder, *common)
    assert again.exit_code == 1
    assert "already finished; to train longer, add --set epochs=N" in again.stderr
    longer = run("train", "--resume", folder, "--set", "epochs=5", *common)
    assert longer.exit_code == 0, longer.stderr
    at_once = run("train", "--config", small_config, "--runs-dir", tmp_path, "--set", "epochs=5", *common)
    ours, theirs = (json.loads(result.stdout) for result in (longer, at_once))
    assert (ours["folder"], ours["epoch"]) == (folder, 5)
    assert ours["metrics"] == theirs["metrics"]
    assert ours["config"] == theirs["config"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("eta=0.5", "eta cannot change when resuming; train a new run instead"),
        ("augmentation.flip=0.5", "augmentation.flip cannot change"),
        ("repro=strict", "repro cannot change"),
        ("epochs=2", "has already trained 3 epochs; epochs must be at least 3, found 2"),
    ],
)
def test_what_would_change_a_run_is_refused_with_its_keys(run, small_config, runs_dir, change, message):
    run("train", "--config", small_config, "--runs-dir", runs_dir, "--no-figures")
    (path,) = runs_dir.iterdir()
    before = {file: file.read_bytes() for file in path.iterdir()}
    result = run("train", "--resume", path, "--set", change)
    assert result.exit_code == 2
    assert message in result.stderr
    assert {file: file.read_bytes() for file in path.iterdir()} == before


def test_other_images_are_refused(run, small_config, runs_dir, monkeypatch):
    run("train", "--config", small_config, "--runs-dir", runs_dir, "--no-figures")
    (path,) = runs_dir.iterdir()
    record = RunFolder(path).read_record()
    data = record.data.model_copy(update={"sha256": {**record.data.sha256, "validation": "0" * 64}})
    RunFolder(path).write_record(record.model_copy(update={"data": data, "status": "interrupted"}))
    result = run("train", "--resume", path)
    assert result.exit_code == 3
    assert "began with other validation images" in result.stderr


def test_a_run_without_its_checkpoint_does_not_begin_anew(run, small_config, runs_dir):
    run("train", "--config", small_config, "--runs-dir", runs_dir, "--no-figures")
    (path,) = runs_dir.iterdir()
    (path / "checkpoint.npz").unlink()
    before = (path / "metrics.csv").read_bytes()
    for words in (("train", "--set", "epochs=5", "--resume", path), ("verify", path)):
        result = run(*words)
        assert result.exit_code == 1
        assert f"{path / 'checkpoint.npz'}: missing" in result.stderr
    assert (path / "metrics.csv").read_bytes() == before


def test_of_many_that_would_go_on_one_does(run, small_config, runs_dir):
    """The others find it finished: what they know of the run they have read under the lock."""
    run("train", "--config", small_config, "--runs-dir", runs_dir, "--no-figures", "--set", "epochs=1")
    (path,) = runs_dir.iterdir()
    words = [sys.executable, "-m", "cifar_linear", "train", "--resume", str(path), "--set", "epochs=30", "--no-figures"]
    processes = [subprocess.Popen(words, stderr=subprocess.PIPE, text=True) for _ in range(4)]
    told = [process.communicate()[1] for process in processes]
    assert sorted(process.returncode for process in processes) == [0, 1, 1, 1]
    refused = [text for text, process in zip(told, processes, strict=True) if process.returncode]
    assert all("already finished" in text or "still running" in text for text in refused)
    assert RunFolder(path).read_record().epoch == 30


def test_a_run_is_stopped_early_where_it_is_not_at_its_last_update(make_config, tmp_path):
    """Also within its last epoch; a run that early stopping ends with the last update has made them all."""
    for patience, step, early in ((1, 1, True), (5, 5, True), (6, 6, False)):
        config = make_config(
            n_batch=10, epochs=1, eta=50, evaluate={"per_epoch": 6}, early_stopping={"patience": patience}
        )
        folder = RunFolder.create(tmp_path, "run")
        (record,) = run_group([config], [folder], load_dataset(config), lambda _: None)
        assert (record.step, record.stopped_early) == (step, early)


def test_a_cosine_is_not_lengthened(trained):
    """Its last epoch decides all rates, also those of the epochs that are over."""
    folder = trained(decay={"kind": "cosine"})
    with pytest.raises(ConfigError, match="epochs decides eta from the first epoch on, so it stays 3"):
        resumed_config(folder, ["epochs=5"])


@pytest.mark.parametrize("per_epoch", [1, 2, 3])
@pytest.mark.parametrize("stopped", [None, 4])
def test_a_lengthened_run_is_the_longer_run_or_is_refused(make_config, tmp_path, per_epoch, stopped):
    """With six updates in an epoch, the evaluation after the last update of a run is none of a longer run's.

    A run that was stopped before it is lengthened like any other.
    """
    config = make_config(n_batch=10, evaluate={"per_epoch": per_epoch}, early_stopping={"patience": 5}, seed=1)
    longer = config.model_copy(update={"epochs": 5})
    dataset = load_dataset(config)
    whole, folder = (RunFolder.create(tmp_path, name) for name in ("whole", "lengthened"))
    run_group([longer], [whole], dataset, lambda _: None)
    with suppress(KeyboardInterrupt):
        run_group([config], [folder], dataset, stopped_after(stopped) if stopped else lambda _: None)
    before = {path.name: path.read_bytes() for path in folder.path.iterdir()}
    wanted = resumed_config(folder, ["epochs=5"])
    if stopped is None:
        with pytest.raises(
            ConfigError, match="the evaluation after its last update would not be one of the longer run"
        ):
            resume_run(folder, wanted, dataset, lambda _: None, lambda: None)
        assert {path.name: path.read_bytes() for path in folder.path.iterdir()} == before
    else:
        resume_run(folder, wanted, dataset, lambda _: None, lambda: None)
        same(folder, whole)


def test_a_run_whose_last_evaluation_is_one_of_the_longer_run_is_lengthened(make_config, tmp_path):
    """Evaluated after every update."""
    config = make_config(evaluate={"per_epoch": 3}, early_stopping={"patience": 50})
    dataset = load_dataset(config)
    whole, folder = (RunFolder.create(tmp_path, name) for name in ("whole", "lengthened"))
    run_group([config.model_copy(update={"epochs": 5})], [whole], dataset, lambda _: None)
    run_group([config], [folder], dataset, lambda _: None)
    resume_run(folder, resumed_config(folder, ["epochs=5"]), dataset, lambda _: None, lambda: None)
    same(folder, whole)


@pytest.mark.parametrize("arguments", [("--config", "a.yaml", "--resume", "b"), (), ("--resume", "b", "--seeds", "2")])
def test_new_and_old_runs_are_not_mixed(run, arguments):
    assert run("train", *arguments).exit_code == 2


def test_a_run_under_way_is_left_alone_and_a_killed_one_is_told(run, small_config, runs_dir):
    """Told apart by a lock that goes with its process: another process may have its number by now."""
    run("train", "--config", small_config, "--runs-dir", runs_dir, "--no-figures")
    (path,) = runs_dir.iterdir()
    folder = RunFolder(path)
    environment = folder.read_record().environment.model_copy(update={"process": os.getppid()})
    record = folder.read_record().model_copy(update={"status": "running", "environment": environment})
    folder.write_record(record)

    def status():
        return json.loads(run("runs", "--runs-dir", runs_dir, "--json").stdout)[0]["status"]

    with FileLock(path / LOCK):
        assert status() == "running"
        result = run("train", "--resume", path, "--no-figures")
        assert result.exit_code == 1
        assert f"still running (process {os.getppid()} on {environment.host})" in result.stderr
    assert status() == "killed"
    assert run("train", "--resume", path, "--no-figures").exit_code == 0


def test_a_run_stopped_between_training_and_test_can_go_on(make_config, tmp_path):
    """It has finished, but does not know its test figures yet."""
    config = make_config()
    dataset, folder = load_dataset(config), RunFolder.create(tmp_path, "run")
    run_group([config], [folder], dataset, lambda _: None, test=False)
    assert set(folder.read_record().metrics) == {"train", "validation"}
    rows = folder.read_metrics()
    record = resume_run(folder, resumed_config(folder, ()), dataset, lambda _: None, lambda: None)
    assert record.status == "finished"
    assert set(record.metrics) == {"train", "validation", "test"}
    assert folder.read_metrics() == rows
    with pytest.raises(RunError, match="already finished"):
        resumed_config(folder, ())


def test_a_run_killed_at_random_moments_ends_as_if_nothing_had_happened(small_config, tmp_path):
    """With SIGKILL, again and again, until it is through: nothing unreadable, and the same bits."""
    overrides = [word for key, value in EVERYTHING.items() for word in ("--set", f"{key}={json.dumps(value)}")]
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}

    def start(*words):
        command = [sys.executable, "-m", "cifar_linear", "train", *map(str, words), "--no-figures", "--quiet"]
        return subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)

    new = ("--config", small_config, "--set", "epochs=400", *overrides)
    start(*new, "--runs-dir", tmp_path / "whole").communicate(timeout=60)
    rng = random.Random(1)
    runs_dir = tmp_path / "broken"
    folder, kills = None, 0
    while folder is None or "test" not in folder.read_record().metrics:
        # A kill before the first record has left nothing to continue.
        process = start("--resume", folder.path) if folder else start(*new, "--runs-dir", runs_dir)
        if kills < 5:
            time.sleep(rng.uniform(0.5, 1.5))
            process.send_signal(signal.SIGKILL)
            kills += 1
        _, stderr = process.communicate(timeout=60)
        begun = [found for path in sorted(runs_dir.glob("*")) if (found := RunFolder(path)).is_run()]
        folder = begun[-1] if begun else None
    assert kills >= 1, stderr
    (whole,) = (tmp_path / "whole").iterdir()
    same(folder, RunFolder(whole))
    assert not list(folder.path.glob(".*.new"))


def test_what_described_an_earlier_state_goes_when_a_run_goes_on(run, small_config, runs_dir):
    """Report, its figures and test predictions; and what killed writers left. Files of others stay."""
    assert run("train", "--config", small_config, "--runs-dir", runs_dir, "--quiet").exit_code == 0
    folder = only_run(runs_dir)
    (folder.path / "notes.txt").write_text("mine")
    (folder.path / "figures" / "mine.png").write_bytes(b"mine")
    for name in (".model.npz.new", ".model.npz.0123abcd.new", "figures/.cost.png.0123abcd.new"):
        (folder.path / name).write_bytes(b"half")
    config = resumed_config(folder, ["epochs=5"])
    with pytest.raises(KeyboardInterrupt):
        resume_run(folder, config, load_dataset(config), stopped_after(1), lambda: None)
    left = {str(path.relative_to(folder.path)) for path in folder.path.rglob("*")}
    assert left == {
        "config.yaml", "run.json", "metrics.csv", "model.npz", "checkpoint.npz", LOCK, "notes.txt", "figures",
        "figures/mine.png",
    }  # fmt: skip


def test_figures_behind_a_link_are_left_alone_when_a_run_goes_on(run, small_config, runs_dir, tmp_path):
    assert run("train", "--config", small_config, "--runs-dir", runs_dir, "--quiet").exit_code == 0
    folder = only_run(runs_dir)
    (folder.path / "figures").rename(tmp_path / "elsewhere")
    (folder.path / "figures").symlink_to(tmp_path / "elsewhere")
    assert run("train", "--resume", folder.path, "--set", "epochs=5", "--no-figures").exit_code == 0
    assert (tmp_path / "elsewhere" / "cost.png").is_file()
    assert not (folder.path / "report.md").exists()
