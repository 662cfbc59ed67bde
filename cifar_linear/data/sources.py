"""The data sets that can be read from a data folder."""

from collections.abc import Callable, Mapping
from pathlib import Path

from platformdirs import user_cache_path

from cifar_linear.data.cifar import CIFAR10, CIFAR100
from cifar_linear.data.dataset import Source
from cifar_linear.data.mnist import FASHION_MNIST, MNIST

SOURCES: Mapping[str, Callable[[Path], Source]] = {
    published.name: published.source for published in (CIFAR10, CIFAR100, MNIST, FASHION_MNIST)
}
"""The function that finds each data set in a data folder, by the name of the data set in configs."""


def default_folder() -> Path:
    """The data folder if none is named: this program's folder in the platform's cache."""
    return user_cache_path("cifar-linear")
