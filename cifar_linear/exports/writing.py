"""Runs, exported."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Literal

from cifar_linear import __version__
from cifar_linear.errors import ConfigError, RunError
from cifar_linear.exports.onnx import onnx_model
from cifar_linear.exports.safetensors import safetensors
from cifar_linear.exports.tensorboard import events
from cifar_linear.report.collecting import Run
from cifar_linear.storage.atomic import write_whole
from cifar_linear.storage.csv_tables import rows_as_csv

ExportFormat = Literal["onnx", "safetensors", "tensorboard", "csv"]

_COUNTS = ("epoch", "step", "averaged", "waited")


def export(form: ExportFormat, runs: Sequence[Run], out: Path) -> list[Path]:
    """Write runs in a format of other programs; returns the paths of the files.

    Weights are those by which a run is judged: with early stopping the best ones.

    Args:
        form: ``onnx`` and ``safetensors``, the weights, a file for each run; ``tensorboard``, the metrics, a folder for
            each run; ``csv``, the metrics of all runs in one table.
        runs: at least one.
        out: the folder that is written into; made if missing.

    Raises:
        ConfigError: two runs have the same name.
        RunError: a run cannot be in this format, or a file cannot be written. All contents are made before
            anything is written.
    """
    names = Counter(run.name for run in runs)
    if doubled := next((name for name, count in names.items() if count > 1), None):
        raise ConfigError(f"two runs are called {doubled}; export them one by one, with -o for another folder")
    contents = {path: content for run in runs for path, content in _FILES[form](run).items()} if form != "csv" else {}
    if form == "csv":
        contents["metrics.csv"] = rows_as_csv(_rows(runs)).encode()
    for path, content in contents.items():
        write_whole(out / path, content)
    return [out / path for path in contents]


def _onnx(run: Run) -> Mapping[str, bytes]:
    if not run.model.is_linear:
        raise RunError(f"{run.folder.path}: only linear classifiers can be exported as ONNX; safetensors takes all")
    if run.record.config.data.normalize == "l2":
        raise RunError(f"{run.folder.path}: an ONNX export cannot contain normalize l2; safetensors takes its weights")
    return {f"{run.name}.onnx": onnx_model(run.model, run.record.config.loss, __version__, _facts(run))}


def _safetensors(run: Run) -> Mapping[str, bytes]:
    model = run.model
    arrays = {**model.parameters, "mean": model.mean, "std": model.std}
    facts = {
        **_facts(run),
        "class_names": "\n".join(model.class_names),
        "image_shape": " ".join(map(str, model.image_shape)),
    }
    return {f"{run.name}.safetensors": safetensors(arrays, facts)}


def _tensorboard(run: Run) -> Mapping[str, bytes]:
    started = datetime.fromisoformat(run.record.created).timestamp()
    # TensorBoard looks for "tfevents" in the name.
    return {f"{run.name}/events.out.tfevents.{started:.0f}.cifar-linear": events(run.rows, started)}


_FILES: Mapping[str, Callable[[Run], Mapping[str, bytes]]] = {
    "onnx": _onnx,
    "safetensors": _safetensors,
    "tensorboard": _tensorboard,
}


def _facts(run: Run) -> dict[str, str]:
    """Where weights come from: the run, which of its weights, and its settings."""
    return {"run": run.name, "weights": run.weights, **run.settings}


def _rows(runs: Sequence[Run]) -> list[dict[str, object]]:
    """All evaluations of all runs; columns that a run does not have are left empty."""
    columns = {column: None for run in runs for column in run.rows[0]}
    return [{"run": run.name, **{name: _cell(name, row) for name in columns}} for run in runs for row in run.rows]


def _cell(column: str, row: Mapping[str, float]) -> float | None:
    """A number as ``metrics.csv`` has it: those that count are whole."""
    value = row.get(column)
    return value if value is None or column not in _COUNTS else int(value)
