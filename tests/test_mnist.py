import gzip
import hashlib
import json

import numpy as np
import pytest
from mnist_files import idx, write_mnist

from cifar_linear.data.mnist import FASHION_MNIST, MNIST
from cifar_linear.data.registry import PUBLICATIONS, Archive, Member, Publication
from cifar_linear.errors import DataError
from cifar_linear.runs.folder import RunFolder


@pytest.fixture(scope="session")
def digits():
    """A hundred small pictures and their labels: each holds its label in all pixels, and its number in the first."""
    labels = np.arange(100) % 10
    images = np.broadcast_to(labels[:, None, None], (100, 28, 28)).astype(np.uint8)
    images[:, 0, 0] = np.arange(100)
    return images, labels.astype(np.uint8)


@pytest.fixture(scope="session", params=["plain", "gzipped"])
def folder(request, tmp_path_factory, digits):
    """A data folder with all four files."""
    root = tmp_path_factory.mktemp(request.param)
    write_mnist(root / "MNIST" / "raw", *digits, packed=request.param == "gzipped")
    return root


def test_all_four_files_are_read(folder, digits):
    source = MNIST.source(folder)
    for name, count in MNIST.images.items():
        images, labels = source.read(name)
        assert images.shape == (count, 784)
        assert source.images_in(name) == count
        np.testing.assert_array_equal(images[:100], digits[0].reshape(100, 784))
        np.testing.assert_array_equal(labels, np.arange(count) % 10)


def test_fashion_mnist_is_read_from_a_folder_of_its_own(tmp_path, digits):
    """Beside MNIST, whose files have the same names; the classes are clothes."""
    write_mnist(tmp_path / "MNIST" / "raw", *digits)
    write_mnist(tmp_path / "FashionMNIST" / "raw", 255 - digits[0], digits[1])
    source = FASHION_MNIST.source(tmp_path)
    np.testing.assert_array_equal(source.read("t10k")[0], 255 - MNIST.source(tmp_path).read("t10k")[0])
    assert [source.class_names[label] for label in (0, 9)] == ["T-shirt/top", "Ankle boot"]


def test_files_of_the_other_data_set_are_not_taken_for_its_own(tmp_path, digits, monkeypatch):
    """They have the same names, form and size, so that their labels must tell them apart."""
    write_mnist(tmp_path, *digits)
    content = (tmp_path / "t10k-labels-idx1-ubyte").read_bytes()
    labels = Archive("", 0, "", {"t10k-labels-idx1-ubyte": Member(len(content), hashlib.md5(content).hexdigest())})
    monkeypatch.setitem(PUBLICATIONS, "fashion_mnist", Publication("FashionMNIST/raw", (labels,), ()))
    with pytest.raises(DataError, match="t10k-labels-idx1-ubyte: the labels of fashion_mnist, not of mnist: set "):
        MNIST.source(tmp_path).read("t10k")
    FASHION_MNIST.source(tmp_path).read("t10k")


def test_the_folder_with_the_files_may_be_named_itself(folder):
    ours, theirs = MNIST.source(folder / "MNIST" / "raw").read("t10k"), MNIST.source(folder).read("t10k")
    np.testing.assert_array_equal(ours[0], theirs[0])


GOOD = idx(np.zeros((10_000, 28, 28), np.uint8))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "holds 0 bytes, not even the header"),
        (GOOD[:15], "holds 15 bytes, not even the header"),
        (b"\x00\x00\x09\x03" + GOOD[4:], "begins with 00000903, an IDX file of this kind with 00000803"),
        (idx(np.zeros((10_000, 784), np.uint8)), "begins with 00000802, an IDX file of this kind with 00000803"),
        (idx(np.zeros((9_999, 28, 28), np.uint8)), "says it holds (9999, 28, 28), the published file holds"),
        (idx(np.zeros((10_000, 32, 32), np.uint8)), "says it holds (10000, 32, 32)"),
        (GOOD[:-1], "holds only 7840015 of the 7840016 bytes that its header promises"),
        (GOOD + b"\x00", "holds more than the 7840016 bytes"),
    ],
)
def test_a_file_that_is_not_the_published_one_is_told(tmp_path, content, message):
    path = tmp_path / "t10k-images-idx3-ubyte"
    path.write_bytes(content)
    with pytest.raises(DataError, match="get the published file again") as caught:
        MNIST.source(tmp_path).read("t10k")
    assert str(caught.value).startswith(f"{path}: ")
    assert message in str(caught.value)


