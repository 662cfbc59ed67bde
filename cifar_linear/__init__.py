"""Reproducible experiments with linear classifiers on images, in plain NumPy.

The names of ``__all__`` are the public face; each is loaded when it is first used, and importing the package loads
nothing else.

- `Experiment`: a config in Python; trains and keeps run folders
- `load_run`, `Run`: a run folder as arrays and pictures
- `train`: a training on arrays, evaluation by evaluation
- `LinearSGDClassifier`: the classifiers with scikit-learn's interface; needs the extra ``sklearn``
- `CifarLinearError`: all errors that this package raises on purpose, except scikit-learn's ValueError
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cifar_linear.api.arrays import train as train
    from cifar_linear.api.experiment import Experiment as Experiment
    from cifar_linear.api.runs import Run as Run
    from cifar_linear.api.runs import load_run as load_run
    from cifar_linear.errors import CifarLinearError as CifarLinearError
    from cifar_linear.estimator import LinearSGDClassifier as LinearSGDClassifier

__version__ = "0.1.0"

_HOMES = {
    "CifarLinearError": "errors",
    "Experiment": "api.experiment",
    "LinearSGDClassifier": "estimator",
    "Run": "api.runs",
    "load_run": "api.runs",
    "train": "api.arrays",
}
"""The module of each public name."""

__all__ = ["CifarLinearError", "Experiment", "LinearSGDClassifier", "Run", "__version__", "load_run", "train"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module  # noqa: PLC0415  # nothing is loaded before it is used

    try:
        value = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "sklearn":
            raise
        raise ImportError(f"{name} needs scikit-learn: pip install 'cifar-linear[sklearn]'", name="sklearn") from error
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
