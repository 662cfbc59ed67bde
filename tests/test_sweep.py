import json
import os
import random
import re
import signal
import subprocess
import sys
import time
from itertools import product

import numpy as np
import pytest
import yaml
from filelock import FileLock

from cifar_linear.config.reading import read_config
from cifar_linear.config.sweeps import read_sweep
from cifar_linear.errors import ConfigError
from cifar_linear.runs import RunFolder
from cifar_linear.sweep.folder import SweepFolder, begun
from cifar_linear.sweep.running import Images, estimate, groups_of, run_cells
from cifar_linear.sweep.table import table_of

BASE = {"data": {"dataset": "synthetic", "images_per_batch": 60}, "lambda": 0, "eta": 0.01, "n_batch": 20, "epochs": 3}


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
    """Call the command."""

    def call(path, *arguments):
        return run("sweep", "--config", path, "--runs-dir", runs_dir, "--no-figures", *arguments)

    return call


def folders(runs_dir, name="grid"):
    return [RunFolder(path) for path in sorted((runs_dir / name).iterdir()) if path.is_dir()]


def run_in(folder, cells, images, watch, check):
    """Train cells in a sweep's folder, from where they are."""
    run_cells(cells, begun(cells, folder.runs()), folder.path, images, watch, check)


def table(result):
    """Rows of the printed table without its head."""
    return [line for line in result.stdout.splitlines()[1:] if " finished" in line or " diverged" in line]


def test_cells_are_all_combinations_in_the_order_of_the_grid(sweep_file):
    path = sweep_file({"lambda": [0, 0.1], "decay": [{"kind": "none"}, {"kind": "step", "every": 2}]})
    cells = read_sweep(path, ["epochs=2"]).cells
    assert [(cell.config.lam, cell.config.decay.kind) for cell in cells] == list(product((0, 0.1), ("none", "step")))
    assert [cell.name for cell in cells][:2] == ["lambda-0_decay-kind-none", "lambda-0_decay-kind-step-every-2"]
    assert {cell.config.epochs for cell in cells} == {2}


def test_base_may_be_a_file_beside_the_sweeps(sweep_file, small_config):
    (cell,) = read_sweep(sweep_file({"eta": [0.5]}, base=small_config.name)).cells
    assert cell.config == read_config(small_config, ["eta=0.5"])


def test_groups_are_what_may_differ_in_lambda_eta_and_decay_alone(sweep_file):
    grid = {"lambda": [0, 1], "n_batch": [10, 20], "eta": [0.1, 0.2], "decay.kind": ["none", "cosine"]}
    cells = read_sweep(sweep_file(grid)).cells
    groups = groups_of(cells)
    assert [{cell.config.n_batch for cell in group} for group in groups] == [{10}, {20}]
    assert [len(group) for group in groups] == [8, 8]
    assert {id(cell) for group in groups for cell in group} == {id(cell) for cell in cells}


@pytest.mark.parametrize(
    ("grid", "message"),
    [
        ({"lamda": [1]}, "grid.yaml:11: lamda: unknown key; did you mean 'lambda'?"),
        ({"eta": [0.1, -1]}, "grid.yaml:12: eta: must be greater than 0, found -1"),
        ({"eta": []}, "grid.yaml:10: grid.eta: "),
        ({"eta": 0.1}, "grid.yaml:10: grid.eta: must be a list, found 0.1"),
        ({"eta": [0.1, 0.1]}, "grid.yaml:12: grid.eta: 0.1 stands there twice"),
        ({"decay": [{"kind": "none"}], "decay.every": [3]}, "decay.every: is a part of decay"),
        ({"lambda": [0, 0.0]}, "grid: two cells come to the same config: lambda 0; and lambda 0"),
        ({"eta.x": [1]}, "grid.eta.x: eta has no keys of its own"),
        ({"seed": list(range(10_001))}, "has 10001 cells; at most 10000 are run"),
    ],
)
def test_a_grid_that_cannot_be_run_is_refused_with_its_line(sweep_file, grid, message):
    with pytest.raises(ConfigError) as caught:
        read_sweep(sweep_file(grid))
    assert message in str(caught.value)


