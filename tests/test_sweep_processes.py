import json
import os
import random
import re
import shlex
import signal
import subprocess
import sys
import time
from itertools import product

import numpy as np
import pytest
import yaml
from folders import BASE, folders, stopped_after

from cifar_linear.config.sweeps import read_sweep
from cifar_linear.experiments.dataset_cache import DatasetCache
from cifar_linear.sweep.folder import SweepFolder, existing_folders
from cifar_linear.sweep.tasks import run_cells


def start(path, runs_dir, *arguments):
    words = ["-m", "cifar_linear", "sweep", "--config", path, "--runs-dir", runs_dir, "--no-figures", *arguments]
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}
    return subprocess.Popen(
        [sys.executable, *map(str, words)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    )


def run_in(folder, cells, images, watch, check):
    """Train cells in a sweep's folder, from where they are."""
    run_cells(cells, existing_folders(cells, folder.runs()), folder.path, images, watch, check)


def test_workers_find_what_one_process_finds(sweep_file, tmp_path):
    path = sweep_file({"n_batch": [10, 20, 30], "eta": [0.001, 0.01]})
    outputs = []
    for workers in (1, 2):
        process = start(path, tmp_path / str(workers), "--workers", workers, "--json")
        stdout, stderr = process.communicate(timeout=60)
        assert process.returncode == 0, stderr
        outputs.append([{**row, "folders": None} for row in json.loads(stdout)["rows"]])
    assert outputs[0] == outputs[1]


def test_cells_of_a_killed_process_are_shown_as_killed(sweep, sweep_file, runs_dir, monkeypatch):
    """In the table of a call that cannot train them either."""
    assert sweep(sweep_file({"eta": [0.01, 0.001]})).exit_code == 0
    for folder in folders(runs_dir):
        folder.write_record(folder.read_record().model_copy(update={"status": "running"}))

    def killed(*_arguments, **_options):
        raise RuntimeError("planted")

    monkeypatch.setattr("cifar_linear.sweep.tasks.run_cells", killed)
    result = sweep(sweep_file({"eta": [0.01, 0.001]}), "--json")
    assert result.exit_code == 1
    assert {row["status"] for row in json.loads(result.stdout)["rows"]} == {"killed"}


GRID = {"n_batch": [10, 20], "eta": [0.001, 0.01, 1e6], "lambda": [0, 0.1]}
# Long enough that the first fifth of it is over only after Python has started, on a busy machine too.
LONG = BASE | {"epochs": 240, "data": {"dataset": "synthetic", "images_per_batch": 200}, "augmentation": {"flip": 0.5}}


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory):
    """What a sweep comes to that nobody disturbs: its table, and how long it takes."""
    root = tmp_path_factory.mktemp("unbroken")
    (root / "grid.yaml").write_text(yaml.safe_dump({"base": LONG, "grid": GRID}, sort_keys=False))
    started = time.perf_counter()
    stdout, _ = start(root / "grid.yaml", root / "runs").communicate(timeout=60)
    return stdout.replace(str(root), ""), time.perf_counter() - started


@pytest.mark.parametrize(
    ("number", "workers"),
    [*((signal.SIGKILL, 1) for _ in range(2)), (signal.SIGINT, 1), (signal.SIGTERM, 2), (signal.SIGKILL, 2)],
)
def test_a_sweep_stopped_at_any_moment_ends_in_the_same_table(request, sweep_file, tmp_path, unbroken, number, workers):
    """Killed or interrupted twice on its way; no more folders than cells, nothing half."""
    expected, seconds = unbroken
    rng = random.Random(request.node.name + str(os.environ.get("SWEEP_SEED", "")))
    path = sweep_file(GRID, LONG)
    for _ in range(2):
        process = start(path, tmp_path / "runs", "--workers", workers)
        time.sleep(rng.uniform(0.2, 1.1) * seconds)
        process.send_signal(number)
        _, stderr = process.communicate(timeout=60)
        if number != signal.SIGKILL and process.returncode != 0:
            assert process.returncode == 128 + number
            assert f"stopped by {'Ctrl-C' if number == signal.SIGINT else number.name}" in stderr
    if workers > 1 and number == signal.SIGKILL:
        time.sleep(1)  # Workers without a parent notice at their next step, and save.
    stdout, stderr = start(path, tmp_path / "runs").communicate(timeout=60)
    assert stdout.replace(str(tmp_path), "") == expected, stderr
    assert len(folders(tmp_path / "runs")) == len(list(product(*GRID.values())))
    assert not list((tmp_path / "runs").rglob(".*.new"))


