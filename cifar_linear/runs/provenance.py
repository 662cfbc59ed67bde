"""Provenance of results: everything that they depend on besides the config, from data and versions to the machine."""

import hashlib
import os
import platform
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from importlib.metadata import version
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_info

import cifar_linear
from cifar_linear.data.dataset import Dataset, Split
from cifar_linear.data.rows import Rows
from cifar_linear.runs.record import Blas, DataRecord, EnvironmentRecord

_LIBRARIES = ("numpy", "pydantic", "PyYAML", "matplotlib", "pillow")


def data_record(dataset: Dataset, name: str) -> DataRecord:
    """Return the record of the images that a run uses.

    Args:
        dataset: the images.
        name: name of the data set.
    """
    splits = dataset.splits
    with ThreadPoolExecutor(len(splits)) as threads:
        fingerprints = dict(zip(splits, threads.map(fingerprint, splits.values()), strict=True))
    return DataRecord(
        dataset=name,
        synthetic=name == "synthetic",
        images={split: len(images) for split, images in splits.items()},
        sha256=fingerprints,
    )


def other_images(recorded: DataRecord, dataset: Dataset) -> list[str]:
    """Return the names of the splits of ``dataset`` that differ from the recorded ones."""
    found = data_record(dataset, recorded.dataset).sha256
    return [split for split, digest in found.items() if recorded.sha256.get(split) != digest]


def fingerprint(split: Split) -> str:
    """Return the SHA-256 of all pixels (row by row, uint8) followed by all labels (uint8), in hexadecimal.

    Rows of a stored array are known by its own SHA-256 and their indices, and there may be more than 256 classes.
    """
    if isinstance(split.images, Rows):
        digest = hashlib.sha256(split.images.fingerprint)
        digest.update(split.labels.astype(np.int64).data)
        return digest.hexdigest()
    digest = hashlib.sha256(np.ascontiguousarray(split.images).data)
    digest.update(split.labels.astype(np.uint8).data)
    return digest.hexdigest()


def environment_record() -> EnvironmentRecord:
    """Return the record of versions, BLAS, commit, machine and process."""
    return EnvironmentRecord(
        versions=_versions(),
        blas=[
            Blas(**{name: library.get(name) for name in Blas.model_fields})
            for library in threadpool_info()
            if library.get("user_api") == "blas"
        ],
        commit=_commit(Path(cifar_linear.__file__).parent.parent),
        platform=platform.platform(),
        host=platform.node(),
        process=os.getpid(),
        command=[os.fsencode(word).decode(errors="replace") for word in sys.argv],
    )


def changes_since(then: EnvironmentRecord, now: EnvironmentRecord) -> list[str]:
    """Describe the differences between two environments that may change results: versions, BLAS, code, system."""
    before, after = _described(then), _described(now)
    return [f"{name} {before[name]} then, {after[name]} now" for name in before if before[name] != after[name]]


def _described(environment: EnvironmentRecord) -> dict[str, str | None]:
    return {
        **{name: environment.versions.get(name) for name in ("cifar_linear", "numpy", "python")},
        "commit": environment.commit,
        "system": environment.platform,
        **{
            f"BLAS {name.replace('_', ' ')}": ", ".join(str(getattr(library, name)) for library in environment.blas)
            for name in Blas.model_fields
        },
    }


@cache
def _versions() -> dict[str, str]:
    libraries = {name.lower(): version(name) for name in _LIBRARIES}
    return {"cifar_linear": cifar_linear.__version__, "python": platform.python_version(), **libraries}


@cache
def _commit(checkout: Path) -> str | None:
    """Return the commit of a source checkout, with "-dirty" if files were changed; None for an installed package."""
    if not (checkout / ".git").exists():
        return None
    describe = ["git", "-C", str(checkout), "describe", "--always", "--abbrev=40", "--exclude=*", "--dirty"]
    try:
        result = subprocess.run(describe, capture_output=True, text=True, timeout=5, check=True)  # noqa: S603  # fixed words
    except (OSError, subprocess.SubprocessError):
        return None
    return result.stdout.strip()
