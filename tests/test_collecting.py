import shutil
from types import SimpleNamespace

import numpy as np
import pytest

from cifar_linear.report.collecting import Run, collect
from cifar_linear.report.settings import differences, factors, grouped, in_order, labelled
from cifar_linear.runs.folder import RunFolder


def test_labels_are_what_sets_runs_apart_or_their_folders(four_runs):
    runs = collect([four_runs]).runs
    assert differences(runs) == ["lambda", "eta"]
    settings = ((0, 0.003), (0.3, 0.003), (1, 0.003), (0, 0.05))
    assert list(labelled(runs)) == [f"lambda {lam}, eta {eta}" for lam, eta in settings]
    assert list(labelled(runs[:1])) == ["run-0"]


def test_runs_of_one_name_are_all_reported_and_one_run_named_twice_is_reported_once(own_runs, tmp_path):
    path = sorted(own_runs.iterdir())[0]
    twin = shutil.copytree(path, tmp_path / "elsewhere" / path.name)
    runs = collect([path, twin, path.parent / "." / path.name]).runs
    assert len(runs) == 2
    assert list(labelled(runs)) == ["run 1", "run 2"]


def test_settings_that_differ_a_little_do_not_read_alike(own_runs):
    first, second = (RunFolder(path) for path in sorted(own_runs.iterdir())[:2])
    record = first.read_record()
    second.write_record(record.model_copy(update={"config": record.config.model_copy(update={"eta": 0.0030000001})}))
    runs = [Run.read(folder.path) for folder in (first, second)]
    assert list(labelled(runs)) == ["eta 0.003", "eta 0.0030000001"]


def test_figures_of_a_run_follow_from_its_files(four_runs):
    run = Run.read(sorted(four_runs.iterdir())[0])
    losses = [row["validation_loss"] for row in run.rows]
    assert losses[int(run.lowest_loss["epoch"])] == min(losses)
    metrics = run.record.metrics
    assert run.gap == metrics["train"].accuracy - metrics["validation"].accuracy
    assert run.outcome("test") == metrics["test"].accuracy
    assert run.weight_norm == pytest.approx(np.sqrt(np.sum(run.model.W.astype(float) ** 2)))


def test_parts_of_a_setting_stand_for_themselves_unless_they_belong_together():
    """A shift is a number; a decay is all that is said of it; what a run lacks is none."""
    settings = (
        {"augmentation.shift": "0", "decay.kind": "none"},
        {"augmentation.shift": "10", "decay.kind": "step", "decay.every": "5"},
        {"augmentation.shift": "2", "decay.kind": "cosine", "averaging.from_epoch": "3"},
    )
    found = factors([SimpleNamespace(settings=of_run) for of_run in settings])
    assert [of_run["augmentation.shift"] for of_run in found] == ["0", "10", "2"]
    assert [of_run["decay"] for of_run in found] == ["none", "step, every 5", "cosine"]
    assert [of_run["averaging"] for of_run in found] == ["none", "none", "from_epoch 3"]
    assert in_order(["10", "none", "2", "0"]) == ["none", "0", "2", "10"]
    assert in_order(["step, every 5", "cosine", "none"]) == ["none", "cosine", "step, every 5"]


def test_a_data_set_is_named_without_the_word():
    found = factors([SimpleNamespace(settings={"data.dataset": name}) for name in ("cifar10", "mnist")])
    assert found == [{"data": "cifar10"}, {"data": "mnist"}]


def test_runs_are_grouped_by_what_they_differ_in_but_for_what_is_free():
    runs = [SimpleNamespace(settings={"loss": loss, "eta": "1", "seed": seed}) for loss in "ab" for seed in "12"]
    assert grouped(runs, ("seed",)) == {(("loss", "a"),): runs[:2], (("loss", "b"),): runs[2:]}