def test_every_problem_of_file_and_cells_is_told_once(sweep_file):
    with pytest.raises(ConfigError) as caught:
        read_sweep(sweep_file({"eta": [-1, 0.1], "lambda": [0, 1], "epochs": [0]}))
    lines = str(caught.value).splitlines()
    assert lines[0] == "2 problems in the config:"
    assert len(lines) == 3


def test_a_sweep_trains_every_cell_and_tests_the_selected_one_alone(sweep, sweep_file, runs_dir):
    """The table is sorted by validation accuracy; each cell is a whole run folder; its file runs as it is."""
    path = sweep_file({"lambda": [0, 0.1], "eta": [0.001, 0.01], "n_batch": [20, 30]})
    result = sweep(path)
    assert result.exit_code == 0, result.stderr
    records = [folder.read_record() for folder in folders(runs_dir)]
    assert len(records) == 8
    assert {record.status for record in records} == {"finished"}
    best = max(record.metrics["validation"].accuracy for record in records)
    (tested,) = [record for record in records if "test" in record.metrics]
    assert tested.metrics["validation"].accuracy == best
    rows = table(result)
    accuracies = [float(re.findall(r"[\d.]+(?= %)", row)[0]) for row in rows]
    assert accuracies == sorted(accuracies, reverse=True)
    assert rows[0].endswith("finished, selected by validation accuracy")
    assert sum("selected" in row for row in rows) == 1
    again = read_sweep(runs_dir / "grid" / "sweep.yaml")
    assert [cell.config for cell in again.cells] == [cell.config for cell in read_sweep(path).cells]


def test_the_loss_may_choose(sweep, sweep_file, runs_dir):
    sweep(sweep_file({"lambda": [0, 1], "eta": [0.01, 0.1]}, select_by="validation_loss"))
    records = [folder.read_record() for folder in folders(runs_dir)]
    (tested,) = [record for record in records if "test" in record.metrics]
    assert tested.metrics["validation"].loss == min(record.metrics["validation"].loss for record in records)


def test_cells_of_a_group_are_what_they_are_alone(run, sweep, sweep_file, runs_dir):
    """To the rounding of float64; in float32 a wider product may round differently."""
    base = BASE | {"dtype": "float64", "augmentation": {"flip": 0.5}, "averaging": {"from_epoch": 2}}
    sweep(sweep_file({"lambda": [0, 0.1], "eta": [0.001, 0.01]}, base))
    for folder in folders(runs_dir):
        alone = runs_dir / "alone"
        run("train", "--config", folder.path / "config.yaml", "--runs-dir", alone, "--no-figures", "--quiet")
    for stacked, single in zip(folders(runs_dir), folders(runs_dir, "alone"), strict=True):
        assert stacked.read_record().config == single.read_record().config
        np.testing.assert_allclose(stacked.read_model().W, single.read_model().W, rtol=0, atol=1e-12)


def test_a_cell_that_diverges_does_not_touch_the_others(sweep, sweep_file, runs_dir):
    result = sweep(sweep_file({"lambda": [0, 1], "eta": [0.01, 1e5]}))
    assert result.exit_code == 0
    statuses = {
        (f.read_record().config.lam, f.read_record().config.eta): f.read_record().status for f in folders(runs_dir)
    }
    assert statuses.pop((1, 1e5)) == "diverged"
    assert set(statuses.values()) == {"finished"}
    assert table(result)[-1].endswith("diverged")


def test_when_every_cell_diverges_the_exit_code_says_so(sweep, sweep_file):
    result = sweep(sweep_file({"lambda": [1], "eta": [1e5, 1e6]}))
    assert result.exit_code == 4
    assert "every cell diverged" in result.stderr


