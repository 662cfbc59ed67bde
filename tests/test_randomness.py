"""Streams of random numbers: the same for good, and never the same for two addresses."""

from itertools import product

from cifar_linear.randomness import Purpose, rng_for


def test_streams_of_different_seeds_purposes_and_epochs_differ():
    """Also of seeds that NumPy cuts into words: 400 + 2 * 2**32 is 400 and 2, the number of a purpose."""
    seeds = [0, 1, 2, 400, 2**32 - 1, *(low + (high << 32) for low, high in product((0, 1, 400), (1, 2, 7, 2**31 - 1)))]
    addresses = list(product(seeds, Purpose, (0, 1, 2)))
    assert len({rng_for(*address).bytes(16) for address in addresses}) == len(addresses)


def test_seeds_of_at_most_32_bits_give_the_numbers_that_they_always_gave():
    """The first bytes of some streams, written down when runs were already stored."""
    assert rng_for(400, Purpose.WEIGHTS).bytes(8).hex() == "9821254cd31df838"
    assert rng_for(0, Purpose.ORDER, 3).bytes(8).hex() == "9409b73d6f561887"
    assert rng_for(2**32 - 1, Purpose.AUGMENTATION, 17).bytes(8).hex() == "b3fbcc3f99a8afb5"
