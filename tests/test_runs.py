import os
import re
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from cifar_linear.errors import ConfigError, RunError
from cifar_linear.runs import Model, RunFolder


@pytest.fixture
def folder(tmp_path):
    return RunFolder.create(tmp_path / "runs", "name")


@pytest.fixture
def model():
    rng = np.random.default_rng(0)
    W, b = rng.normal(size=(3, 12)).astype(np.float32), rng.normal(size=3).astype(np.float32)
    return Model(W, b, rng.random(12), rng.random(12), ("a", "b", "ü"), (3, 2, 2))


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
    for part, expected in zip(back[:4], model[:4], strict=True):
        np.testing.assert_array_equal(part, expected)
        assert part.dtype == expected.dtype
    assert back[4:] == model[4:]


def test_the_same_model_gives_the_same_bytes(folder, tmp_path, model):
    other = RunFolder.create(tmp_path, "other")
    folder.write_model(model)
    other.write_model(model)
    assert (folder.path / "model.npz").read_bytes() == (other.path / "model.npz").read_bytes()


def test_metrics_survive_the_round_trip_to_the_bit(folder):
    rows = [{"epoch": 0, "eta": 0.1, "train_loss": 1 / 3}, {"epoch": 1, "eta": 1e-300, "train_loss": 2.5}]
    folder.write_metrics(rows)
    assert folder.read_metrics() == rows
    assert (folder.path / "metrics.csv").read_text().splitlines()[0] == "epoch,eta,train_loss"


def test_record_survives_the_round_trip_and_never_holds_nan(folder):
    folder.write_record({"status": "finished", "seconds": 1.25})
    assert folder.read_record() == {"status": "finished", "seconds": 1.25}
    with pytest.raises(ValueError, match="not JSON compliant"):
        folder.write_record({"loss": float("nan")})


@pytest.mark.parametrize(
    ("name", "content", "read"),
    [
        ("run.json", b"{", RunFolder.read_record),
        ("run.json", b"[]", RunFolder.read_record),
        ("metrics.csv", b"a,b\n1,x\n", RunFolder.read_metrics),
        ("metrics.csv", b"a\n1,2\n", RunFolder.read_metrics),
        ("model.npz", b"PK", RunFolder.read_model),
    ],
)
def test_damaged_file_is_named(folder, name, content, read):
    (folder.path / name).write_bytes(content)
    with pytest.raises(RunError, match=f"{folder.path / name}: "):
        read(folder)


def test_missing_file_is_named(folder):
    with pytest.raises(RunError, match=f"{folder.path / 'run.json'}: cannot be read: No such file"):
        folder.read_record()


def test_model_with_pickled_content_is_refused(folder, model):
    parts = model._asdict() | {"W": np.array([{}], object)}
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
