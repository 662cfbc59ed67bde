"""Features from a user's files, from the files to run folders, and everything that can be wrong with them."""

import json
import pickle
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml
from feature_files import CLASSES, FEATURES, data, features, files, write
from folders import only_run, same, stopped_after
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cifar_linear import load_run
from cifar_linear.config.models import Config
from cifar_linear.config.reading import parse_config
from cifar_linear.data import inspection, rows
from cifar_linear.data.array_files import Stored, open_array
from cifar_linear.data.features import Files, open_split
from cifar_linear.data.label_files import read_labels
from cifar_linear.errors import ConfigError, DataError
from cifar_linear.experiments.loading import load_dataset, make_standardization
from cifar_linear.experiments.resume import resume_run, resumed_config
from cifar_linear.experiments.run import run_group
from cifar_linear.exports.safetensors import safetensors
from cifar_linear.runs.folder import RunFolder
from cifar_linear.runs.provenance import fingerprint


@pytest.fixture
def folder(tmp_path):
    return write(tmp_path)


def config(folder, *, epochs=3, data_changes=None, **changes):
    tree = {"lambda": 0.001, "eta": 0.1, "n_batch": 30, "epochs": epochs} | changes
    return Config.model_validate({"data": data(folder, **data_changes or {}), **tree}, by_name=False)


def loaded(folder, **changes):
    return load_dataset(config(folder, data_changes=changes))


# --- what is read ---


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.uint8])
def test_rows_are_those_of_the_file_in_its_dtype(tmp_path, dtype):
    X = np.random.default_rng(0).integers(0, 200, (50, 7)).astype(dtype)
    np.save(tmp_path / "train.npy", X)
    np.save(tmp_path / "train_labels.npy", np.arange(50) % 3)
    dataset = loaded(tmp_path, validation={"size": 10}, test=None)
    assert dataset.train.images.dtype == dtype
    both = np.concatenate([np.asarray(dataset.train.images), np.asarray(dataset.validation.images)])
    assert sorted(both.tolist()) == sorted(X.tolist())
    assert dataset.image_shape == (7,)


def in_npy(folder, X, y):
    np.save(folder / "a.npy", X)
    np.save(folder / "l.npy", y)
    return {"features": "a.npy", "labels": "l.npy"}


def in_npz(folder, X, y):
    np.savez_compressed(folder / "a.npz", features=X, labels=y, other=y)
    return {"features": "a.npz"}


def in_npz_with_keys(folder, X, y):
    np.savez(folder / "a.npz", X=X, y=y)
    return {"features": "a.npz", "features_key": "X", "labels_key": "y"}


def in_safetensors(folder, X, y):
    """Written by this program, whose files another test reads with the library."""
    (folder / "a.safetensors").write_bytes(safetensors({"features": X, "others": X + 1}, {"made": "by hand"}))
    (folder / "l.txt").write_text("\n".join(map(str, y)))
    return {"features": "a.safetensors", "labels": "l.txt"}


def in_safetensors_of_the_library(folder, X, y):
    save_file = pytest.importorskip("safetensors.numpy").save_file
    save_file({"features": X, "labels": y}, folder / "a.safetensors")
    return {"features": "a.safetensors"}


def by_columns(folder, X, y):
    return in_npy(folder, np.asfortranarray(X), y)


def in_csv(folder, X, y):
    np.save(folder / "a.npy", X)
    (folder / "l.csv").write_text("image,kind\n" + "".join(f"{i}.png,{label}\n" for i, label in enumerate(y)))
    return {"features": "a.npy", "labels": "l.csv", "labels_key": "kind"}


def in_a_single_column(folder, X, y):
    np.save(folder / "a.npy", X)
    (folder / "l.csv").write_text("label\n" + "".join(f"{label}\n" for label in y))
    return {"features": "a.npy", "labels": "l.csv"}


