"""Looking into runs folders."""

from cifar_linear.runs import RunFolder


def only_run(runs_dir):
    (path,) = runs_dir.iterdir()
    return RunFolder(path)
