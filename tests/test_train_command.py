import json
import os
import re

import numpy as np
import pytest
from folders import only_run

from cifar_linear.config.reading import parse_config, read_config
from cifar_linear.experiments.loading import load_dataset
from cifar_linear.runs.provenance import fingerprint

COLUMNS = (
    "epoch,step,eta,train_loss,train_cost,train_accuracy,validation_loss,validation_cost,validation_accuracy,seconds"
)


def train(run, config, runs_dir, *arguments):
    return run("train", "--config", config, "--runs-dir", runs_dir, "--no-figures", *arguments)


def test_folder_holds_config_record_metrics_and_model(run, small_config, runs_dir):
    result = train(run, small_config, runs_dir)
    assert result.exit_code == 0, result.stderr
    folder = only_run(runs_dir)
    names = sorted(path.name for path in folder.path.iterdir())
    assert names == [
        ".lock",
        "calibration.json",
        "checkpoint.npz",
        "config.yaml",
        "metrics.csv",
        "model.npz",
        "predictions.npz",
        "run.json",
    ]
    assert parse_config(folder.read_config(), "") == read_config(small_config)
    assert (folder.path / "metrics.csv").read_text().splitlines()[0] == COLUMNS
    rows = folder.read_metrics()
    assert [(row["epoch"], row["step"], row["eta"]) for row in rows] == [(e, 3 * e, 0.003) for e in range(4)]
    record, last = folder.read_record(), rows[-1]
    assert (record.status, record.error, record.epoch, record.config.seed) == ("finished", None, 3, 7)
    for split in ("train", "validation"):
        expected = {name: last[f"{split}_{name}"] for name in ("loss", "cost", "accuracy")}
        assert record.metrics[split].model_dump() == expected


def test_figures_and_report_are_drawn_at_the_end(run, small_config, runs_dir):
    """The report of the folder made later is the same to the byte."""
    run("train", "--config", small_config, "--runs-dir", runs_dir)
    path = only_run(runs_dir).path
    first = {file.name: file.read_bytes() for file in [*path.glob("report.*"), *path.glob("figures/*")]}
    assert {"report.md", "report.html", "cost.png", "templates.png", "mistakes.png"} <= set(first)
    assert run("report", path).exit_code == 0
    assert first == {file.name: file.read_bytes() for file in [*path.glob("report.*"), *path.glob("figures/*")]}


def test_stored_model_gives_the_stored_test_accuracy(run, small_config, runs_dir):
    """With nothing but the folder and the images: standardise as the model says, one product, count."""
    train(run, small_config, runs_dir)
    folder = only_run(runs_dir)
    model, test = folder.read_model(), load_dataset(read_config(small_config)).test
    X = (test.images / 255 - model.mean) / model.std
    accuracy = np.mean((X @ model.W.T + model.b).argmax(axis=1) == test.labels)
    assert folder.read_record().metrics["test"].accuracy == pytest.approx(accuracy, abs=1e-12)
    assert model.class_names[0] == "disc"
    assert model.image_shape == (3, 32, 32)


def test_the_folders_own_config_gives_the_same_bits_again(run, small_config, tmp_path):
    train(run, small_config, tmp_path / "first")
    first = only_run(tmp_path / "first")
    train(run, first.path / "config.yaml", tmp_path / "second")
    second = only_run(tmp_path / "second")
    assert (first.path / "model.npz").read_bytes() == (second.path / "model.npz").read_bytes()
    assert first.read_record().metrics == second.read_record().metrics


def test_seed_changes_the_result(run, small_config, tmp_path):
    for seed in (1, 2):
        train(run, small_config, tmp_path / str(seed), "--set", f"seed={seed}")
    first, second = (only_run(tmp_path / seed).read_model() for seed in "12")
    assert (first.W != second.W).any()


def test_record_says_what_the_figures_depend_on(run, small_config, runs_dir):
    train(run, small_config, runs_dir)
    record = only_run(runs_dir).read_record()
    test = load_dataset(read_config(small_config)).test
    assert record.data.sha256["test"] == fingerprint(test)
    assert record.data.images == {"train": 60, "validation": 60, "test": 60}
    assert record.environment.versions["numpy"] == np.__version__
    assert record.environment.process == os.getpid()
    assert all(library.num_threads >= 1 for library in record.environment.blas)


def test_table_and_folder_go_to_stdout_and_progress_to_stderr(run, small_config, runs_dir):
    result = train(run, small_config, runs_dir)
    lines = result.stdout.splitlines()
    assert [line.split()[0] for line in lines[1:4]] == ["train", "validation", "test"]
    assert lines[-1] == f"run folder: {only_run(runs_dir).path}"
    assert "synthetic" in result.stdout
    assert re.findall(r"^epoch +(\d+)/3: training cost \d", result.stderr, re.MULTILINE) == list("0123")


