"""Planted copies are found, other images are not; metrics with and without the images that a file lists."""

import csv
import json

import numpy as np
import pytest

from cifar_linear.data import duplicates as module
from cifar_linear.data.augment import Augmentation
from cifar_linear.data.duplicates import mirrored, near_duplicates
from cifar_linear.data.synthetic import source
from cifar_linear.experiments.classifier import Classifier
from cifar_linear.experiments.image_lists import numbers_of_csv
from cifar_linear.experiments.loading import load_dataset
from cifar_linear.training.evaluation import evaluate

SHAPE = (3, 32, 32)


def smooth_noise(images, seed):
    """Random pictures with details of every size, as photographs have."""
    rng = np.random.default_rng(seed)
    layers = [np.kron(rng.normal(size=(images, 3, 32 // s, 32 // s)), np.ones((s, s))) * s for s in (2, 4, 8, 16)]
    return np.clip(128 + 8 * sum(layers), 0, 255).astype(np.uint8).reshape(images, -1)


def shifted(images, down, right):
    moved = images.copy()
    number = np.full(len(images), 1)
    Augmentation(SHAPE, flip=0, shift=1, seed=0).apply(moved, number == 0, np.array([down * number, right * number]))
    return moved


def scaled(images, factor, offset):
    return np.clip(factor * images.astype(float) + offset, 0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def others():
    return smooth_noise(1200, seed=1)


COPIES = {
    "the same": (lambda images: images, (False, 0, 0)),
    "brighter": (lambda images: scaled(images, 1, 30), (False, 0, 0)),
    "less contrast": (lambda images: scaled(images, 0.5, 60), (False, 0, 0)),
    "one pixel to the right": (lambda images: shifted(images, 0, 1), (False, 0, -1)),
    "one pixel up and to the left": (lambda images: shifted(images, -1, -1), (False, 1, 1)),
    "mirrored": (lambda images: mirrored(images, SHAPE), (True, 0, 0)),
    "mirrored, darker and down": (lambda images: shifted(scaled(mirrored(images, SHAPE), 0.8, 0), 1, 0), (True, -1, 0)),
}


@pytest.mark.parametrize(("copy", "way"), COPIES.values(), ids=COPIES)
def test_planted_copies_are_found_with_the_way_that_they_were_made(others, copy, way):
    """Each of them, and nothing else: the other images are new ones."""
    images = smooth_noise(60, seed=2)
    planted, copied = np.arange(3, 60, 6), np.arange(100, 1100, 100)
    images[planted] = copy(others[copied])
    found = near_duplicates(images, others, SHAPE, 0.65)
    np.testing.assert_array_equal(found.image, planted)
    np.testing.assert_array_equal(found.other, copied)
    assert {*zip(found.flipped.tolist(), found.down.tolist(), found.right.tolist(), strict=True)} == {way}


def test_similarity_is_that_of_comparing_every_pair(others):
    """A slow twin: every pair, every shift, numbers by `numpy.corrcoef` without the mean."""
    images = np.concatenate([scaled(others[:3], 0.9, 10), smooth_noise(3, seed=5)])
    found = near_duplicates(images, others[:30], SHAPE, 0.6)

    def edges(image, down, right):
        inner = image.reshape(SHAPE).astype(float)[:, 1 + down : 31 + down, 1 + right : 31 + right]
        return np.concatenate([np.diff(inner, axis=1)[:, :, :-1].ravel(), np.diff(inner, axis=2)[:, :-1].ravel()])

    def similarity(image, other):
        ours = edges(image, 0, 0)
        theirs = [edges(other, down, right) for down in (-1, 0, 1) for right in (-1, 0, 1)]
        return max(ours @ it / np.linalg.norm(ours) / np.linalg.norm(it) for it in theirs)

    both = [images, mirrored(images, SHAPE)]
    table = np.array([[max(similarity(kind[i], other) for kind in both) for other in others[:30]] for i in range(6)])
    np.testing.assert_array_equal(found.image, np.flatnonzero(table.max(axis=1) >= 0.6))
    np.testing.assert_array_equal(found.other, table.argmax(axis=1)[found.image])
    np.testing.assert_allclose(found.similarity, table.max(axis=1)[found.image], rtol=1e-5)


def test_images_of_one_colour_have_no_duplicates(others):
    assert len(near_duplicates(np.full((2, 3072), 200, np.uint8), others, SHAPE, 0.1).image) == 0
    assert len(near_duplicates(others[:2], np.full((2, 3072), 200, np.uint8), SHAPE, 0.1).image) == 0


def test_the_candidates_are_the_most_similar_ones_however_they_come(monkeypatch):
    """In blocks of any size: those that sorting all products gives."""
    rng = np.random.default_rng(0)
    queries, others = (rows / np.linalg.norm(rows, axis=1, keepdims=True) for rows in rng.normal(size=(2, 300, 3)))
    products = queries @ others.T
    expected = {
        (query, other)
        for query, row in enumerate(products)
        for other in np.argsort(-row)[: module._MOST_CANDIDATES]
        if row[other] > module._LIKELY
    }
    for block in (1, 7, 500):
        monkeypatch.setattr(module, "_BLOCK", block)
        assert {*zip(*(numbers.tolist() for numbers in module._candidates(queries, others)), strict=True)} == expected


@pytest.fixture
def planted(make_config, monkeypatch):
    """A config whose test images 5 and 7 are copies of training images, the second with another label."""
    config = make_config(data={"images_per_batch": 80})
    read = source(80, 0).read
    train, train_labels = read("data_batch_1")
    test, test_labels = read("test_batch")
    test[5], test[7] = train[11], mirrored(train[:1], SHAPE)[0]
    test_labels[5], test_labels[7] = train_labels[11], (train_labels[0] + 1) % 10
    batches = {"data_batch_1": (train, train_labels), "test_batch": (test, test_labels)}
    changed = source(80, 0).__class__(
        lambda name: batches.get(name) or read(name), source(80, 0).images_in, source(80, 0).class_names, SHAPE
    )
    monkeypatch.setattr("cifar_linear.data.synthetic.source", lambda *_: changed)
    return config


@pytest.fixture
def config_file(planted, tmp_path):
    path = tmp_path / "planted.yaml"
    path.write_text(planted.to_yaml())
    return path


def test_the_command_lists_and_draws_the_pairs(run, config_file, tmp_path):
    out = tmp_path / "pairs.svg"
    result = run("data", "duplicates", config_file, "--threshold", 0.95, "-o", out)
    assert result.exit_code == 0, result.stderr
    assert "2 of 80 test images are nearly the same as a training image, 1 with another label" in result.stdout
    rows = list(csv.DictReader(out.with_suffix(".csv").read_text().splitlines()))
    assert [(row["test"], row["train"], row["flipped"]) for row in rows] == [("5", "11", "0"), ("7", "0", "1")]
    assert "<!-- train 11, 100 % -->" in out.read_text()
    told = json.loads(run("data", "duplicates", "-c", config_file, "--threshold", 0.95, "-o", out, "--json").stdout)
    assert [pair["test"] for pair in told["pairs"]] == [5, 7]


def test_accuracy_with_and_without_them(run, config_file, planted, tmp_path, trained):
    """Without is as if they had never been there."""
    run("data", "duplicates", config_file, "--threshold", 0.95, "-o", tmp_path / "pairs.png")
    folder = trained(data={"images_per_batch": 80})
    result = run("evaluate", folder.path, "--without", tmp_path / "pairs.csv", "--json")
    assert result.exit_code == 0, result.stderr
    told, test, classifier = json.loads(result.stdout), load_dataset(planted).test, Classifier.of(folder)
    listed = np.isin(np.arange(80), [5, 7])
    for name, rows in (("not_listed", ~listed), ("listed", listed)):
        expected = evaluate(classifier.parameters, test.part(rows), classifier.objective)
        assert told[name]["images"] == rows.sum()
        assert told[name]["accuracy"] == expected.accuracy[0]
        assert told[name]["loss"] == pytest.approx(expected.loss[0], rel=1e-6)
    said = run("evaluate", folder.path, "--without", tmp_path / "pairs.csv").stdout
    assert "not listed, 78 images: loss " in said
    assert "listed, 2 images: loss " in said
    assert "listed" not in run("evaluate", folder.path).stdout


def test_numbers_are_read_from_a_column_or_from_lines():
    assert numbers_of_csv("test,train\n5,1\n7,2\n", "train") == [1, 2]
    assert numbers_of_csv("3\n14\n\n15\n", "test") == [3, 14, 15]
    assert numbers_of_csv("test\n", "test") == []


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"train,given\n3,cat\n", "there is no column test in it, only train, given"),
        (b"test\nseven\n", "line 2: 'seven' is not the number of an image"),
        (b"1\n-2\n", "line 2: '-2' is not the number"),
        (b"test,train\n\n3\n,4\n", "line 4: '' is not the number"),
        (b"60\n", "lists image 60, but the test images are numbered 0 to 59"),
        (b"9999999999999999999999\n", "is not the number of an image"),
        (b"", "lists no images"),
        (b"test\n", "lists no images"),
        ("\n".join(map(str, range(60))).encode(), "lists all 60 test images"),
        (b"\xff\xfe\x00", "no text"),
        (None, "cannot be read: No such file"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_list_that_is_none_is_refused_in_a_line(run, trained, tmp_path, content, message):
    folder, listed = trained(), tmp_path / "listed.csv"
    if content is not None:
        listed.write_bytes(content)
    result = run("evaluate", folder.path, "--without", listed)
    assert result.exit_code == 3
    assert message in result.stderr
    assert result.stderr.count("\n") == 1
    assert not result.stdout


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ((), "missing CONFIG"),
        (("{config}", "--split", "train"), "'train' is not one of"),
        (("{config}", "--threshold", "0"), "not in the range"),
        (("{config}", "--set", "data.test=[]"), "the config has no test images; choose another --split"),
        (("{config}", "-o", "nowhere/pairs.png"), "there is no folder nowhere"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_bad_input_is_refused_in_a_line(run, small_config, options, message):
    result = run("data", "duplicates", *(word.format(config=small_config) for word in options))
    assert result.exit_code == 2
    assert message in result.stderr