def test_a_second_call_runs_only_what_is_missing(sweep, sweep_file, runs_dir):
    """Also when the grid has grown; a finished cell's files are not touched."""
    sweep(sweep_file({"eta": [0.001, 0.01]}))
    before = {path: path.stat().st_mtime_ns for path in (runs_dir / "grid").rglob("model.npz")}
    second = sweep(sweep_file({"eta": [0.001, 0.01, 0.02]}))
    assert len(table(second)) == 3
    assert len(folders(runs_dir)) == 3
    assert all(path.stat().st_mtime_ns == when for path, when in before.items())
    third = sweep(sweep_file({"eta": [0.001, 0.01, 0.02]}))
    assert third.stdout == second.stdout
    assert "group" not in third.stderr


def test_failed_cells_wait_for_retry_failed(sweep, sweep_file, runs_dir, monkeypatch):
    """A group that fails does not end the sweep."""
    path = sweep_file({"n_batch": [20, 30]})
    whole = RunFolder.write_model

    def fail(self, model, best=False):
        if "n_batch-20" in self.path.name:
            raise OSError("no luck")
        whole(self, model, best)

    monkeypatch.setattr(RunFolder, "write_model", fail)
    first = sweep(path)
    assert first.exit_code == 1
    assert "1 cells have failed" in first.stderr
    assert "--retry-failed" in first.stderr
    assert [folder.read_record().status for folder in folders(runs_dir)] == ["failed", "finished"]
    assert not any("test" in folder.read_record().metrics for folder in folders(runs_dir))
    monkeypatch.undo()
    assert sweep(path).exit_code == 1
    assert [folder.read_record().status for folder in folders(runs_dir)] == ["failed", "finished"]
    assert sweep(path, "--retry-failed").exit_code == 0
    assert sum("test" in folder.read_record().metrics for folder in folders(runs_dir)) == 1
    assert [folder.read_record().status for folder in folders(runs_dir)] == ["finished", "finished"]


def test_plan_says_what_would_run_and_runs_nothing(sweep, sweep_file, runs_dir):
    path = sweep_file({"lambda": [0, 1], "n_batch": [10, 20]})
    result = sweep(path, "--plan")
    assert result.exit_code == 0
    assert not runs_dir.exists()
    assert re.findall(r"group \d: 2 runs, 3 epochs, about [\d.]+ s\n", result.stdout)
    assert "  lambda 1, n_batch 20\n" in result.stdout
    assert "4 cells, 0 of them there already\n" in result.stdout
    sweep(path)
    document = json.loads(sweep(path, "--plan", "--json").stdout)
    assert (document["cells_there"], document["groups"]) == (4, [])


def test_an_estimate_grows_with_the_epochs(sweep_file):
    (short,), (long,) = (groups_of(read_sweep(sweep_file({"epochs": [epochs]})).cells) for epochs in (10, 10_000))
    images = Images(None).of(short[0].config)
    assert 0 < estimate(short, images) < estimate(long, images)


def test_seeds_give_means_with_their_interval(sweep, sweep_file, runs_dir):
    result = sweep(sweep_file({"eta": [0.001, 0.01]}), "--seeds", 3, "--json")
    document = json.loads(result.stdout)
    selected, other = document["rows"]
    assert selected["selected"]
    assert not other["selected"]
    assert other["test_accuracy"] is None
    records = [RunFolder(path).read_record() for path in map(type(runs_dir), selected["folders"])]
    assert [record.config.seed for record in records] == [400, 401, 402]
    for split, key in (("validation", "validation_accuracy"), ("test", "test_accuracy")):
        accuracies = [record.metrics[split].accuracy for record in records]
        assert selected[key]["mean"] == pytest.approx(np.mean(accuracies))
        # 4.303 is the quantile of Student's t for three values.
        assert selected[key]["half_width"] == pytest.approx(4.30265 * np.std(accuracies, ddof=1) / np.sqrt(3), rel=1e-5)


def test_seeds_of_train_are_tested_all(run, small_config, runs_dir):
    result = run("train", "--config", small_config, "--runs-dir", runs_dir, "--seeds", 2, "--no-figures")
    assert result.exit_code == 0, result.stderr
    (path,) = runs_dir.iterdir()
    assert re.fullmatch(r"\d{8}T\d{6}Z_small", path.name)
    assert [folder.read_record().config.seed for folder in folders(runs_dir, path.name)] == [7, 8]
    assert len(re.findall(r"[\d.]+ ± [\d.]+ %", result.stdout)) == 2