@pytest.mark.parametrize(
    "written",
    [
        in_npy,
        in_npz,
        in_npz_with_keys,
        in_safetensors,
        in_safetensors_of_the_library,
        by_columns,
        in_csv,
        in_a_single_column,
    ],
)
def test_all_formats_give_the_same_examples(tmp_path, written):
    X, y = features(40)
    train = written(tmp_path, X, y)
    dataset = loaded(tmp_path, train=train, validation={"size": 10}, test=None)
    (tmp_path / "plain").mkdir()
    expected = loaded(tmp_path / "plain", train=in_npy(tmp_path / "plain", X, y), validation={"size": 10}, test=None)
    for split, images in dataset.splits.items():
        assert (np.asarray(images.images) == np.asarray(expected.splits[split].images)).all()
        assert (images.labels == expected.splits[split].labels).all()
        assert fingerprint(images) == fingerprint(expected.splits[split])


def test_names_are_classes_in_alphabetical_order(folder):
    names = np.array(["wolf", "ant", "bee", "cat"])
    for name in ("train", "validation", "test"):
        labels = np.load(folder / f"{name}_labels.npy")
        (folder / f"{name}.txt").write_text("\n".join(names[labels]))
    splits = {name: {"features": f"{name}.npy", "labels": f"{name}.txt"} for name in ("train", "validation", "test")}
    dataset = loaded(folder, **splits)
    assert dataset.class_names == ("ant", "bee", "cat", "wolf")
    assert [dataset.class_names[k] for k in dataset.test.labels] == list(names[np.load(folder / "test_labels.npy")])


@pytest.mark.parametrize("names", [["a", "b", "c", "d", "never seen"], "names.txt"])
def test_classes_may_be_named_and_have_no_row(folder, names):
    (folder / "names.txt").write_text("a\nb\nc\nd\nnever seen\n")
    assert loaded(folder, class_names=names).class_names == ("a", "b", "c", "d", "never seen")


@pytest.mark.parametrize(("shape", "transposed"), [((3, 4, 2), False), ((4, 2, 3), True)])
def test_images_are_channel_major_whatever_comes_last_in_the_file(tmp_path, shape, transposed):
    X = np.random.default_rng(0).integers(0, 256, (60, *shape), dtype=np.uint8)
    dataset = loaded(tmp_path, train=in_npy(tmp_path, X, np.arange(60) % 2), validation={"size": 4}, test=None)
    rows_of = (X.transpose(0, 3, 1, 2) if transposed else X).reshape(60, -1)
    assert dataset.image_shape == (3, 4, 2)
    assert {tuple(row) for row in np.asarray(dataset.train.images)} <= {tuple(row) for row in rows_of}


def test_only_the_first_rows_are_used_with_a_limit(folder):
    dataset = loaded(folder, limit=50)
    assert [len(split) for split in dataset.splits.values()] == [50, 50, 50]
    assert (np.asarray(dataset.train.images) == np.load(folder / "train.npy")[:50]).all()


def test_the_data_dir_of_the_command_comes_before_the_folder_of_the_config(folder, tmp_path):
    elsewhere = config(tmp_path / "nowhere")
    assert len(load_dataset(elsewhere, folder).train) == 200
    with pytest.raises(DataError, match=r"nowhere/train\.npy: cannot be read: No such file"):
        load_dataset(elsewhere)


def test_features_are_mapped_and_not_read(folder):
    """Held-out rows are chosen as well, not copied."""
    stored = open_array(folder / "train.npy")
    assert stored.map is not None
    assert not stored.array.flags.owndata
    train = loaded(folder, validation={"size": 20}).train.images
    assert isinstance(train, rows.Rows)
    assert train._stored.map is not None


# --- rows ---


def test_rows_are_chosen_as_those_of_an_array():
    array = np.random.default_rng(0).normal(size=(30, 4))
    lazy = rows.Rows(Stored(Path("x"), None, array), "")
    mask = np.arange(30) % 3 == 1
    indices = np.array([7, 2, 2, 29])
    for chosen, expected in (
        (lazy[5:20], array[5:20]),
        (lazy[:100], array[:100]),
        (lazy[mask], array[mask]),
        (lazy[indices], array[indices]),
        (lazy[::2], array[::2]),
        (lazy[mask][2:5], array[mask][2:5]),
        (lazy[5:20][indices[:3]], array[5:20][indices[:3]]),
        (lazy[4], array[4]),
    ):
        assert (np.asarray(chosen) == expected).all()
        assert chosen.shape == expected.shape
    assert (np.take(lazy[5:20], [3, 1], axis=0) == array[[8, 6]]).all()
    assert (np.take(lazy[mask], [3, 1], axis=0) == array[mask][[3, 1]]).all()
    out = np.empty((2, 4))
    np.take(lazy, [3, 1], axis=0, out=out, mode="clip")
    assert (out == array[[3, 1]]).all()


