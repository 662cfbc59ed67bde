"""Checkpoints that were edited or belong to another run."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from cifar_linear.errors import RunError
from cifar_linear.experiments.assembly import read_checkpoint
from cifar_linear.experiments.loading import load_dataset
from cifar_linear.experiments.resume import resume_run, resumed_config
from cifar_linear.experiments.verify import recorded_run, verify_run
from cifar_linear.runs.folder import RunFolder

INTERRUPTED = Path(__file__).parent / "data" / "format-1" / "interrupted"


def edited(**change):
    return lambda arrays: {**arrays, **change}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda arrays: {"a": arrays["parameters.W"]}, "no array step () in it"),
        (edited(**{"parameters.W": np.zeros((1, 5))}), "parameters.W has the shape (1, 5), expected (1, 3072)"),
        (edited(**{"parameters.c": np.zeros(3)}), "an array parameters.c that the config's model does not have"),
        (edited(**{"parameters.b": np.array([np.nan], np.float32)}), "parameters.b must be finite"),
        (edited(**{"parameters.b": np.array([1], np.int32)}), "parameters.b is int32, expected float32"),
        (edited(step=np.int64(10**9)), "its state is of step 1000000000, its last evaluation of step 9"),
        (edited(step=np.int64(1)), "its state is of step 1, its last evaluation of step 9"),
    ],
)  # fmt: skip
def test_a_checkpoint_that_no_such_run_can_have_saved_is_refused(tmp_path, change, said):
    """By going on and by verifying, with what is wrong; nothing is changed."""
    folder = RunFolder(shutil.copytree(INTERRUPTED, tmp_path / "run"))
    config = folder.config()
    dataset, checkpoint = load_dataset(config), read_checkpoint(folder, config, load_dataset(config))
    folder.write_checkpoint(checkpoint._replace(arrays=change(checkpoint.arrays)))
    before = {path.name: path.read_bytes() for path in folder.path.iterdir()}
    with pytest.raises(RunError) as refused:
        resume_run(folder, resumed_config(folder, ()), dataset, lambda _: None, lambda: None)
    assert said in str(refused.value)
    with pytest.raises(RunError):
        verify_run(recorded_run(folder), dataset, lambda _: None, lambda: None)
    assert {path.name: path.read_bytes() for path in folder.path.iterdir()} == before


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda rows: [{**row, "more": 1.0} for row in rows], "the rows must have the columns"),
        (lambda rows: rows[::-1], "whole numbers that increase"),
        (lambda rows: [{**row, "step": float(row["step"])} for row in rows], "whole numbers that increase"),
    ],
)  # fmt: skip
def test_a_history_that_no_such_run_can_have_is_refused(tmp_path, change, said):
    folder = RunFolder(shutil.copytree(INTERRUPTED, tmp_path / "run"))
    config = folder.config()
    dataset, checkpoint = load_dataset(config), folder.read_checkpoint()
    folder.write_checkpoint(checkpoint._replace(rows=change(checkpoint.rows)))
    with pytest.raises(RunError, match=said):
        resume_run(folder, resumed_config(folder, ()), dataset, lambda _: None, lambda: None)