def test_seeds_in_the_grid_and_seeds_of_the_option_are_one_too_many(sweep, sweep_file):
    result = sweep(sweep_file({"seed": [1, 2]}), "--seeds", 2)
    assert result.exit_code == 2
    assert "grid.seed: is what --seeds sets; leave out one" in result.stderr


def test_an_override_of_what_the_grid_decides_is_refused(sweep, sweep_file):
    result = sweep(sweep_file({"eta": [0.1, 0.2]}), "--set", "eta=0.5")
    assert result.exit_code == 2
    assert "--set eta=0.5: eta: is in the grid, which decides; leave out one" in result.stderr


def test_losses_of_different_scales_cannot_be_chosen_among_by_loss(sweep, sweep_file):
    result = sweep(sweep_file({"loss": ["softmax", "sigmoid_bce"]}, select_by="validation_loss"))
    assert result.exit_code == 2
    assert "select_by: validation_loss cannot choose among losses of different scales" in result.stderr


def test_a_setting_of_which_a_seed_is_lost_is_not_selected(sweep, sweep_file, runs_dir):
    """Though the mean over the others may be the highest."""
    path = sweep_file({"eta": [0.001, 0.01]})
    sweep(path, "--seeds", 2)
    best = json.loads(sweep(path, "--seeds", 2, "--json").stdout)["rows"][0]
    folder = RunFolder(type(runs_dir)(best["folders"][0]))
    folder.write_record(folder.read_record().model_copy(update={"status": "diverged"}))
    rows = json.loads(sweep(path, "--seeds", 2, "--json").stdout)["rows"]
    assert rows[0]["settings"] != best["settings"]
    assert rows[0]["selected"]
    assert (rows[1]["status"], rows[1]["selected"]) == ("1 of 2 finished", False)


