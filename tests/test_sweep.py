import json
import re
from pathlib import Path

import numpy as np
import pytest
from folders import BASE, folders

from cifar_linear.config.sweeps import read_sweep
from cifar_linear.experiments.dataset_cache import DatasetCache
from cifar_linear.runs.folder import RunFolder
from cifar_linear.sweep.folder import SweepFolder
from cifar_linear.sweep.groups import groups_of
from cifar_linear.sweep.plan import estimate
from cifar_linear.sweep.table import table_of


def table(result):
    """Rows of the printed table without its head."""
    return [line for line in result.stdout.splitlines()[1:] if " finished" in line or " diverged" in line]


def test_groups_are_what_may_differ_in_lambda_eta_and_decay_alone(sweep_file):
    grid = {"lambda": [0, 1], "n_batch": [10, 20], "eta": [0.1, 0.2], "decay.kind": ["none", "cosine"]}
    cells = read_sweep(sweep_file(grid)).cells
    groups = groups_of(cells, DatasetCache(None))
    assert [{cell.config.n_batch for cell in group} for group in groups] == [{10}, {20}]
    assert [len(group) for group in groups] == [8, 8]
    assert {id(cell) for group in groups for cell in group} == {id(cell) for cell in cells}


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
    assert "1 cell failed" in first.stderr
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
    assert "4 cells, 0 of them already done\n" in result.stdout
    sweep(path)
    document = json.loads(sweep(path, "--plan", "--json").stdout)
    assert (document["cells_there"], document["groups"]) == (4, [])


def test_an_estimate_grows_with_the_epochs(sweep_file):
    cache = DatasetCache(None)
    (short,), (long,) = (
        groups_of(read_sweep(sweep_file({"epochs": [epochs]})).cells, cache) for epochs in (10, 10_000)
    )
    images = cache.of(short[0].config)
    assert 0 < estimate(short, images) < estimate(long, images)


def test_seeds_give_means_with_their_interval(sweep, sweep_file, runs_dir):
    result = sweep(sweep_file({"eta": [0.001, 0.01]}), "--seeds", 3, "--json")
    document = json.loads(result.stdout)
    selected, other = document["rows"]
    assert selected["selected"]
    assert not other["selected"]
    assert other["test_accuracy"] is None
    records = [RunFolder(path).read_record() for path in map(Path, selected["folders"])]
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


def test_a_damaged_record_is_named_with_what_to_do(sweep, sweep_file, runs_dir):
    path = sweep_file({"eta": [0.1]})
    sweep(path)
    (folder,) = folders(runs_dir)
    (folder.path / "run.json").write_text("{")
    result = sweep(path)
    assert result.exit_code == 1
    assert f"delete {folder.path} to have its cell run again" in result.stderr


def test_a_folder_that_is_no_sweep_is_left_alone(run, sweep, sweep_file, small_config, runs_dir):
    run("train", "--config", small_config, "--runs-dir", runs_dir, "--no-figures")
    (other,) = runs_dir.iterdir()
    before = {path: path.read_bytes() for path in other.iterdir() if path.name != ".lock"}
    result = sweep(sweep_file({"eta": [0.1]}), "--name", other.name)
    assert result.exit_code == 1
    assert "not the folder of a sweep; use --name" in result.stderr
    assert {path: path.read_bytes() for path in other.iterdir() if path.name != ".lock"} == before


def test_a_sweep_is_a_line_of_the_list_and_can_be_reported(run, sweep, sweep_file, small_config, runs_dir, tmp_path):
    """With how many of its cells have finished; those that its grid no longer has do not count."""
    run("train", "--config", small_config, "--runs-dir", runs_dir, "--no-figures")
    sweep(sweep_file({"eta": [0.001, 0.01], "lambda": [0, 0.1]}))
    listed = run("runs", "--runs-dir", runs_dir, "--json")
    assert listed.stderr == ""
    (of_sweep,) = [row for row in json.loads(listed.stdout) if row["kind"] == "sweep"]
    assert (of_sweep["name"], of_sweep["status"], of_sweep["loss"]) == ("grid", "4 of 4 finished", None)
    assert len(json.loads(listed.stdout)) == 2
    times = [folder.read_record().seconds for folder in folders(runs_dir)]
    assert of_sweep["seconds"] == pytest.approx(sum(times) / 4)  # All four share one pass.
    smaller = read_sweep(sweep_file({"eta": [0.001, 1], "lambda": [0]}))
    (runs_dir / "grid" / "sweep.yaml").write_text(smaller.text)
    assert "1 of 2 finished" in run("runs", "--runs-dir", runs_dir).stdout
    sweep(sweep_file({"eta": [0.001, 0.01], "lambda": [0, 0.1]}))
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


def test_table_knows_what_is_missing(sweep_file, runs_dir):
    sweep = read_sweep(sweep_file({"eta": [0.1, 0.2]}))
    rows = table_of(sweep, SweepFolder(runs_dir / "grid").runs())
    assert [row.status for row in rows] == ["missing", "missing"]
    assert not any(row.selected for row in rows)
