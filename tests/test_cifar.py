import os
import pickle

import numpy as np
import pytest
import scipy.io
from cifar_files import python2_batch

from cifar_linear.data.cifar import CIFAR10, CIFAR100
from cifar_linear.errors import DataError
from cifar_linear.runs.folder import RunFolder


def write_binary(folder, images, *labels, name="data_batch_1"):
    folder.mkdir()
    content = np.column_stack([*(each.astype(np.uint8) for each in labels), images])
    (folder / f"{name}.bin").write_bytes(content.tobytes())


def write_matlab(folder, images, labels):
    folder.mkdir()
    content = {"data": images, "labels": labels.astype(np.uint8)[:, None], "batch_label": "training batch 1 of 5"}
    scipy.io.savemat(folder / "data_batch_1.mat", content)


def read(folder):
    return CIFAR10.source(folder).read("data_batch_1")


def test_the_three_layouts_give_the_same_arrays(tmp_path, python_folder, batch_arrays):
    """In the types of the package, found from the data folder or given the layout's own folder."""
    write_binary(tmp_path / "b", *batch_arrays)
    write_matlab(tmp_path / "m", *batch_arrays)
    for folder in (python_folder, python_folder.parent, tmp_path / "b", tmp_path / "m"):
        images, labels = read(folder)
        assert (images.dtype, labels.dtype) == (np.uint8, np.intp)
        np.testing.assert_array_equal(images, batch_arrays[0])
        np.testing.assert_array_equal(labels, batch_arrays[1])


@pytest.fixture
def hundred(monkeypatch):
    """A few images in place of those of CIFAR-100, with both kinds of labels."""
    rng, n = np.random.default_rng(1), 40
    for name in CIFAR100.images:
        monkeypatch.setitem(CIFAR100.images, name, n)
    return rng.integers(0, 256, (n, 3072), dtype=np.uint8), rng.integers(0, 100, n), rng.integers(0, 20, n)


def test_the_three_layouts_of_cifar100_give_the_same_images_and_both_labels(tmp_path, hundred):
    """In binary files the coarse label comes first; without a choice the labels are the fine ones."""
    images, fine, coarse = hundred
    for folder in ("python", "matlab"):
        (tmp_path / folder).mkdir()
    labels = {"fine_labels": fine, "coarse_labels": coarse}
    (tmp_path / "python" / "train").write_bytes(python2_batch(images, labels, rows=len(images)))
    write_binary(tmp_path / "binary", images, coarse, fine, name="train")
    columns = {key: each.astype(np.uint8)[:, None] for key, each in labels.items()}
    scipy.io.savemat(tmp_path / "matlab" / "train.mat", {"data": images, **columns}, appendmat=False)
    for folder in ("python", "binary", "matlab"):
        for kind, expected in ((None, fine), ("fine", fine), ("coarse", coarse)):
            found = CIFAR100.source(tmp_path / folder, kind).read("train")
            np.testing.assert_array_equal(found[0], images)
            np.testing.assert_array_equal(found[1], expected)


@pytest.mark.parametrize(
    ("kind", "classes", "some"), [("fine", 100, {52: "oak_tree", 99: "worm"}), ("coarse", 20, {14: "people"})]
)
def test_classes_of_cifar100_have_the_published_names_and_order(tmp_path, hundred, kind, classes, some):
    """The order is alphabetical."""
    images, fine, coarse = hundred
    write_binary(tmp_path / "cifar-100-binary", images, coarse, fine, name="test")
    names = CIFAR100.source(tmp_path, kind).class_names
    assert len(set(names)) == classes
    assert list(names) == sorted(names)
    assert {label: names[label] for label in some} == some


def test_a_label_beyond_the_kind_is_refused(tmp_path, hundred):
    """A fine label is no coarse one."""
    images, fine, coarse = hundred
    coarse[7] = 20
    write_binary(tmp_path / "cifar-100-binary", images, coarse, fine, name="train")
    source = CIFAR100.source(tmp_path, "coarse")
    with pytest.raises(DataError, match=r"label 20 at image 7 .*; labels are 0 to 19; .*data download cifar100"):
        source.read("train")
    CIFAR100.source(tmp_path, "fine").read("train")


@pytest.mark.parametrize("labels", ["fine", "coarse"])
def test_cifar100_trains_with_either_labels(run, tmp_path, hundred, labels):
    """The run knows the class names, and `classes` may name any of them."""
    images, fine, coarse = hundred
    for name in CIFAR100.images:
        write_binary(tmp_path / name, images, coarse, fine, name=name)
        (tmp_path / name / f"{name}.bin").rename(tmp_path / f"{name}.bin")
    config = tmp_path / "hundred.yaml"
    config.write_text(
        f"data: {{dataset: cifar100, labels: {labels}, validation: {{size: 10}}}}\n"
        "lambda: 0\neta: 0.1\nn_batch: 4\nepochs: 1\n"
    )
    result = run("train", config, "--data-dir", tmp_path, "--runs-dir", tmp_path / "runs", "--no-figures")
    assert result.exit_code == 0, result.stderr
    (path,) = (tmp_path / "runs").iterdir()
    assert RunFolder(path).read_model().class_names == CIFAR100.labels[labels].class_names
    most = len(CIFAR100.labels[labels].class_names) - 1
    wrong = run("train", config, "--data-dir", tmp_path, "--set", f"data.classes=[0, {most + 1}]")
    assert wrong.exit_code == 2
    assert f"data.classes: names {most + 1}; the labels are 0 to {most}" in wrong.stderr


