"""The data sets that can be read from a data folder."""

from collections.abc import Callable, Mapping
from pathlib import Path

from platformdirs import user_cache_path

from cifar_linear.data import cifar10, mnist
from cifar_linear.data.dataset import Source

SOURCES: Mapping[str, Callable[[Path], Source]] = {"cifar10": cifar10.source, "mnist": mnist.source}
"""The function that finds each data set in a data folder, by the name of the data set in configs."""


def default_folder() -> Path:
    """The data folder if none is named: this program's folder in the platform's cache."""
    return user_cache_path("cifar-linear")