def test_quiet_says_nothing_on_stderr(run, small_config, runs_dir):
    result = train(run, small_config, runs_dir, "--quiet")
    assert result.stderr == ""
    assert "run folder: " in result.stdout


def test_json_is_one_document(run, small_config, runs_dir):
    document = json.loads(train(run, small_config, runs_dir, "--json").stdout)
    folder = only_run(runs_dir)
    assert document == {"folder": str(folder.path), **folder.read_record().to_tree()}


def test_name_and_overrides_reach_the_folder(run, small_config, runs_dir):
    train(run, small_config, runs_dir, "--name", "mine", "--set", "eta=0.5", "--set", "epochs=1")
    folder = only_run(runs_dir)
    assert folder.path.name.endswith("_mine")
    assert parse_config(folder.read_config(), "").eta == 0.5


def test_float64_is_computed_and_stored_in_double_precision(run, small_config, runs_dir):
    train(run, small_config, runs_dir, "--float64")
    folder = only_run(runs_dir)
    assert folder.read_model().W.dtype == np.float64
    assert parse_config(folder.read_config(), "").dtype == "float64"


def test_divergence_exits_with_4_and_keeps_the_last_finite_weights(run, small_config, runs_dir):
    result = train(run, small_config, runs_dir, "--set", "eta=1e4", "--set", "lambda=1")
    assert result.exit_code == 4
    assert "error: training diverged at step 5 with eta 10000" in result.stderr
    assert "eta * lambda is 10000, above 1 the penalty alone makes W grow" in result.stderr
    folder = only_run(runs_dir)
    record, rows = folder.read_record(), folder.read_metrics()
    assert record.status == "diverged"
    assert "test" not in record.metrics
    assert len(rows) == 2
    assert np.isfinite([list(row.values()) for row in rows]).all()
    assert np.isfinite(folder.read_model().W).all()


def test_divergence_before_the_first_update_is_told_without_warnings(run, small_config, runs_dir):
    result = train(run, small_config, runs_dir, "--set", "init_std=1e3", "--set", "eta=1e6", "--set", "lambda=1e6")
    assert result.exit_code == 4
    assert result.stderr.splitlines()[-1].startswith("error: training diverged at step")


def test_config_problem_exits_with_2_before_any_data_is_read(run, small_config, tmp_path, runs_dir):
    changes = "--set", "data={dataset: cifar10}", "--set", "eta=-1"
    result = train(run, small_config, runs_dir, *changes, "--data-dir", tmp_path)
    assert result.exit_code == 2
    assert result.stderr == "error: --set eta=-1: eta: must be greater than 0, found -1\n"
    assert not runs_dir.exists()


def test_missing_data_exits_with_3_and_leaves_no_folder(run, small_config, tmp_path, runs_dir):
    result = train(run, small_config, runs_dir, "--set", "data={dataset: cifar10}", "--data-dir", tmp_path / "none")
    assert result.exit_code == 3
    there = tmp_path / "none"
    assert result.stderr == (
        f"error: {there}: does not exist\n"
        "  looked there for CIFAR-10: cifar-10-batches-py, cifar-10-batches-bin, cifar-10-batches-mat, or the files in "
        "them\n"
        "  to install it there:\n"
        f"    cifar-linear data download cifar10 --data-dir {there}\n"
        "  if it is elsewhere, name that folder with --data-dir or CIFAR_LINEAR_DATA\n"
        "  to train on generated images: --set data.dataset=synthetic\n"
    )
    assert not runs_dir.exists()


def test_config_may_name_the_data_folder(run, small_config, tmp_path, runs_dir):
    result = train(run, small_config, runs_dir, "--set", f"data={{dataset: cifar10, folder: {tmp_path}/there}}")
    assert f"{tmp_path}/there: does not exist" in result.stderr


def test_unwritable_runs_folder_exits_with_1_and_names_it(run, small_config, tmp_path):
    (tmp_path / "file").touch()
    result = train(run, small_config, tmp_path / "file")
    assert result.exit_code == 1
    assert result.stderr.startswith(f"error: {tmp_path / 'file'}: cannot create a run folder there: ")
    assert result.stderr.count("\n") == 1


