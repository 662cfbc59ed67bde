"""A linear probe: the sweep with a built-in grid over features of one's own, and the certificate of its winner."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from cifar_linear.config.models import Config
from cifar_linear.config.reading import listed, parse_file, validated
from cifar_linear.config.sweeps import Sweep, sweep_over_grid
from cifar_linear.config.yaml_tree import Place, Problem, Tree
from cifar_linear.data.array_files import ENDINGS, open_array
from cifar_linear.errors import ConfigError, DataError
from cifar_linear.experiments.certificate import certify
from cifar_linear.experiments.dataset_cache import DatasetCache
from cifar_linear.nn.certificate import Bracket
from cifar_linear.runs.record import Certificate
from cifar_linear.sweep.table import Row

LAMBDAS = (1e-5, 3e-5, 1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1, 3e-1)
ETAS = (3e-5, 1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1, 3e-1, 1.0)
TOLERANCE = 1e-3
"""How narrow the certificate's bracket is, as a part of the cost."""
_DEFAULTS: dict[str, Any] = {
    "epochs": 12,
    "decay": {"kind": "cosine"},
    "early_stopping": {"patience": 5},
    "evaluate": {"train_images": 2000},
}
_N_BATCH = 200
_STEPS = 20
"""The least number of updates in an epoch, if there are as many examples: small data sets have smaller batches."""
_HELD_OUT = 5000
_LABELS = (".npy", ".txt", ".csv", ".tsv")


def probe_of(features: Path, overrides: Sequence[str], images: DatasetCache) -> Sweep:
    """Return the sweep over the built-in grid; the files are opened and checked.

    Args:
        features: a folder with train, validation and test files, or a config whose keys take the place of built-in
            ones.
        overrides: ``key=value``, changes to the config.
        images: opens the files.

    Raises:
        ConfigError: for a config that is none, or not of features.
        DataError: for files that are missing or damaged.
    """
    if features.is_dir():
        base, problems = Tree({"data": _data_in(features)}, {(): Place(str(features))}), list[Problem]()
    else:
        base, problems = parse_file(features)
    values = {**_DEFAULTS, **base.values}
    if "steps" in base.values:
        del values["epochs"]
    base.values = {"n_batch": _n_batch(Tree(values, base.places), problems, images), **values}
    return sweep_over_grid(base, problems, {"lambda": list(LAMBDAS), "eta": list(ETAS)}, overrides)


def certificate_of(winner: Row, images: DatasetCache, watch: Callable[[Bracket], None]) -> Certificate:
    """Bound the optimum of the selected setting's first run. Raises `CheckError` if the bounds stay wide."""
    folder = winner.folders[0]
    return certify(folder, images.of(folder.config()), tolerance=TOLERANCE, watch=watch)


def scikit_learn_C(winner: Row, images: DatasetCache) -> float:  # noqa: N802  # as scikit-learn calls it
    """Return the C of scikit-learn's ``LogisticRegression`` that has the same optimum: 1 / (2 lambda n)."""
    config = winner.folders[0].config()
    return 1 / (2 * config.lam * len(images.of(config).train))


def _n_batch(base: Tree, problems: list[Problem], images: DatasetCache) -> int:
    """The batch size for the examples there are. Raises what is wrong with the config and its files."""
    config, more = validated(Config, Tree({"n_batch": 1, **base.values, "lambda": 0.0, "eta": 1.0}, base.places))
    if config is None or problems:
        raise ConfigError(listed(problems + more))
    if config.data.dataset != "features":
        raise ConfigError(f"{base.place(('data',))}: data.dataset: a probe is of features; sweep is for the others")
    return max(1, min(_N_BATCH, len(images.of(config).train) // _STEPS))


def _data_in(folder: Path) -> dict[str, Any]:
    """What a config would have under ``data`` for the files of a folder."""
    found = {name: _files(folder, name) for name in ("train", "validation", "test")}
    if found["train"] is None:
        raise DataError(
            f"{folder}: holds no train{', train'.join(ENDINGS)}; a probe needs train.npy with train_labels.npy, "
            "may have validation and test in the same way, or takes a config in YAML"
        )
    if found["validation"] is None:
        stored = open_array(folder / found["train"]["features"], preferred="features")
        found["validation"] = {"size": min(_HELD_OUT, len(stored.array) // 10)}
    return {"dataset": "features", "folder": str(folder), **{name: files for name, files in found.items() if files}}


def _files(folder: Path, name: str) -> dict[str, Any] | None:
    features = next((f"{name}{ending}" for ending in ENDINGS if (folder / f"{name}{ending}").exists()), None)
    labels = next(
        (f"{name}_labels{ending}" for ending in _LABELS if (folder / f"{name}_labels{ending}").exists()), None
    )
    return {"features": features, **({"labels": labels} if labels else {})} if features else None