def test_interrupted_seeds_of_train_name_the_command_that_goes_on(run, small_config, runs_dir, monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("cifar_linear.sweep.sweeping.run_cells", interrupt)
        first = run("train", "--config", small_config, "--runs-dir", runs_dir, "--seeds", 2, "--no-figures")
    assert first.exit_code == 130
    (command,) = re.findall(r"To go on: cifar-linear (.+)", first.stderr)
    result = run(*command.split(), "--no-figures")
    assert result.exit_code == 0, result.stderr
    assert len(list(runs_dir.iterdir())) == 1
    assert len(re.findall(r"[\d.]+ ± [\d.]+ %", result.stdout)) == 2


def test_what_a_kill_leaves_of_a_writing_stands_in_nobodys_way(sweep, sweep_file, runs_dir):
    """Neither before the sweep's own file is there, nor in the folder of a run that had not begun."""
    (runs_dir / "grid").mkdir(parents=True)
    (runs_dir / "grid" / ".sweep.yaml.new").write_text("half")
    assert sweep(sweep_file({"eta": [0.1]})).exit_code == 0
    leftover = runs_dir / "grid" / "20260101T000000Z_eta-0.2"
    leftover.mkdir()
    for name in (".config.yaml.new", "config.yaml"):
        (leftover / name).write_text("half")
    assert sweep(sweep_file({"eta": [0.1, 0.2]})).exit_code == 0
    assert not leftover.exists()


def test_a_damaged_record_is_named_with_what_to_do(sweep, sweep_file, runs_dir):
    path = sweep_file({"eta": [0.1]})
    sweep(path)
    (folder,) = folders(runs_dir)
    (folder.path / "run.json").write_text("{")
    result = sweep(path)
    assert result.exit_code == 1
    assert f"delete {folder.path} to have its cell run again" in result.stderr


def test_a_sweep_given_to_train_is_told_what_it_is(run, sweep_file):
    result = run("train", "--config", sweep_file({"eta": [0.1]}))
    assert result.exit_code == 2
    assert "this is a sweep, not a single config; run it with cifar-linear sweep" in result.stderr


def test_a_folder_that_is_no_sweep_is_left_alone(run, sweep, sweep_file, small_config, runs_dir):
    run("train", "--config", small_config, "--runs-dir", runs_dir, "--no-figures")
    (other,) = runs_dir.iterdir()
    before = {path: path.read_bytes() for path in other.iterdir() if path.name != ".lock"}
    result = sweep(sweep_file({"eta": [0.1]}), "--name", other.name)
    assert result.exit_code == 1
    assert "not the folder of a sweep; use --name" in result.stderr
    assert {path: path.read_bytes() for path in other.iterdir() if path.name != ".lock"} == before


def test_two_processes_do_not_work_on_one_sweep(sweep, sweep_file, runs_dir):
    (runs_dir / "grid").mkdir(parents=True)
    with FileLock(runs_dir / "grid" / ".lock"):
        result = sweep(sweep_file({"eta": [0.1]}))
    assert result.exit_code == 1
    assert "another process is at work on this sweep" in result.stderr


def test_sweeps_do_not_show_among_runs_but_can_be_reported(run, sweep, sweep_file, small_config, runs_dir, tmp_path):
    run("train", "--config", small_config, "--runs-dir", runs_dir, "--no-figures")
    sweep(sweep_file({"eta": [0.001, 0.01], "lambda": [0, 0.1]}))
    listed = run("runs", "--runs-dir", runs_dir, "--json")
    assert len(json.loads(listed.stdout)) == 1
    assert listed.stderr == f"a sweep: list its runs with --runs-dir {runs_dir / 'grid'}\n"
    assert f"left out: {runs_dir / 'grid'}: a sweep" in run("report", "--runs-dir", runs_dir, "-o", tmp_path).stderr
    result = run("report", runs_dir / "grid", "-o", tmp_path / "page")
    assert result.exit_code == 0
    text = (tmp_path / "page" / "report.md").read_text()
    assert "# Sweep grid: 4 runs\n" in text
    assert "- selected by validation accuracy: " in text
    assert "](figures/grid.png)" in text


def test_missing_images_are_told_before_any_cell_is_begun(sweep, sweep_file, runs_dir, tmp_path):
    result = sweep(sweep_file({"eta": [0.1]}, BASE | {"data": {"dataset": "cifar10"}}), "--data-dir", tmp_path)
    assert result.exit_code == 3
    assert folders(runs_dir) == []


# Processes


def start(path, runs_dir, *arguments):
    words = ["-m", "cifar_linear", "sweep", "--config", path, "--runs-dir", runs_dir, "--no-figures", *arguments]
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}
    return subprocess.Popen(
        [sys.executable, *map(str, words)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    )


def test_workers_find_what_one_process_finds(sweep_file, tmp_path):
    path = sweep_file({"n_batch": [10, 20, 30], "eta": [0.001, 0.01]})
    outputs = []
    for workers in (1, 2):
        process = start(path, tmp_path / str(workers), "--workers", workers, "--json")
        stdout, stderr = process.communicate(timeout=60)
        assert process.returncode == 0, stderr
        outputs.append([{**row, "folders": None} for row in json.loads(stdout)["rows"]])
    assert outputs[0] == outputs[1]


GRID = {"n_batch": [10, 20], "eta": [0.001, 0.01, 1e6], "lambda": [0, 0.1]}
LONG = BASE | {"epochs": 80, "data": {"dataset": "synthetic", "images_per_batch": 200}, "augmentation": {"flip": 0.5}}


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
            assert f"interrupted by {number.name}" in stderr
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
    images = Images(None).of(cells[0].config)
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
    images = Images(None).of(cells[0].config)
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


def test_table_knows_what_is_missing(sweep_file, runs_dir):
    sweep = read_sweep(sweep_file({"eta": [0.1, 0.2]}))
    rows = table_of(sweep, SweepFolder(runs_dir / "grid").runs())
    assert [row.status for row in rows] == ["missing", "missing"]
    assert not any(row.selected for row in rows)
