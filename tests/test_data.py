import hashlib
from itertools import chain
from typing import get_args

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cifar_linear.cli.options import PUBLISHED
from cifar_linear.config.datasets import BatchName, HalfName, PartName
from cifar_linear.config.starter import DatasetName, starter_config
from cifar_linear.data import synthetic
from cifar_linear.data.augment import Augmentation
from cifar_linear.data.batches import Batches, parts, pixel_chunks
from cifar_linear.data.cifar import CIFAR10, CIFAR100
from cifar_linear.data.dataset import Source, Split, first_images, hold_out, join_batches, only_classes
from cifar_linear.data.mnist import FASHION_MNIST, MNIST
from cifar_linear.data.registry import PUBLICATIONS
from cifar_linear.data.sources import SOURCES


def numbered(n, classes=10):
    """Images that carry their own number in the first two pixels."""
    images = np.zeros((n, 4), np.uint8)
    images[:, 0], images[:, 1] = np.arange(n) % 256, np.arange(n) // 256
    return Split(images, np.arange(n) % classes)


def numbers(pixels):
    return (pixels[:, 0] + 256 * pixels[:, 1].astype(int)).astype(int)


def met(batches, epoch):
    """The numbers of an epoch's images, batch by batch, with their labels checked."""
    found = []
    for pixels, labels, _ in batches(epoch):
        found.append(numbers(pixels).tolist())
        assert (labels == numbers(pixels) % 10).all()
    return found


@given(st.integers(1, 60), st.data())
def test_every_image_is_met_once_in_an_epoch(n, data):
    """With its own label, in batches of n_batch and a last one with the rest."""
    n_batch = data.draw(st.integers(1, n))
    batches = met(Batches(numbered(n), n_batch=n_batch, shuffle=True, seed=1), 3)
    assert sorted(chain(*batches)) == list(range(n))
    assert [len(batch) for batch in batches[:-1]] == [n_batch] * (len(batches) - 1)


def test_order_follows_from_seed_and_epoch_alone():
    def order(seed, epoch):
        return met(Batches(numbered(50), n_batch=50, shuffle=True, seed=seed), epoch)[0]

    assert order(1, 2) == order(1, 2)
    assert order(1, 2) != order(1, 3)
    assert order(1, 2) != order(2, 2)


def test_without_shuffling_images_come_as_they_are():
    batches = Batches(numbered(25), n_batch=10, shuffle=False, seed=1)
    assert met(batches, 1) == met(batches, 2) == [list(range(10)), list(range(10, 20)), list(range(20, 25))]


@pytest.mark.parametrize("n_batch", [0, 26])
def test_a_batch_holds_one_to_all_images(n_batch):
    with pytest.raises(ValueError, match=f"n_batch is {n_batch}; with 25 training images it must be 1 to 25"):
        Batches(numbered(25), n_batch=n_batch, shuffle=False, seed=1)


@pytest.mark.parametrize("n", [1, 499, 500, 501, 1234])
def test_chunks_are_the_split_in_order(n):
    chunks = [numbers(pixels) for pixels in pixel_chunks(numbered(n), np.float32)]
    assert np.concatenate(chunks).tolist() == list(range(n))


@pytest.mark.parametrize("n", [1, 4999, 5000, 5001])
def test_parts_are_the_split_in_order(n):
    of_split = list(parts(numbered(n)))
    assert np.concatenate([numbers(part.images) for part in of_split]).tolist() == list(range(n))
    assert np.concatenate([part.labels for part in of_split]).tolist() == numbered(n).labels.tolist()


@given(st.integers(20, 200), st.integers(0, 9), st.integers(0, 3))
def test_held_out_images_are_a_fair_share_of_each_class(n, size, seed):
    """Nothing is lost or doubled, and each class gives its share to within one image."""
    split = numbered(n, classes=3)
    rest, held_out = hold_out(split, size, np.random.default_rng(seed))
    assert len(held_out) == size
    assert sorted([*numbers(rest.images), *numbers(held_out.images)]) == list(range(n))
    for k in range(3):
        assert abs(np.sum(held_out.labels == k) - size * np.mean(split.labels == k)) <= 1


