import json
import os
import re
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from pydantic import ValidationError

from cifar_linear.errors import ConfigError, RunError
from cifar_linear.runs.artifacts import Predictions, StoredModel
from cifar_linear.runs.folder import RunFolder
from cifar_linear.runs.provenance import data_record, environment_record
from cifar_linear.runs.record import Record, SplitMetrics
from cifar_linear.runs.tables import COLUMNS

HEAD = ",".join(COLUMNS).encode() + b"\n"


@pytest.fixture
def folder(tmp_path):
    return RunFolder.create(tmp_path / "runs", "name")


@pytest.fixture
def model():
    rng = np.random.default_rng(0)
    W, b = rng.normal(size=(3, 12)).astype(np.float32), rng.normal(size=3).astype(np.float32)
    return StoredModel({"W": W, "b": b}, rng.random(12), rng.random(12), ("a", "b", "ü"), (3, 2, 2))


def test_folder_is_named_by_time_in_utc_and_name(folder):
    assert re.fullmatch(r"\d{8}T\d{6}Z_name", folder.path.name)


def test_two_hundred_starts_at_once_get_two_hundred_folders(tmp_path):
    with ThreadPoolExecutor(20) as pool:
        folders = list(pool.map(lambda _: RunFolder.create(tmp_path, "same"), range(200)))
    assert len({folder.path for folder in folders}) == 200
    assert len(list(tmp_path.iterdir())) == 200


@pytest.mark.parametrize("name", ["", "../up", "a/b", ".hidden", "a b", "x" * 101, "a\n"])
def test_name_that_is_no_file_name_is_refused(tmp_path, name):
    with pytest.raises(ConfigError, match="choose one with --name"):
        RunFolder.create(tmp_path, name)
    assert not list(tmp_path.iterdir())


def test_runs_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(RunError, match=rf"{tmp_path}/file.*choose another with --runs-dir"):
        RunFolder.create(tmp_path / "file" / "runs", "name")


def test_model_survives_the_round_trip_to_the_bit(folder, model):
    folder.write_model(model)
    back = folder.read_model()
    np.testing.assert_equal(back.arrays(), model.arrays())
    assert {name: array.dtype for name, array in back.parameters.items()} == {"W": np.float32, "b": np.float32}
    assert back[3:] == model[3:]


def test_a_model_may_ignore_dimensions_without_variation(folder, model):
    """As the black margins of digits; their std is 0."""
    std = model.std.copy()
    std[:5] = 0
    folder.write_model(model._replace(std=std))
    np.testing.assert_array_equal(folder.read_model().std, std)


def test_the_same_model_gives_the_same_bytes(folder, tmp_path, model):
    other = RunFolder.create(tmp_path, "other")
    folder.write_model(model)
    other.write_model(model)
    assert (folder.path / "model.npz").read_bytes() == (other.path / "model.npz").read_bytes()


def row(epoch, **figures):
    return dict.fromkeys(COLUMNS, 0.5) | {"epoch": epoch, "step": 20 * epoch} | figures


def test_metrics_survive_the_round_trip_to_the_bit(folder):
    rows = [row(0, eta=0.1, train_loss=1 / 3), row(1, eta=1e-300, train_loss=2.5, momentum=0.9)]
    folder.write_metrics([rows[0] | {"momentum": 0.5}, rows[1]])
    assert folder.read_metrics() == [rows[0] | {"momentum": 0.5}, rows[1]]
    assert (folder.path / "metrics.csv").read_text().splitlines()[0] == ",".join([*COLUMNS, "momentum"])


def test_unknown_figure_of_a_later_column_is_empty(folder):
    folder.write_metrics([row(0, momentum=None)])
    assert folder.read_metrics() == [row(0)]


@pytest.fixture
def record(make_config, dataset):
    return Record(
        status="finished",
        created="2026-01-01T00:00:00+00:00",
        seconds=1.25,
        epoch=3,
        step=9,
        metrics={"test": SplitMetrics(loss=1 / 3, cost=0.5, accuracy=0.9)},
        error=None,
        config=make_config(),
        data=data_record(dataset, "synthetic"),
        environment=environment_record(),
    )


def test_record_survives_the_round_trip(folder, record):
    folder.write_record(record)
    assert folder.read_record() == record


def test_record_never_holds_nan():
    with pytest.raises(ValidationError, match="finite"):
        SplitMetrics(loss=float("nan"), cost=0, accuracy=0)


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        (["status"], "great", "damaged: status"),
        (["metrics"], None, "damaged: metrics"),
        (["metrics", "test", "accuracy"], "high", "damaged: metrics.test.accuracy"),
        (["metrics", "test", "accuracy"], 1e308, "damaged: metrics.test.accuracy"),
        (["config"], {}, "damaged: config"),
        (["config", "lambda"], None, "damaged: config.lambda"),
        (["data", "images"], [], "damaged: data.images"),
        (["environment"], "here", "damaged: environment"),
        (["seconds"], "long", "damaged: seconds"),
        (["format"], 99, "written by another version (format 99, this one reads 1 and 2)"),
        (["format"], None, "written by another version"),
    ],
)
def test_damaged_record_is_refused_with_the_key(folder, record, path, value, said):
    tree = record.to_tree()
    branch = tree
    for key in path[:-1]:
        branch = branch[key]
    branch[path[-1]] = value
    (folder.path / "run.json").write_text(json.dumps(tree))
    with pytest.raises(RunError, match=re.escape(said)):
        folder.read_record()