def test_rows_of_unit_length_have_it_however_they_are_read():
    array = np.random.default_rng(0).normal(size=(30, 4)).astype(np.float16)
    array[3] = 0
    lazy = rows.Rows(Stored(Path("x"), None, array), "", unit_length=True)
    read, taken = np.asarray(lazy), np.empty((30, 4), np.float32)
    np.take(lazy, np.arange(30), axis=0, out=taken, mode="clip")
    norms = np.linalg.norm(read.astype(np.float64), axis=1)
    np.testing.assert_allclose(np.delete(norms, 3), 1, rtol=1e-6)
    assert (read[3] == 0).all()
    assert (read == taken).all()
    assert lazy.dtype == read.dtype == np.float32


def test_the_fingerprint_is_that_of_the_rows_and_labels_that_are_used(folder):
    splits = loaded(folder, validation={"size": 50}).splits
    again = loaded(folder, validation={"size": 50}).splits
    other = loaded(folder, validation={"size": 51}).splits
    assert [fingerprint(split) for split in splits.values()] == [fingerprint(split) for split in again.values()]
    assert fingerprint(splits["train"]) != fingerprint(other["train"])
    X, y = np.load(folder / "test.npy"), np.load(folder / "test_labels.npy")
    X[-1, -1] += 1
    np.save(folder / "test.npy", X)
    changed = loaded(folder).splits["test"]
    assert fingerprint(changed) != fingerprint(splits["test"])
    y[0] = (y[0] + 1) % CLASSES
    np.save(folder / "test_labels.npy", y)
    assert fingerprint(loaded(folder).splits["test"]) != fingerprint(changed)


# --- what is remembered ---


@pytest.fixture
def passes(monkeypatch):
    """The files that are looked through."""
    seen, pass_through = [], inspection._pass_through
    monkeypatch.setattr(
        inspection, "_pass_through", lambda stored: seen.append(stored.path.name) or pass_through(stored)
    )
    monkeypatch.setattr(inspection, "_TOO_NEW", 0)
    return seen


def test_a_file_is_looked_through_once(folder, passes):
    loaded(folder)
    loaded(folder)
    assert sorted(passes) == ["test.npy", "train.npy", "validation.npy"]


def test_a_file_of_another_time_or_size_is_looked_through_again(folder, passes):
    before = fingerprint(loaded(folder).train)
    X, _ = features(200, 9)
    np.save(folder / "train.npy", X)
    assert fingerprint(loaded(folder).train) != before
    assert passes.count("train.npy") == 2


def test_a_file_that_was_just_written_is_not_remembered(folder, passes, monkeypatch):
    """Another change in the same tick of the clock would leave size and time as they are."""
    monkeypatch.setattr(inspection, "_TOO_NEW", 1000)
    loaded(folder)
    loaded(folder)
    assert passes.count("train.npy") == 2


@pytest.mark.parametrize("content", ["", "[]", "{", '{"a": 1}', '{"a": {"state": [1, 2], "facts": {"x": 1}}}'])
def test_a_damaged_memory_is_forgotten(folder, passes, tmp_path, content):
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "inspected.json").write_text(content)
    loaded(folder)
    loaded(folder)
    assert passes.count("train.npy") == 1


# --- normalisation ---


def test_each_normalisation_does_what_it_says(folder):
    X = np.load(folder / "train.npy").astype(np.float64)
    expected = {
        "standardize": (X - X.mean(axis=0)) / X.std(axis=0, ddof=1),
        "center": X - X.mean(axis=0),
        "l2": X / np.linalg.norm(X, axis=1, keepdims=True),
        "none": X,
    }
    for normalize, wanted in expected.items():
        training = loaded(folder, normalize=normalize).train
        seen = make_standardization(config(folder, data_changes={"normalize": normalize}), training)
        np.testing.assert_allclose(seen.apply(np.asarray(training.images)), wanted, rtol=1e-5, atol=1e-5)


# --- runs ---


