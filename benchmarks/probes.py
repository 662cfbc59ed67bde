"""Times ``cifar-linear probe`` with its hundred classifiers against one fit of scikit-learn's `LogisticRegression`.

    python benchmarks/probes.py FOLDER [WORK]

FOLDER is one that ``benchmarks/features.py`` has made, WORK where runs are kept. scikit-learn fits the selected lambda
on the same standardised training rows, with the fewest iterations after which its cost is within a thousandth of the
minimum, which the certificate of the selected run bounds. Ours are seconds of whole processes, scikit-learn's those of
``fit``.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from cifar_linear.data.dataset import Dataset
from cifar_linear.experiments.loading import load_dataset, make_standardization
from cifar_linear.runs.folder import RunFolder

GAP = 1e-3
_BUDGETS = (40, 50, 60, 80, 160, 320, 400, 480, 640)


def timed(*arguments: object) -> tuple[float, dict[str, Any]]:
    """Seconds of a command, and the document that it prints."""
    program = Path(sys.executable).with_name("cifar-linear")
    command = [str(program), *map(str, arguments), "--quiet", "--json", "--no-figures"]
    started = time.perf_counter()
    said = subprocess.run(command, capture_output=True, check=True, text=True)  # noqa: S603  # our own words
    return time.perf_counter() - started, json.loads(said.stdout)


def compared(features: Path, work: Path) -> dict[str, Any]:
    """Time the probe, its winner alone, and scikit-learn's fit."""
    probe, document = timed("probe", features, "--runs-dir", work, "--name", "probe", "--no-certify")
    selected = document["rows"][0]
    folder = RunFolder(Path(selected["folders"][0]))
    certify = [str(Path(sys.executable).with_name("cifar-linear")), "certify", str(folder.path), "--json", "--quiet"]
    certificate = json.loads(subprocess.run(certify, capture_output=True, check=True, text=True).stdout)  # noqa: S603  # likewise
    (work / "winner.yaml").write_text(folder.config().to_yaml())
    alone, _ = timed("train", work / "winner.yaml", "--runs-dir", work, "--name", "alone")
    return {
        "settings": selected["settings"],
        "probe": {"seconds": probe, **_accuracies(selected), "above": certificate["cost"] / certificate["lower"] - 1},
        "alone": {"seconds": alone},
        "scikit-learn": _fitted(folder, certificate["lower"]),
    }


def _accuracies(row: dict[str, Any]) -> dict[str, float]:
    return {split: row[f"{split}_accuracy"]["mean"] for split in ("validation", "test")}


def _fitted(folder: RunFolder, lower: float) -> dict[str, Any]:
    """The fit with the fewest iterations that reaches the gap."""
    from sklearn.linear_model import LogisticRegression  # noqa: PLC0415  # not needed to time ours

    warnings.simplefilter("ignore")  # few iterations are not enough to converge, which is what is measured
    config = folder.config()
    dataset = load_dataset(config)
    standardization = make_standardization(config, dataset.train)
    X, lam = _rows(dataset, "train", standardization), config.lam
    for budget in _BUDGETS:
        model = LogisticRegression(C=1 / (2 * lam * len(X)), max_iter=budget, tol=1e-10)
        started = time.perf_counter()
        model.fit(X, dataset.train.labels)
        seconds = time.perf_counter() - started
        scores = model.decision_function(X).astype(np.float64)
        losses = np.logaddexp.reduce(scores, axis=1) - scores[np.arange(len(X)), dataset.train.labels]
        above = float((losses.mean() + lam * np.square(model.coef_, dtype=np.float64).sum()) / lower - 1)
        print(f"{budget} iterations: {seconds:.1f} s, {above:.2g} above", file=sys.stderr)
        if above <= GAP:
            break
    accuracies = {
        split: float(model.score(_rows(dataset, split, standardization), dataset.splits[split].labels))
        for split in ("validation", "test")
    }
    return {"seconds": seconds, "iterations": budget, "above": above, **accuracies}


def _rows(dataset: Dataset, split: Any, standardization: Any) -> np.ndarray:
    return standardization.apply(np.asarray(dataset.splits[split].images)).astype(np.float32)


def main() -> None:
    """Compare, and print all figures."""
    features = Path(sys.argv[1])
    with tempfile.TemporaryDirectory() as temporary:
        work = Path(sys.argv[2]) if len(sys.argv) > 2 else Path(temporary)
        print(yaml.safe_dump(compared(features, work), sort_keys=False))


if __name__ == "__main__":
    main()
