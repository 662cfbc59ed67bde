"""Disks that fail and processes that die at a chosen file operation of a training."""

import errno
import multiprocessing
import os
import signal
from contextlib import contextmanager
from pathlib import Path

import pytest

from cifar_linear.config.models import Config
from cifar_linear.experiments.loading import load_dataset
from cifar_linear.experiments.resume import resume_run, resumed_config
from cifar_linear.experiments.run import run_group
from cifar_linear.runs.folder import RunFolder

CONFIG = Config.model_validate(
    {
        "data": {"dataset": "synthetic", "images_per_batch": 40},
        **{"lambda": 0.01, "eta": 0.01, "n_batch": 20, "epochs": 2, "repro": "strict"},
        **{"averaging": {"from_epoch": 2}, "early_stopping": {"patience": 9}, "record_steps": True},
    }
)
DATASET = load_dataset(CONFIG)


def out_of_space(what):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), what)


def sudden_death(_what):
    os.kill(os.getpid(), signal.SIGKILL)


class Faults:
    """Counts the file operations of writing - making a folder, opening, writing, syncing, renaming - and spoils some.

    ``spoil`` is called in place of operation ``first``, counted from 1, and with ``lasting`` of all that come after.
    A spoilt writing has written half of its content.
    """

    def __init__(self, first=0, spoil=out_of_space, lasting=False):
        self.count, self._first, self._spoil, self._lasting = 0, first, spoil, lasting

    def meets(self):
        self.count += 1
        return self._first and (self.count == self._first or (self._lasting and self.count > self._first))

    def around(self, operation):
        def operated(*arguments, **options):
            if self.meets():
                self._spoil(operation.__name__)
            return operation(*arguments, **options)

        return operated

    def around_opening(self, operation):
        def opened(path, mode="r", *arguments, **options):
            if not {"w", "x"} & set(mode):
                return operation(path, mode, *arguments, **options)
            if self.meets():
                self._spoil("open")
            return _Writing(operation(path, mode, *arguments, **options), self, self._spoil)

        return opened

    @contextmanager
    def installed(self):
        with pytest.MonkeyPatch.context() as patch:
            for name in ("mkdir", "replace"):
                patch.setattr(Path, name, self.around(getattr(Path, name)))
            patch.setattr(Path, "open", self.around_opening(Path.open))
            patch.setattr(os, "fsync", self.around(_unsynced))
            yield self


def _unsynced(_handle):
    """A sync takes most of the time, and shows only when the power goes."""


class _Writing:
    """A file of which a writing may fail half-way."""

    def __init__(self, file, faults, spoil):
        self._file, self._faults, self._spoil = file, faults, spoil

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._file.close()

    def write(self, content):
        if self._faults.meets():
            self._file.write(content[: len(content) // 2])
            self._file.flush()
            self._spoil("write")
        return self._file.write(content)

    def __getattr__(self, name):
        return getattr(self._file, name)


@contextmanager
def saving_always():
    """Let a training save at each evaluation, not each second."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("cifar_linear.runs.recorder._SAVE_EVERY", 0.0)
        patch.setattr("cifar_linear.runs.recorder._SAVE_SHARE", 0.0)
        yield


def train(runs_dir):
    with saving_always():
        run_group([CONFIG], [RunFolder.create(runs_dir, "run")], DATASET, lambda _: None)


def brought_to_its_end(runs_dir):
    """The run of a broken training, which every file can be read of, once it has gone on; None if it had not begun."""
    found = [folder for path in runs_dir.glob("*") if (folder := RunFolder(path)).is_run()]
    if not found:
        return None
    (folder,) = found
    record = folder.read_record()
    folder.read_checkpoint()
    for name, read in (("model.npz", folder.read_model), ("metrics.csv", folder.read_metrics)):
        if (folder.path / name).exists():
            read()
    if record.status != "finished" or "test" not in record.metrics:
        resume_run(folder, resumed_config(folder, ()), DATASET, lambda _: None, lambda: None)
    return folder


def children():
    """Processes that begin in milliseconds, since they are copies of one that has imported everything."""
    here = Path(__file__).parent
    os.environ["PYTHONPATH"] = os.pathsep.join([str(here), str(here.parent), os.environ.get("PYTHONPATH", "")])
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["faults"])
    return context


def train_and_die(runs_dir, operation):
    """In a process of its own: a training that is killed in place of a file operation."""
    with Faults(operation, sudden_death).installed():
        train(runs_dir)
