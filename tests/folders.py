"""Looking into runs folders, and the config that sweeps are laid over."""

from cifar_linear.runs import RunFolder

BASE = {"data": {"dataset": "synthetic", "images_per_batch": 60}, "lambda": 0, "eta": 0.01, "n_batch": 20, "epochs": 3}


def only_run(runs_dir):
    (path,) = runs_dir.iterdir()
    return RunFolder(path)


def folders(runs_dir, name="grid"):
    return [RunFolder(path) for path in sorted((runs_dir / name).iterdir()) if path.is_dir()]