def test_batches_are_joined_in_the_order_of_their_names():
    parts = {name: numbered(5 + i) for i, name in enumerate("abc")}
    for i, part in enumerate(parts.values()):
        part.images[:, 3] = i
    source = Source(lambda name: (parts[name].images, parts[name].labels), lambda name: len(parts[name]), (), (1, 1, 4))
    joined = join_batches(source, ["c", "a"])
    assert joined.images[:, 3].tolist() == [2] * 7 + [0] * 5
    assert joined.labels.tolist() == [*range(7), *range(5)]


def test_classes_are_kept_in_the_order_of_their_images_and_counted_anew():
    """Labels are counted in the order in which the classes are named; a limit is applied before."""
    split = numbered(10, classes=4)
    kept = only_classes(first_images(split, 7), [2, 0])
    assert kept.labels.tolist() == [1, 0, 1, 0]
    np.testing.assert_array_equal(kept.images, split.images[[0, 2, 4, 6]])
    assert only_classes(first_images(split, None), None).labels is not None
    assert len(only_classes(split, [9, 8])) == 0


@pytest.mark.parametrize(
    ("published", "names"), [(CIFAR10, BatchName), (CIFAR100, HalfName), (MNIST, PartName), (FASHION_MNIST, PartName)]
)
def test_config_and_data_know_the_same_batches(published, names):
    """They share no module, so this holds them together."""
    data = starter_config(published.name).data
    assert get_args(names) == tuple(published.images)
    assert {name: data.images_in(name) for name in published.images} == published.images


def test_every_published_data_set_can_be_named_downloaded_and_read():
    """The command line, the configs, the registry and the readers list the same ones."""
    assert set(PUBLISHED) == set(get_args(DatasetName)) - {"synthetic", "features"} == set(PUBLICATIONS) == set(SOURCES)


def test_synthetic_images_are_the_same_everywhere_and_always():
    """A figure made on one machine must be found on another: the pixels are pinned by their hash."""
    images, labels = synthetic.source(20, seed=0).read("data_batch_1")
    digest = hashlib.sha256(images.tobytes() + labels.astype(np.uint8).tobytes()).hexdigest()
    assert digest == "5e9bd42e7811b796dd7841e2a066264d9e0c2d56b98b46a5f90a7469fca0564c"


def test_synthetic_batches_and_seeds_differ():
    batches = [
        synthetic.source(10, seed).read(name)[0].tobytes() for seed in (0, 1) for name in ("data_batch_1", "test_batch")
    ]
    assert len(set(batches)) == 4


@pytest.mark.parametrize("size", [10, 57, 1000])
def test_synthetic_classes_are_balanced_at_any_size(size):
    images, labels = synthetic.source(size, seed=3).read("data_batch_2")
    assert images.shape == (size, 3072)
    counts = np.bincount(labels, minlength=10)
    assert counts.max() - counts.min() <= 1
    assert len(synthetic.CLASS_NAMES) == 10


def test_a_partial_last_batch_can_be_left_out_and_first_batches_passed_over():
    split = numbered(23)
    options = {"n_batch": 5, "shuffle": True, "seed": 1}
    whole, cut = Batches(split, **options), Batches(split, **options, drop_last=True)
    assert (whole.steps, cut.steps) == (5, 4)
    assert met(cut, 2) == met(whole, 2)[:4]
    assert met(lambda epoch: whole(epoch, 3), 2) == met(whole, 2)[3:]


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int16])
def test_features_of_any_dtype_reach_the_batches_with_their_values(dtype):
    """Negative numbers and fractions, which do not fit into a pixel."""
    features = (100 * np.random.default_rng(0).normal(0, 1, (23, 4))).astype(dtype)
    split = Split(features, np.arange(23))
    for pixels, labels, _ in Batches(split, n_batch=5, shuffle=True, seed=1)(1):
        np.testing.assert_array_equal(pixels, features[labels])
    np.testing.assert_array_equal(np.concatenate(list(pixel_chunks(split, np.float64))), features)


def test_only_pixels_are_augmented():
    augmentation = Augmentation((1, 2, 2), flip=0.5, shift=0, seed=1)
    split = Split(np.zeros((10, 4), np.float32), np.zeros(10, np.intp))
    with pytest.raises(ValueError, match="only uint8 images can be augmented; these are float32"):
        Batches(split, n_batch=5, shuffle=True, seed=1, augmentation=augmentation)