@pytest.mark.parametrize("cut", [slice(-100), slice(20, None)], ids=["end", "beginning"])
def test_a_damaged_gzip_file_is_told(tmp_path, cut):
    packed = gzip.compress(np.random.default_rng(0).integers(0, 256, 7_840_016, np.uint8).tobytes(), 1)
    (tmp_path / "t10k-images-idx3-ubyte.gz").write_bytes(packed[cut])
    with pytest.raises(DataError, match=r"t10k-images-idx3-ubyte\.gz: cannot be read"):
        MNIST.source(tmp_path).read("t10k")


def test_a_bomb_is_not_unpacked(tmp_path):
    """A gigabyte of zeros in a megabyte: no more is unpacked than the published file holds and one byte."""
    (tmp_path / "t10k-images-idx3-ubyte.gz").write_bytes(gzip.compress(GOOD[:16] + bytes(200 * 2**20), 1))
    with pytest.raises(DataError, match="holds more than the 7840016 bytes"):
        MNIST.source(tmp_path).read("t10k")


def test_a_missing_file_and_a_wrong_label_are_told(tmp_path):
    (tmp_path / "t10k-images-idx3-ubyte").write_bytes(GOOD)
    with pytest.raises(DataError, match=r"t10k-labels-idx1-ubyte: missing, also as \.gz"):
        MNIST.source(tmp_path).read("t10k")
    (tmp_path / "t10k-labels-idx1-ubyte").write_bytes(idx(np.full(10_000, 10, np.uint8)))
    with pytest.raises(DataError, match="label 10 at image 0; labels are 0 to 9"):
        MNIST.source(tmp_path).read("t10k")


@pytest.mark.parametrize("state", ["holds no MNIST", "does not exist"])
def test_a_folder_without_mnist_is_told(tmp_path, state):
    path = tmp_path if state == "holds no MNIST" else tmp_path / "nowhere"
    with pytest.raises(DataError, match=f"{state}\n  looked there for MNIST: the four files, .*also in MNIST/raw"):
        MNIST.source(path)


def test_limit_comes_before_classes_and_labels_are_counted_anew(run, folder, tmp_path):
    """Of the first 50 images ten are a 3 or a 2; in the order of the config 3 becomes 0."""
    config = tmp_path / "digits.yaml"
    config.write_text(
        "data: {dataset: mnist, limit: 50, classes: [3, 2], train: [train], validation: [t10k], test: []}\n"
        "lambda: 0\neta: 0.1\nn_batch: 4\nepochs: 2\n"
    )
    arguments = ("--config", config, "--data-dir", folder, "--runs-dir", tmp_path / "runs")
    result = run("train", *arguments)
    assert result.exit_code == 0, result.stderr
    (path,) = (tmp_path / "runs").iterdir()
    record = json.loads((path / "run.json").read_text())
    assert record["data"]["images"] == {"train": 10, "validation": 10}
    assert set(record["metrics"]) == {"train", "validation"}
    model = RunFolder(path).read_model()
    assert model.class_names == ("3", "2")
    assert not (path / "predictions.npz").exists()
    assert "](figures/templates.png)" in (path / "report.md").read_text()
    result = run("evaluate", path, "--data-dir", folder)
    assert result.exit_code == 2
    assert "this config has no test images" in result.stderr
    assert run("evaluate", path, "--data-dir", folder, "--split", "validation").exit_code == 0


def test_classes_that_leave_too_few_images_are_refused(run, folder, tmp_path):
    config = tmp_path / "digits.yaml"
    config.write_text(
        "data: {dataset: mnist, limit: 50, classes: [3, 2], validation: [t10k], test: []}\n"
        "lambda: 0\neta: 0.1\nn_batch: 20\nepochs: 2\n"
    )
    result = run("train", "--config", config, "--data-dir", folder, "--runs-dir", tmp_path / "runs")
    assert result.exit_code == 2
    assert "leave 10 images for training and 10 for validation; n_batch is 20" in result.stderr
    assert not (tmp_path / "runs").exists()
