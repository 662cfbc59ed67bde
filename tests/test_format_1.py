"""Run folders of format 1, from before parameters had names of their own; made by the version before."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from cifar_linear.experiments.assembly import read_checkpoint
from cifar_linear.experiments.classifier import Classifier, disagreements
from cifar_linear.experiments.loading import load_dataset
from cifar_linear.experiments.resume import resume_run, resumed_config
from cifar_linear.experiments.run import run_group
from cifar_linear.experiments.verify import recorded_run, verify_run
from cifar_linear.runs.folder import RunFolder

RUNS = Path(__file__).parent / "data" / "format-1"
NAMES = sorted(path.name for path in RUNS.iterdir())


@pytest.fixture(params=NAMES)
def old(request, tmp_path):
    """A copy of each folder: finished, interrupted within the mean, interrupted before it began."""
    path = shutil.copytree(RUNS / request.param, tmp_path / request.param)
    return RunFolder(path)


def test_it_is_read(old):
    record, model, rows = old.read_record(), old.read_model(), old.read_metrics()
    assert record.format == 1
    assert model.W.shape == (1, 3072)
    assert rows[-1]["step"] == record.step
    assert (old.read_predictions(model) is not None) == (record.status == "finished")


def test_it_is_evaluated_as_it_was(old):
    """To rounding, on any machine."""
    record, classifier = old.read_record(), Classifier.of(old)
    found = classifier.evaluate(load_dataset(record.config).validation)
    assert not disagreements(found, record.metrics["validation"])


def test_it_is_verified(old):
    """Every part is there on both sides, with the same arrays; on the same kind of machine with the same bits."""
    verification = verify_run(recorded_run(old), load_dataset(old.config()), lambda _: None, lambda: None)
    assert len(verification.comparisons) >= 6
    for part, difference in verification.comparisons:
        assert difference is None or "differs by up to" in difference, part
        assert "values then" not in (difference or "")


def test_it_goes_on_and_ends_where_a_new_run_ends(old, tmp_path):
    """Also where the mean had not begun, of which format 1 stored nothing."""
    overrides = ["epochs=7"]
    config = resumed_config(old, overrides)
    dataset, whole = load_dataset(config), RunFolder.create(tmp_path, "whole")
    run_group([config], [whole], dataset, lambda _: None)
    record = resume_run(old, config, dataset, lambda _: None, lambda: None)
    assert (record.status, record.format) == ("finished", 2)
    np.testing.assert_allclose(old.read_model().W, whole.read_model().W, atol=1e-5)
    assert len(old.read_metrics()) == len(whole.read_metrics())
    assert read_checkpoint(old, config, dataset).arrays.keys() == read_checkpoint(whole, config, dataset).arrays.keys()


def test_it_is_reported(run, tmp_path):
    runs_dir = shutil.copytree(RUNS, tmp_path / "runs")
    result = run("report", "--runs-dir", runs_dir, "-o", tmp_path / "page")
    assert result.exit_code == 0, result.stderr
    assert "left out" not in result.stderr