def trained(config, folder, watch=lambda _: None):
    run = RunFolder.create(folder / "runs", "run")
    run_group([config], [run], load_dataset(config), watch)
    return run


@pytest.mark.parametrize("normalize", ["standardize", "center", "l2", "none"])
def test_a_run_learns_and_is_verified_and_evaluated(folder, run, normalize):
    rate = {"standardize": 0.1, "center": 3, "l2": 0.3, "none": 0.01}[normalize]
    made = trained(config(folder, eta=rate, epochs=20, data_changes={"normalize": normalize}), folder)
    # The others keep a mean that is 500 times the steps between classes.
    assert made.read_record().metrics["test"].accuracy > (0.9 if normalize in ("standardize", "center") else 0)
    for command in (["verify"], ["evaluate", "--split", "test"], ["evaluate", "--split", "validation"]):
        result = run(command[0], made.path, *command[1:])
        assert result.exit_code == 0, result.output


def test_a_resumed_run_is_that_of_one_that_was_never_stopped(folder):
    whole = trained(config(folder, data_changes={"validation": {"size": 40}}), folder)
    with pytest.raises(KeyboardInterrupt):
        trained(config(folder, data_changes={"validation": {"size": 40}}), folder, stopped_after(2))
    broken = next(RunFolder(path) for path in (folder / "runs").iterdir() if path != whole.path)
    resumed = resumed_config(broken, [])
    resume_run(broken, resumed, load_dataset(resumed), lambda _: None, lambda: None)
    same(whole, broken)


def test_other_features_are_told_from_those_of_the_run(folder, run):
    made = trained(config(folder), folder)
    X, _ = features(200, 5)
    np.save(folder / "train.npy", X)
    result = run("verify", made.path)
    assert result.exit_code == 5
    assert "was trained with other train images than these" in result.stderr


def test_a_classifier_of_rows_of_unit_length_makes_those_it_is_asked_about_so(folder):
    made = trained(config(folder, data_changes={"normalize": "l2"}), folder)
    X = np.load(folder / "test.npy")
    assert (load_run(made.path).predict(1000 * X).predicted == load_run(made.path).predictions.predicted).all()


def write_config(folder, **changes):
    path = folder / "own.yaml"
    tree = config(folder, **changes).to_tree()
    path.write_text(yaml.safe_dump(tree))
    return path


def test_the_report_of_features_has_no_templates_and_no_pictures(folder, run):
    result = run("train", write_config(folder), "--runs-dir", folder / "runs")
    assert result.exit_code == 0, result.output
    figures = {path.stem for path in only_run(folder / "runs").path.rglob("*.png")}
    assert "cost" in figures
    assert not figures & {"templates", "templates-common-scale", "mistakes"}


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_the_report_of_images_has_templates_and_mistakes(tmp_path, run, dtype):
    rng = np.random.default_rng(0)
    X = rng.integers(0, 256, (80, 3, 6, 4)).astype(dtype)
    train, test = in_npy(tmp_path, X, np.arange(80) % 2), {"features": "t.npy", "labels": "l.npy"}
    np.save(tmp_path / "t.npy", X[::-1])
    path = write_config(tmp_path, data_changes={"train": train, "validation": {"size": 20}, "test": test}, eta=1e-3)
    assert run("train", path, "--runs-dir", tmp_path / "runs").exit_code == 0
    figures = {path.stem for path in only_run(tmp_path / "runs").path.rglob("*.png")}
    assert figures >= {"templates", "templates-common-scale", "mistakes"}
    shown = run("data", "show", "-c", path, "-o", tmp_path / "images.png")
    assert shown.exit_code == 0, shown.output