def test_config_key_of_a_later_version_is_named(folder, record):
    """Such a record is not damaged; what it says cannot be relied on all the same."""
    tree = record.to_tree()
    tree["config"]["dropout"] = 0.9
    tree["config"]["data"]["weights"] = "none"
    (folder.path / "run.json").write_text(json.dumps(tree))
    with pytest.raises(RunError) as caught:
        folder.read_record()
    said = "written by a later version: config has the unknown keys data.weights, dropout"
    assert str(caught.value) == f"{folder.path / 'run.json'}: {said}"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"W": np.zeros((3, 11))}, "do not fit 3 classes of images"),
        ({"W": np.full((3, 12), np.nan)}, "must be finite"),
        ({"b": np.zeros(3, complex)}, "must be finite numbers"),
        ({"class_names": np.array(["a", "b"])}, "do not fit 2 classes"),
        ({"class_names": np.arange(3)}, "class names must be text"),
        ({"image_shape": np.array(11)}, "do not fit 3 classes"),
        ({"mean": np.array("x")}, "must be finite numbers"),
        ({"std": np.zeros(12)}, "std is 0 in every dimension"),
        ({"std": np.linspace(-1, 1, 12)}, "std is negative"),
    ],
)
def test_model_that_does_not_fit_together_is_refused(folder, model, change, said):
    arrays = {name: np.asarray(part) for name, part in model.arrays().items()} | change
    np.savez(folder.path / "model.npz", **arrays)
    with pytest.raises(RunError, match=said):
        folder.read_model()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"probabilities": np.full((4, 2), 0.5)}, "do not fit 4 images of 3 classes"),
        ({"probabilities": np.full((4, 3), np.nan)}, "0 to 1"),
        ({"labels": np.array([0, 1, 2, 3])}, "integers from 0 to 2"),
        ({"predicted": np.array([0, 1, 2, 3])}, "integers from 0 to 2"),
        ({"predicted": np.zeros(5, int)}, "do not fit 4 images"),
        ({"labels": np.array([0.0, 1, 2, 2])}, "integers from 0 to 2"),
        ({"mistakes": np.array([-1])}, "integers from 0 to 3"),
        ({"mistake_images": np.zeros((1, 12))}, "must be uint8"),
    ],
)
def test_predictions_that_do_not_fit_the_model_are_refused(folder, model, change, said):
    labels, mistakes = np.array([0, 1, 2, 2]), np.array([2])
    good = Predictions(np.full((4, 3), 0.3), np.zeros(4, int), labels, mistakes, np.zeros((1, 12), np.uint8))
    folder.write_predictions(good)
    np.testing.assert_array_equal(folder.read_predictions(model).labels, good.labels)
    folder.write_predictions(good._replace(**change))
    with pytest.raises(RunError, match=said):
        folder.read_predictions(model)


@pytest.mark.parametrize(
    ("name", "content", "read"),
    [
        ("run.json", b"{", RunFolder.read_record),
        ("run.json", b"[]", RunFolder.read_record),
        ("run.json", b"[" * 100_000, RunFolder.read_record),
        ("run.json", b'{"format": 1}', RunFolder.read_record),
        ("metrics.csv", b"epoch,step\n1,2\n", RunFolder.read_metrics),
        ("metrics.csv", HEAD + b"1," * 9 + b"x\n", RunFolder.read_metrics),
        ("metrics.csv", HEAD + b"1," * 9 + b"nan\n", RunFolder.read_metrics),
        ("metrics.csv", HEAD + b"1," * 10 + b"2\n", RunFolder.read_metrics),
        ("metrics.csv", HEAD + b"1,2\n", RunFolder.read_metrics),
        ("metrics.csv", HEAD + b"\xff\xfe\n", RunFolder.read_metrics),
        ("metrics.csv", HEAD + b"1" * 200_000, RunFolder.read_metrics),
        ("model.npz", b"PK", RunFolder.read_model),
    ],
)
def test_damaged_file_is_named(folder, name, content, read):
    (folder.path / name).write_bytes(content)
    with pytest.raises(RunError, match=f"{folder.path / name}: "):
        read(folder)


@pytest.mark.parametrize("content", ["", "step,loss\n1,0.5\n", "step,train_loss\n2,0.5\n", "step,train_loss\n1,half\n"])
def test_damaged_steps_are_told(tmp_path, content):
    (tmp_path / "steps.csv").write_text(content)
    with pytest.raises(RunError, match=r"steps\.csv: damaged"):
        RunFolder(tmp_path).read_steps()
    RunFolder(tmp_path).write_steps([0.5, 0.25])
    assert RunFolder(tmp_path).read_steps() == [0.5, 0.25]


def test_missing_file_is_named(folder):
    with pytest.raises(RunError, match=f"{folder.path}: not a run folder: there is no run.json"):
        folder.read_record()
    with pytest.raises(RunError, match=f"{folder.path / 'model.npz'}: missing; copy it back"):
        folder.read_model()


def test_model_with_pickled_content_is_refused(folder, model):
    parts = model.arrays() | {"W": np.array([{}], object)}
    np.savez(folder.path / "model.npz", **{name: np.asarray(part) for name, part in parts.items()})
    with pytest.raises(RunError, match="not a file of this program"):
        folder.read_model()


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_failed_write_leaves_the_old_file_and_names_path_and_cause(folder, monkeypatch, step):
    """A full disk shows when data is synced; a rename may fail too."""
    folder.write_config("old")

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(*((os, "fsync") if step == "fsync" else ("pathlib.Path.replace",)), full)
    with pytest.raises(RunError, match=rf"{folder.path}/config.yaml: cannot be written: No space left"):
        folder.write_config("new")
    assert folder.read_config() == b"old"
