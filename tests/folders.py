"""Looking into runs folders, and configs that several tests train with."""

import numpy as np

from cifar_linear.experiments.loading import load_dataset
from cifar_linear.experiments.run import run_group
from cifar_linear.runs.folder import RunFolder

BASE = {"data": {"dataset": "synthetic", "images_per_batch": 60}, "lambda": 0, "eta": 0.01, "n_batch": 20, "epochs": 3}

EVERYTHING = {
    "augmentation": {"flip": 0.5, "shift": 2},
    "decay": {"kind": "plateau", "patience": 1, "factor": 0.5},
    "averaging": {"from_epoch": 4},
    "early_stopping": {"patience": 100},
    "evaluate": {"per_epoch": 2},
    "record_steps": True,
}
"""All that has a memory."""


def finished_run(config, root, name="run", watch=lambda _: None):
    """Train a config, and return the folder of its run."""
    folder = RunFolder.create(root, name)
    run_group([config], [folder], load_dataset(config), watch)
    return folder


def only_run(runs_dir):
    (path,) = runs_dir.iterdir()
    return RunFolder(path)


def folders(runs_dir, name="grid"):
    return [RunFolder(path) for path in sorted((runs_dir / name).iterdir()) if path.is_dir()]


def stopped_after(evaluations):
    """A watcher that interrupts a training."""
    seen = []

    def watch(evaluation):
        seen.append(evaluation.step)
        if len(seen) == evaluations:
            raise KeyboardInterrupt

    return watch


def has_best(folder):
    return (folder.path / "best_model.npz").exists()


def same(ours, theirs):
    """Two run folders hold the same weights and metrics, to the last bit."""
    kinds = {has_best(ours), has_best(theirs)}
    assert len(kinds) == 1
    for best in {False} | kinds:
        np.testing.assert_equal(ours.read_model(best).arrays(), theirs.read_model(best).arrays())
    a, b = ours.read_metrics(), theirs.read_metrics()
    assert [{**row, "seconds": 0} for row in a] == [{**row, "seconds": 0} for row in b]
    assert ours.read_steps() == theirs.read_steps()
    assert ours.read_record().metrics == theirs.read_record().metrics


def by_cell(runs_dir, name="grid"):
    """The run folder of each cell of a sweep; one each."""
    found = folders(runs_dir, name)
    cells = {folder.path.name[17:]: folder for folder in found}
    assert len(cells) == len(found)
    return cells


def assert_same_cells(ours, theirs):
    """All cells of two sweeps, to the last bit."""
    assert ours.keys() == theirs.keys()
    for cell, folder in ours.items():
        same(folder, theirs[cell])


def table_rows(stdout):
    """What a sweep prints but for the name of its folder."""
    return [line for line in stdout.splitlines() if not line.startswith("sweep folder")]