def test_unexpected_error_is_a_line_and_with_debug_a_traceback(run, small_config, runs_dir, monkeypatch):
    """And the folder says that the run failed, and why."""

    def broken(*_):
        raise ZeroDivisionError("planted")

    monkeypatch.setattr("cifar_linear.training.evaluation.evaluate", broken)
    result = train(run, small_config, runs_dir)
    assert result.exit_code == 1
    assert result.stderr == "error: unexpected ZeroDivisionError: planted; --debug shows where\n"
    assert only_run(runs_dir).read_record().error == "ZeroDivisionError: planted"
    assert only_run(runs_dir).read_record().status == "failed"
    debugged = train(run, small_config, runs_dir, "--debug")
    assert debugged.exit_code == 1
    assert "Traceback" in debugged.stderr
    assert debugged.stderr.endswith("error: unexpected ZeroDivisionError: planted; --debug shows where\n")


def test_debug_does_not_change_the_exit_code(run, small_config, runs_dir):
    for changes, exit_code in (
        (["eta=-1"], 2),
        (["data={dataset: cifar10, folder: /nowhere}"], 3),
        (["eta=1e4", "lambda=1"], 4),
    ):
        options = [word for change in changes for word in ("--set", change)]
        result = train(run, small_config, runs_dir, "--debug", *options)
        assert (result.exit_code, "Traceback" in result.stderr) == (exit_code, True)


def test_full_disk_is_told_and_leaves_nothing_half(run, small_config, runs_dir):
    """What is larger than the record fails to be synced: the message names the file, the record says failed.

    On a larger disk the run goes on, from its beginning if nothing but its record was saved.
    """

    def fsync(handle):
        if os.fstat(handle).st_size > 5000:
            raise OSError(28, "No space left on device")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("cifar_linear.storage.atomic.os.fsync", fsync)
        result = train(run, small_config, runs_dir)
    folder = only_run(runs_dir)
    assert result.exit_code == 1
    assert result.stderr.endswith(
        f"error: {folder.path / 'checkpoint.npz'}: cannot be written: No space left on device\n"
    )
    assert folder.read_record().status == "failed"
    assert not list(folder.path.glob(".*.new"))
    assert run("train", "--resume", folder.path, "--no-figures").exit_code == 0
    assert folder.read_record().status == "finished"


def test_odd_config_names_give_run_names_that_are_file_names(run, small_config, runs_dir):
    odd = small_config.rename(small_config.with_name(".my config ü.yaml"))
    assert train(run, odd, runs_dir).exit_code == 0
    assert only_run(runs_dir).path.name.endswith("Z_my-config-")


def test_bad_name_is_refused_before_any_data_is_read(run, small_config, runs_dir):
    result = train(run, small_config, runs_dir, "--name", "a/b", "--set", "data={dataset: cifar10, folder: /nowhere}")
    assert result.exit_code == 2
    assert "run name 'a/b'" in result.stderr


def test_early_stopping_reports_the_best_weights_beside_the_last(run, small_config, runs_dir):
    options = ("--set", "epochs=200", "--set", "eta=0.1", "--set", "early_stopping={patience: 4}")
    result = train(run, small_config, runs_dir, *options)
    folder = only_run(runs_dir)
    record, rows = folder.read_record(), folder.read_metrics()
    best = min(rows, key=lambda row: row["validation_loss"])
    assert record.status == "finished"
    assert record.stopped_early
    assert (record.epoch, record.best.epoch) == (best["epoch"] + 4, best["epoch"])
    assert [row["waited"] for row in rows[-5:]] == [0, 1, 2, 3, 4]
    assert record.best.metrics["validation"].loss == best["validation_loss"]
    assert record.best.metrics["test"].loss != record.metrics["test"].loss
    assert "stopped early: 4 evaluations without a new minimum\n" in result.stdout
    assert f"best weights, after epoch {record.best.epoch}:\n" in result.stdout
    for options, figures in (((), record.metrics), (("--best",), record.best.metrics)):
        again = run("evaluate", folder.path, "--json", *options)
        assert json.loads(again.stdout)["metrics"] == figures["test"].model_dump()


def test_best_weights_are_asked_of_a_run_without_them(run, small_config, runs_dir):
    train(run, small_config, runs_dir)
    result = run("evaluate", only_run(runs_dir).path, "--best")
    assert result.exit_code == 1
    assert "no best_model.npz: runs without early_stopping have none; leave out --best" in result.stderr


def test_a_mean_that_begins_after_the_last_epoch_is_refused(run, small_config, runs_dir):
    result = train(run, small_config, runs_dir, "--set", "averaging={from_epoch: 4}")
    assert result.exit_code == 2
    assert "averaging: from_epoch is 4, after the last of 3" in result.stderr