def refusal(folder, name="data_batch_1"):
    with pytest.raises(DataError) as caught:
        CIFAR10.source(folder).read(name)
    return str(caught.value)


@pytest.mark.parametrize("make", [lambda path: None, lambda path: path.mkdir(), lambda path: path.write_text("")])
def test_no_data_says_where_it_looked_and_what_to_do(tmp_path, make):
    make(tmp_path / "nothing")
    message = refusal(tmp_path / "nothing")
    for part in (str(tmp_path / "nothing"), "cifar-10-batches-py", "--data-dir", "data.dataset=synthetic"):
        assert part in message


def test_half_a_folder_names_the_missing_file(python_folder):
    assert refusal(python_folder, "data_batch_2").startswith(f"{python_folder / 'data_batch_2'}: missing")


def test_python_batch_cut_by_one_byte_is_refused(python_folder):
    path = python_folder / "data_batch_1"
    path.write_bytes(path.read_bytes()[:-1])
    assert refusal(python_folder).startswith(f"{path}: not a CIFAR-10 batch in Python's format")


def test_python_batch_cut_in_the_pixels_is_refused(python_folder):
    path = python_folder / "data_batch_1"
    path.write_bytes(path.read_bytes()[:20_000_000])
    assert "the pickle is damaged" in refusal(python_folder)


@pytest.mark.parametrize("change", [-1, 1])
def test_binary_batch_of_another_length_is_refused(tmp_path, batch_arrays, change):
    write_binary(tmp_path / "b", *batch_arrays)
    path = tmp_path / "b" / "data_batch_1.bin"
    os.truncate(path, path.stat().st_size + change)
    assert f"holds {30_730_000 + change} bytes, a batch has 30730000" in refusal(tmp_path / "b")


def test_matlab_batch_cut_by_one_byte_is_refused(tmp_path, batch_arrays):
    write_matlab(tmp_path / "m", *batch_arrays)
    path = tmp_path / "m" / "data_batch_1.mat"
    os.truncate(path, path.stat().st_size // 2)
    assert "not a CIFAR-10 batch in MATLAB's format" in refusal(tmp_path / "m")


def test_without_scipy_matlab_files_name_the_extra(tmp_path, batch_arrays, monkeypatch):
    write_matlab(tmp_path / "m", *batch_arrays)
    monkeypatch.setitem(__import__("sys").modules, "scipy.io", None)
    assert "pip install scipy" in refusal(tmp_path / "m")


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        (lambda good: good[:-1], "labels are int64 (9999,), expected 10000 integers"),
        (lambda good: np.where(np.arange(10_000) == 123, 10, good), "label 10 at image 123 (and 0 more out of range)"),
    ],
)
def test_wrong_labels_are_refused(python_folder, batch_arrays, labels, expected):
    images, good = batch_arrays
    (python_folder / "data_batch_1").write_bytes(python2_batch(images, {"labels": labels(good)}))
    assert expected in refusal(python_folder)


@pytest.mark.parametrize(
    ("rows", "columns", "expected"),
    [(5000, 6144, "images are uint8 (5000, 6144), expected uint8 (10000, 3072)"), (9999, 3072, "not complete")],
)
def test_wrong_shape_is_refused(python_folder, batch_arrays, rows, columns, expected):
    images, labels = batch_arrays
    (python_folder / "data_batch_1").write_bytes(python2_batch(images, {"labels": labels}, rows, columns))
    assert expected in refusal(python_folder)


def test_file_far_larger_than_a_batch_is_not_read(python_folder):
    os.truncate(python_folder / "data_batch_1", 2**31)
    assert "far more than a batch" in refusal(python_folder)


def test_array_of_another_type_is_refused(tmp_path):
    (tmp_path / "data_batch_1").write_bytes(pickle.dumps({b"data": np.ones(3), b"labels": []}, protocol=4))
    assert "not uint8 in C order, or not complete" in refusal(tmp_path)


def test_array_in_another_order_is_refused_not_scrambled(tmp_path, batch_arrays):
    content = {b"data": np.asfortranarray(batch_arrays[0]), b"labels": batch_arrays[1].tolist()}
    (tmp_path / "data_batch_1").write_bytes(pickle.dumps(content, protocol=4))
    assert "not uint8 in C order" in refusal(tmp_path)


@pytest.mark.parametrize("label", [9.9, "3", None, True])
def test_labels_that_are_no_integers_are_refused_not_converted(python_folder, batch_arrays, label):
    array = batch_arrays[0]
    content = {b"data": array, b"labels": [label] * 10_000}
    (python_folder / "data_batch_1").write_bytes(pickle.dumps(content, protocol=4))
    assert "expected 10000 integers" in refusal(python_folder)


@pytest.mark.parametrize(
    ("content", "expected"),
    [([1, 2], "it holds a list"), ({b"labels": []}, "no entry b'data'"), ({b"data": 1, b"labels": []}, "not an array")],
)
def test_pickle_of_something_else_is_refused(tmp_path, content, expected):
    (tmp_path / "data_batch_1").write_bytes(pickle.dumps(content, protocol=4))
    assert expected in refusal(tmp_path)
