"""Disks that fail, processes that are killed, many that start at once: nothing is lost that was saved."""

import shutil
from datetime import datetime
from pathlib import Path

import faults
import pytest
from faults import CONFIG, DATASET, Faults, brought_to_its_end
from folders import same

from cifar_linear.errors import RunError
from cifar_linear.experiments.run import run_group
from cifar_linear.runs.folder import RunFolder


@pytest.mark.parametrize("lasting", [False, True], ids=["one failure", "a full disk"])
def test_whichever_file_operation_fails_the_run_can_go_on(whole, tmp_path, lasting):
    """Old or new, never half; the message names path and cause; in the end, the same bits."""
    unbroken, operations = whole
    assert operations > 100
    told = set()
    for operation in range(1, operations + 1):
        runs_dir = tmp_path / str(operation)
        runs_dir.mkdir()
        with Faults(operation, lasting=lasting).installed(), pytest.raises(RunError) as caught:
            faults.train(runs_dir)
        assert str(runs_dir) in str(caught.value)
        assert "No space left on device" in str(caught.value)
        told.add(str(caught.value).partition(":")[0].rpartition("/")[2])
        assert not list(runs_dir.rglob("*.new"))
        folder = brought_to_its_end(runs_dir)
        if folder is not None:
            same(folder, unbroken)
        shutil.rmtree(runs_dir)
    assert told > {"config.yaml", "run.json", "checkpoint.npz", "metrics.csv", "model.npz", "predictions.npz"}


class OneSecond(datetime):
    """The same moment always."""

    @classmethod
    def now(cls, tz=None):
        return datetime(2026, 11, 21, 12, 0, 0, tzinfo=tz)


def train_many(runs_dir, barrier, runs):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("cifar_linear.runs.folder.datetime", OneSecond)
        barrier.wait()
        for _ in range(runs):
            run_group([CONFIG], [RunFolder.create(runs_dir, "run")], DATASET, lambda _: None)


def test_two_hundred_trainings_that_begin_in_one_second_get_two_hundred_folders(whole, tmp_path):
    """In eight processes: each folder is complete and holds the same run."""
    unbroken, _ = whole
    context = faults.children()
    barrier = context.Barrier(8)
    processes = [context.Process(target=train_many, args=(tmp_path, barrier, 25)) for _ in range(8)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
        assert process.exitcode == 0
    paths = sorted(tmp_path.iterdir())
    assert len(paths) == 200
    expected = sorted(path.name for path in unbroken.path.iterdir())
    for path in paths:
        assert sorted(file.name for file in path.iterdir()) == expected
        same(RunFolder(path), unbroken)
    assert {Path(path).name[:16] for path in paths} == {"20261121T120000Z"}