def test_a_network_learns_images_of_ones_own(tmp_path, run):
    rng = np.random.default_rng(0)
    X = rng.integers(0, 256, (80, 3, 8, 8)).astype(np.uint8)
    X[:40] //= 2
    np.save(tmp_path / "t.npy", X[::-1])
    changes = {
        "train": in_npy(tmp_path, X, np.arange(80) // 40),
        "validation": {"size": 20},
        "image_shape": [3, 8, 8],
        "class_names": ["dark", "bright"],
    }
    (tmp_path / "r.txt").write_text("1\n" * 40 + "0\n" * 40)
    changes["test"] = {"features": "t.npy", "labels": "r.txt"}
    model = {"kind": "network", "layers": [{"conv": {"filters": 2, "kernel": 3}}, "relu", "flatten", "linear"]}
    path = write_config(tmp_path, data_changes=changes, model=model, n_batch=20, epochs=5)
    result = run("train", path, "--runs-dir", tmp_path / "runs")
    assert result.exit_code == 0, result.output
    assert only_run(tmp_path / "runs").read_record().metrics["test"].accuracy > 0.9


def test_a_sweep_and_seeds_train_on_features(folder, run):
    base = config(folder, data_changes={"validation": {"size": 40}}).to_tree()
    (folder / "grid.yaml").write_text(yaml.safe_dump({"base": base, "grid": {"lambda": [0.0, 0.1], "eta": [0.1]}}))
    result = run("sweep", folder / "grid.yaml", "--runs-dir", folder / "runs", "--seeds", 2, "--json", "-q")
    assert result.exit_code == 0, result.output
    assert [row["status"] for row in json.loads(result.stdout)["rows"]] == ["finished", "finished"]


def test_pictures_are_refused_by_a_classifier_of_features(folder, run):
    result = run("predict", trained(config(folder), folder).path, "picture.png")
    assert result.exit_code == 2
    assert "was trained on features, which a picture does not have" in result.stderr


def test_onnx_takes_features_as_floats(folder, run):
    runtime = pytest.importorskip("onnxruntime")
    made = trained(config(folder), folder)
    assert run("export", "onnx", made.path, "-o", folder / "out").exit_code == 0
    (path,) = (folder / "out").iterdir()
    X = np.load(folder / "test.npy")
    (predicted,) = runtime.InferenceSession(path).run(["predicted"], {"images": X})
    stored = made.read_predictions(made.read_model())
    assert (predicted == stored.predicted).all()


# --- bad input: each is one line, exit code 2 or 3, and no run folder ---


def broken(change):
    """A test case: changes the folder, returns changes of ``data``."""
    return pytest.param(change, id=change.__name__)


def nan_and_infinity(folder):
    X, _ = features(200)
    X[[3, 77]], X[150, 2] = np.nan, np.inf
    np.save(folder / "train.npy", X)
    return {}, 3, "train.npy: 3 of 200 rows hold NaN or infinity (rows 3, 77, 150); leave them out"


def many_nan(folder):
    np.save(folder / "test.npy", np.full((80, FEATURES), np.nan, np.float16))
    return {}, 3, "test.npy: 80 of 80 rows hold NaN or infinity (rows 0, 1, 2, 3, 4, ...)"


def too_large_for_float32(folder):
    X, _ = features(200, dtype=np.float64)
    X[5, 5] = 1e200
    np.save(folder / "train.npy", X)
    return {}, 3, "train.npy: holds 1e+200, too large for float32"


def one_row_of_features(folder):
    np.save(folder / "train.npy", np.ones(24, np.float32))
    return {}, 3, "train.npy: features have the shape (24,); expected (n, d), (n, C, H, W) or (n, H, W, C)"


def no_rows(folder):
    np.save(folder / "train.npy", np.ones((0, 24), np.float32))
    np.save(folder / "train_labels.npy", np.ones(0, int))
    return {}, 3, "train.npy: an array of the shape (0, 24): there is nothing in it"


def other_width_in_validation(folder):
    np.save(folder / "validation.npy", np.ones((60, 23), np.float32))
    return {}, 3, "validation.npy: 23 features in a row, but"


def integers_for_features(folder):
    np.save(folder / "train.npy", np.ones((200, 24), np.int64))
    return {}, 3, "train.npy: features are int64; expected float16, float32, float64, uint8"


def pixels_beside_floats(folder):
    np.save(folder / "test.npy", np.ones((80, 24), np.uint8))
    return {}, 3, "test.npy: uint8, but"


def objects(folder):
    np.save(folder / "train.npy", np.array([[1, None]] * 200, object), allow_pickle=True)
    return {}, 3, "train.npy: an array of Python objects is a pickle, which is not read; save numbers or text"


def object_labels(folder):
    np.save(folder / "train_labels.npy", np.array(["a", None] * 100, object), allow_pickle=True)
    return {}, 3, "train_labels.npy: an array of Python objects is a pickle"


def a_torch_file(folder):
    (folder / "train.pt").write_bytes(b"PK")
    train = {"features": "train.pt", "labels": "train_labels.npy"}
    return {"train": train}, 3, "weights_only=True).numpy())"


def a_pickle(folder):
    train = {"features": "train.npy", "labels": "labels.pkl"}
    return {"train": train}, 3, "labels.pkl: a pickle can run any code when it is read, so it is not; if you trust it"


def another_format(folder):
    (folder / "train.h5").write_bytes(b"HDF")
    train = {"features": "train.h5", "labels": "train_labels.npy"}
    return {"train": train}, 3, "train.h5: arrays are read from .npy, .npz, .safetensors"


def cut_off(folder):
    content = (folder / "train.npy").read_bytes()
    (folder / "train.npy").write_bytes(content[:-100])
    return {}, 3, "train.npy: cut off: 19228 bytes of the 19328 that its header promises"


def no_array(folder):
    (folder / "train.npy").write_text("features")
    return {}, 3, "train.npy: not an array as numpy.save writes it"


def damaged_npz(folder):
    (folder / "train.npz").write_bytes(b"PK\x03\x04 and no more")
    return {"train": {"features": "train.npz"}}, 3, "train.npz: not arrays as numpy.savez writes them"


def damaged_safetensors(folder):
    (folder / "a.safetensors").write_bytes((30).to_bytes(8, "little") + b'{"features": {"dtype": "F32"}}')
    return {"train": {"features": "a.safetensors"}}, 3, "a.safetensors: not a safetensors file: no entry 'shape'"


def sizes_that_lie(folder):
    entry = {"features": {"dtype": "F32", "shape": [10**9, 10**9], "data_offsets": [0, 4]}}
    header = json.dumps(entry).encode()
    (folder / "a.safetensors").write_bytes(len(header).to_bytes(8, "little") + header + bytes(4))
    return (
        {"train": {"features": "a.safetensors"}},
        3,
        "damaged: features of F32 (1000000000, 1000000000) does not have 4",
    )


def bfloat16(folder):
    entry = {"features": {"dtype": "BF16", "shape": [1, 2], "data_offsets": [0, 4]}}
    header = json.dumps(entry).encode()
    (folder / "a.safetensors").write_bytes(len(header).to_bytes(8, "little") + header + bytes(4))
    return (
        {"train": {"features": "a.safetensors"}},
        3,
        "features is BF16, which NumPy does not have; store it as float32",
    )


def an_unknown_key(folder):
    np.savez(folder / "a.npz", X=np.ones((3, 2)), y=np.ones(3))
    return {"train": {"features": "a.npz", "features_key": "x"}}, 3, "a.npz: has no array 'x'; its arrays: X, y"


def no_key(folder):
    np.savez(folder / "a.npz", X=np.ones((3, 2)), y=np.ones(3))
    return {"train": {"features": "a.npz"}}, 3, "a.npz: which array? its arrays: X, y; name one by its key"


def a_label_missing(folder):
    np.save(folder / "train_labels.npy", np.arange(199) % 4)
    return {}, 3, "train_labels.npy: 199 labels, but"


def one_hot_labels(folder):
    np.save(folder / "train_labels.npy", np.eye(4)[np.arange(200) % 4])
    return {}, 3, "labels have the shape (200, 4), expected (n,); of one-hot rows take y.argmax(axis=1)"


def float_labels(folder):
    np.save(folder / "train_labels.npy", np.arange(200) % 4 / 1)
    return {}, 3, "train_labels.npy: labels are float64; expected integers or names. Whole numbers: y.astype(int)"


def float_labels_as_text(folder):
    (folder / "l.txt").write_text("".join(f"{i % 4}.0\n" for i in range(200)))
    return {"train": {"features": "train.npy", "labels": "l.txt"}}, 3, "l.txt: labels are numbers such as 0.0; expected"


def one_class(folder):
    np.save(folder / "train_labels.npy", np.zeros(200, int))
    return {}, 3, "train_labels.npy: only the class 0; a classifier needs two classes at least"


def labels_from_one(folder):
    np.save(folder / "train_labels.npy", 1 + np.arange(200) % 4)
    return {}, 3, "integers must be 0 to K - 1, each of them there; found 1 to 4 without 0"


def negative_labels(folder):
    np.save(folder / "train_labels.npy", np.arange(200) % 4 - 1)
    return {}, 3, "integers must be 0 to K - 1, each of them there; found -1 to 2"


def an_unknown_label_in_test(folder):
    y = np.load(folder / "test_labels.npy")
    y[9] = 4
    np.save(folder / "test_labels.npy", y)
    return {}, 3, "test_labels.npy: label 4 in row 9 (1 such rows); there are 4 classes, 0 to 3"


def a_typo_in_validation(folder):
    np.save(folder / "train_labels.npy", np.array(["zebra", "horse"] * 100))
    np.save(folder / "validation_labels.npy", np.array(["zebra", "hrose"] * 30))
    return {"test": None}, 3, "label 'hrose' in row 1 (30 such rows) is not a known class; did you mean 'horse'?"


def an_empty_label(folder):
    (folder / "l.csv").write_text("a,b\n" + "1,2\n" * 100 + "1,\n" + "1,2\n" * 99)
    train = {"features": "train.npy", "labels": "l.csv", "labels_key": "b"}
    return {"train": train}, 3, "l.csv: label 100 is empty"


def no_such_column(folder):
    (folder / "l.csv").write_text("a,b\n1,2\n")
    train = {"features": "train.npy", "labels": "l.csv", "labels_key": "c"}
    return {"train": train}, 3, "l.csv: has no column 'c'; its first line: a, b"


def two_columns(folder):
    (folder / "l.csv").write_text("a,b\n1,2\n")
    return {"train": {"features": "train.npy", "labels": "l.csv"}}, 3, "l.csv: has 2 columns; name that of the labels"


def rows_of_zeros(folder):
    X, _ = features(200)
    X[[4, 6]] = 0
    np.save(folder / "train.npy", X)
    return {"normalize": "l2"}, 3, "2 of 200 rows are all zero and have no direction (the first is row 4)"


def constant_columns(folder):
    np.save(folder / "train.npy", np.full((200, FEATURES), 0.1, np.float32))
    return {}, 3, "train.npy: all 200 rows to train on are the same"


def no_file(folder):
    (folder / "train.npy").unlink()
    return {}, 3, "train.npy: cannot be read: No such file or directory"


def images_of_another_size(folder):
    return {"image_shape": [3, 4, 4]}, 3, "train.npy: rows of shape (24,) do not make images (3, 4, 4)"


def two_channels(folder):
    return {"image_shape": [2, 4, 3]}, 2, "data.image_shape: must be channels, height and width; channels are 1 or 3"


def all_rows_held_out(folder):
    return {"validation": {"size": 200}}, 2, "data.validation: size must be below 200"


def the_same_file_twice(folder):
    return {"test": files("train")}, 2, "data.test: has the features of train; the splits must not share examples"


def no_labels(folder):
    train = {"features": "train.npy"}
    return {"train": train}, 2, "data.train.labels: missing: only .npz and .safetensors hold labels beside"


def published_batches(folder):
    return {"train": ["data_batch_1"]}, 2, "data.train: must be a mapping of keys"


def batches_for_validation(folder):
    return {"validation": ["data_batch_1"]}, 2, "data.validation: must be {features: FILE, labels: FILE} or {size: n}"


@pytest.mark.parametrize(
    "change",
    [
        broken(change)
        for change in (
            nan_and_infinity,
            many_nan,
            too_large_for_float32,
            one_row_of_features,
            no_rows,
            other_width_in_validation,
            integers_for_features,
            pixels_beside_floats,
            objects,
            object_labels,
            a_torch_file,
            a_pickle,
            another_format,
            cut_off,
            no_array,
            damaged_npz,
            damaged_safetensors,
            sizes_that_lie,
            bfloat16,
            an_unknown_key,
            no_key,
            a_label_missing,
            one_hot_labels,
            float_labels,
            float_labels_as_text,
            one_class,
            labels_from_one,
            negative_labels,
            an_unknown_label_in_test,
            a_typo_in_validation,
            an_empty_label,
            no_such_column,
            two_columns,
            rows_of_zeros,
            constant_columns,
            no_file,
            images_of_another_size,
            two_channels,
            all_rows_held_out,
            the_same_file_twice,
            no_labels,
            published_batches,
            batches_for_validation,
        )
    ],
)
def test_bad_input_is_one_line_and_leaves_no_run_folder(folder, run, change):
    changes, code, said = change(folder)
    tree = {"data": {k: v for k, v in data(folder, **changes).items() if v is not None}}
    tree |= {"lambda": 0.1, "eta": 0.1, "n_batch": 30, "epochs": 2}
    (folder / "own.yaml").write_text(yaml.safe_dump(tree))
    result = run("train", folder / "own.yaml", "--runs-dir", folder / "runs")
    assert result.exit_code == code, result.output
    assert said in result.stderr
    assert result.stderr.count("\n") == 1
    assert not (folder / "runs").exists()


def test_the_line_that_converts_a_pickle_makes_a_file_that_is_read(tmp_path):
    (tmp_path / "a.pkl").write_bytes(pickle.dumps([[1.0, 2.0], [3.0, 4.0]]))
    with pytest.raises(DataError) as caught:
        open_array(tmp_path / "a.pkl")
    _, _, command = str(caught.value).partition("convert it once: python ")
    subprocess.run([sys.executable, *shlex.split(command)], check=True)
    assert open_array(tmp_path / "a.npy").array.tolist() == [[1, 2], [3, 4]]


def test_a_file_that_shrinks_while_it_is_read_is_a_line_and_not_the_end_of_the_process(folder):
    run = RunFolder.create(folder / "runs", "run")
    wanted = config(folder, epochs=50)
    dataset = load_dataset(wanted)

    def shrink(_):
        with (folder / "train.npy").open("r+b") as file:
            file.truncate(1000)

    with pytest.raises(DataError, match=r"train\.npy: became shorter while it was read"):
        run_group([wanted], [run], dataset, shrink)
    assert run.read_record().status == "failed"


def test_augmentation_is_for_images(folder):
    tree = yaml.safe_dump(config(folder).to_tree() | {"augmentation": {"flip": 0.5}})
    with pytest.raises(ConfigError, match=r"is for images; if the rows are images, give data\.image_shape"):
        parse_config(tree.encode(), "own.yaml")


def test_a_single_score_needs_two_classes(folder):
    with pytest.raises(ConfigError, match="loss: logistic needs exactly two classes; these are 4"):
        load_dataset(config(folder, loss="logistic"))


_HEADERS = st.builds(
    lambda d, f, s: str({"descr": d, "fortran_order": f, "shape": s}).encode(),
    st.sampled_from(["<f4", "|O", "<U3", "nonsense", 3, [("a", "<f4")], "<f4,<f4", "|V8"]),
    st.sampled_from([True, False, 1]),
    st.one_of(st.tuples(st.integers(-3, 5), st.integers(-3, 10**20)), st.sampled_from([(), 5, [2], "ab", (2.5,)])),
)
_CONTENTS = st.one_of(
    st.binary(max_size=200),
    st.text(max_size=100).map(str.encode),
    st.builds(
        lambda h, rest: b"\x93NUMPY\x01\x00" + len(h).to_bytes(2, "little") + h + rest, _HEADERS, st.binary(max_size=50)
    ),
    st.builds(
        lambda tree, rest: len(json.dumps(tree)).to_bytes(8, "little") + json.dumps(tree).encode() + rest,
        st.recursive(
            st.one_of(st.none(), st.integers(-3, 10**20), st.floats(), st.sampled_from(["F32", "U8"])),
            lambda inner: st.one_of(
                st.lists(inner, max_size=3),
                st.dictionaries(st.sampled_from(["features", "dtype", "shape", "data_offsets"]), inner, max_size=4),
            ),
            max_leaves=12,
        ),
        st.binary(max_size=50),
    ),
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(_CONTENTS, st.sampled_from([".npy", ".npz", ".safetensors", ".csv", ".tsv", ".txt"]))
def test_any_content_is_read_or_refused_in_words(tmp_path, content, ending):
    path = tmp_path / f"a{ending}"
    path.write_bytes(content)
    for read in (read_labels, lambda path: open_split(Files(path, path), None)):
        said = None
        try:
            read(path)
        except DataError as error:
            said = str(error)
        assert said is None or (said.startswith(f"{path}: ") and "\n" not in said)