def test_an_interrupted_group_goes_on_from_where_it_was(sweep_file, runs_dir):
    """Bit for bit what it would have been, with augmentation, averaging and a decay that looks at the losses."""
    base = LONG | {"epochs": 12, "averaging": {"from_epoch": 5}, "early_stopping": {"patience": 4}}
    path = sweep_file(
        {"lambda": [0, 1], "decay": [{"kind": "plateau", "patience": 1, "factor": 0.5}, {"kind": "cosine"}]}, base
    )
    cells = read_sweep(path).cells
    images = DatasetCache(None).of(cells[0].config)
    whole, broken = (SweepFolder(runs_dir / name) for name in ("whole", "broken"))
    run_in(whole, cells, images, lambda _: None, lambda: None)
    seen = []

    def stop_after_four(evaluation):
        seen.append(evaluation.epoch)
        if len(seen) % 4 == 0:
            raise KeyboardInterrupt

    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            run_in(broken, cells, images, stop_after_four, lambda: None)
    assert seen == list(range(8))
    assert {record.status for _, record in broken.runs().values()} == {"interrupted"}
    run_in(broken, cells, images, lambda _: None, lambda: None)
    for ours, theirs in zip(folders(runs_dir, "broken"), folders(runs_dir, "whole"), strict=True):
        for best in (False, True):
            np.testing.assert_array_equal(ours.read_model(best).W, theirs.read_model(best).W)
        a, b = ours.read_metrics(), theirs.read_metrics()
        assert [{**row, "seconds": 0} for row in a] == [{**row, "seconds": 0} for row in b]
        times = [row["seconds"] for row in a]
        assert times == sorted(times)


def test_runs_of_a_group_that_were_saved_at_two_moments_begin_anew(sweep_file, runs_dir):
    """A kill between the savings of two runs leaves checkpoints of different epochs; going on would mix them."""
    cells = read_sweep(sweep_file({"lambda": [0, 1]})).cells
    images = DatasetCache(None).of(cells[0].config)
    folder = SweepFolder(runs_dir / "grid")
    run_in(folder, cells, images, lambda _: None, lambda: None)
    expected = [run.read_model().W for run in folders(runs_dir)]
    first = folders(runs_dir)[0]
    checkpoint = first.read_checkpoint()
    first.write_checkpoint(checkpoint._replace(arrays={**checkpoint.arrays, "step": checkpoint.arrays["step"] - 3}))
    epochs = []
    run_in(folder, cells, images, lambda evaluation: epochs.append(evaluation.epoch), lambda: None)
    assert epochs == [0, 1, 2, 3]
    for run, weights in zip(folders(runs_dir), expected, strict=True):
        np.testing.assert_array_equal(run.read_model().W, weights)


def test_a_group_that_has_lost_a_run_begins_anew(sweep_file, runs_dir, run):
    """Fewer runs multiply in another order: what goes on would be neither the old group nor the new one."""
    cells = read_sweep(sweep_file({"lambda": [0, 0.1, 1]})).cells
    images = DatasetCache(None).of(cells[0].config)
    folder = SweepFolder(runs_dir / "grid")
    with pytest.raises(KeyboardInterrupt):
        run_in(folder, cells, images, stopped_after(2), lambda: None)
    steps = []
    run_in(folder, cells[:2], images, lambda evaluation: steps.append(evaluation.step), lambda: None)
    assert steps[0] == 0
    for cell in existing_folders(cells[:2], folder.runs()):
        assert run("verify", cell.path).exit_code == 0


@pytest.mark.parametrize("command", ["train", "sweep"])
def test_the_command_that_goes_on_runs_as_it_is_printed(run, small_config, sweep_file, tmp_path, monkeypatch, command):
    """Whatever the folders are called; the data's folder is named as well."""

    def interrupt(*_):
        raise KeyboardInterrupt

    config = small_config if command == "train" else sweep_file({"eta": [0.1, 0.01]})
    folders = ("--runs-dir", tmp_path / "my runs", "--data-dir", tmp_path / "it's data")
    with monkeypatch.context() as patched:
        patched.setattr("cifar_linear.sweep.tasks.run_cells", interrupt)
        first = run(command, config, "--seeds", 2, "--no-figures", *folders)
    assert first.exit_code == 130
    (text,) = re.findall(r"To continue: cifar-linear (.+)", first.stderr)
    words = shlex.split(text)
    assert words[words.index("--data-dir") + 1] == str(tmp_path / "it's data")
    result = run(*words, "--no-figures")
    assert result.exit_code == 0, result.stderr
    (path,) = (tmp_path / "my runs").iterdir()
    assert len([child for child in path.iterdir() if child.is_dir()]) == (2 if command == "train" else 4)
    # The seeds of train are all evaluated on the test set, of a sweep only the selected setting is.
    assert len(re.findall(r"[\d.]+ ± [\d.]+ %", result.stdout)) == (2 if command == "train" else 3)


def test_what_a_kill_leaves_of_a_writing_stands_in_nobodys_way(sweep, sweep_file, runs_dir):
    """Neither before the sweep's own file is there, nor in the folder of a run that had not begun."""
    (runs_dir / "grid").mkdir(parents=True)
    (runs_dir / "grid" / ".sweep.yaml.new").write_text("half")
    assert sweep(sweep_file({"eta": [0.1]})).exit_code == 0
    assert not list((runs_dir / "grid").glob(".*.new"))
    leftover = runs_dir / "grid" / "20260101T000000Z_eta-0.2"
    leftover.mkdir()
    for name in (".config.yaml.new", "config.yaml"):
        (leftover / name).write_text("half")
    assert sweep(sweep_file({"eta": [0.1, 0.2]})).exit_code == 0
    assert not leftover.exists()
