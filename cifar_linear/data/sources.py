"""Where published images are read from."""

from collections.abc import Callable, Mapping
from pathlib import Path

from platformdirs import user_cache_path

from cifar_linear.data import cifar10, mnist
from cifar_linear.data.dataset import Source

SOURCES: Mapping[str, Callable[[Path], Source]] = {"cifar10": cifar10.source, "mnist": mnist.source}
"""How each data set is read from a data folder, by the name that configs have for it."""


def default_folder() -> Path:
    """The data folder where nobody names one: the platform's cache folder of this program."""
    return user_cache_path("cifar-linear")
