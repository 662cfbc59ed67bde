import numpy as np
import pytest

from cifar_linear.data.augment import Augmentation
from cifar_linear.data.batches import Batches
from cifar_linear.data.dataset import Split

SHAPE = (3, 6, 4)


@pytest.fixture
def images():
    return np.random.default_rng(0).integers(0, 256, (50, 72), dtype=np.uint8)


def slow(image, flipped, down, right, shift):
    """One image the plain way: flip, pad with the edge, cut out."""
    picture = image.reshape(SHAPE)
    if flipped:
        picture = picture[:, :, ::-1]
    padded = np.pad(picture, ((0, 0), (shift, shift), (shift, shift)), mode="edge")
    return padded[:, shift - down : shift - down + 6, shift - right : shift - right + 4].ravel()


@pytest.mark.parametrize(("flip", "shift"), [(0.5, 0), (0, 2), (0.5, 3), (1, 1)])
def test_agrees_with_the_slow_twin(images, flip, shift):
    augmentation = Augmentation(SHAPE, flip=flip, shift=shift, seed=1)
    flipped, (down, right) = augmentation.draw(4, len(images))
    changed = images.copy()
    augmentation.apply(changed, flipped, np.stack([down, right]))
    for i, image in enumerate(images):
        np.testing.assert_array_equal(changed[i], slow(image, flipped[i], down[i], right[i], shift))


def test_a_flip_is_left_right_and_twice_is_nothing(images):
    """Rows and channels stay where they are."""
    augmentation = Augmentation(SHAPE, flip=1, shift=0, seed=1)
    drawn = augmentation.draw(1, len(images))
    changed = images.copy()
    augmentation.apply(changed, *drawn)
    np.testing.assert_array_equal(changed.reshape(-1, *SHAPE), images.reshape(-1, *SHAPE)[..., ::-1])
    augmentation.apply(changed, *drawn)
    np.testing.assert_array_equal(changed, images)


def test_draws_have_the_wanted_shares_and_follow_from_seed_and_epoch():
    augmentation = Augmentation(SHAPE, flip=0.2, shift=2, seed=1)
    flipped, moved = augmentation.draw(1, 20_000)
    assert flipped.mean() == pytest.approx(0.2, abs=0.01)
    values, counts = np.unique(moved, return_counts=True)
    assert values.tolist() == [-2, -1, 0, 1, 2]
    assert counts / counts.sum() == pytest.approx(0.2, abs=0.01)
    again, other = augmentation.draw(1, 20_000), augmentation.draw(2, 20_000)
    assert (again[0] == flipped).all()
    assert (other[0] != flipped).any()


def test_batches_are_changed_and_the_data_set_is_not(images):
    """And an image gets the same change in an epoch whatever the size of the batches."""
    split = Split(images.copy(), np.arange(50) % 10)
    augmentation = Augmentation(SHAPE, flip=0.5, shift=1, seed=1)

    def met(n_batch, epoch):
        batches = Batches(split, n_batch=n_batch, shuffle=False, seed=1, augmentation=augmentation)
        return np.concatenate([pixels.copy() for pixels, *_ in batches(epoch)])

    np.testing.assert_array_equal(met(7, 1), met(50, 1))
    assert (met(7, 1) != met(7, 2)).any()
    assert (met(7, 1) != images).any()
    np.testing.assert_array_equal(split.images, images)
