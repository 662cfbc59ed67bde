import math

import numpy as np
import pytest

from cifar_linear.experiments.run import run_group
from cifar_linear.nn.schedules import cosine, plateau, step
from cifar_linear.runs.folder import RunFolder


def test_step_decay_never_comes_before_the_first_cut():
    """Every ten epochs: 1 to 10 at the full rate, 11 to 20 at a tenth."""
    factors = [step(10, 0.1)(epoch, ()) for epoch in range(1, 31)]
    assert factors == pytest.approx([1] * 10 + [0.1] * 10 + [0.01] * 10)


def test_cosine_falls_from_one_towards_nothing():
    factors = [cosine(40)(epoch, ()) for epoch in range(1, 41)]
    assert factors[0] == 1
    assert factors[20] == pytest.approx(0.5)
    assert all(np.diff(factors) < 0)
    assert 0 < factors[-1] < 0.01


@pytest.mark.parametrize(
    ("losses", "cuts"),
    [
        ([], 0),
        ([5, 4, 3, 2], 0),
        ([5, 4, 4, 4], 0),
        ([5, 4, 4, 4, 4], 1),
        ([5, 4, 6, 6, 3.9, 6, 6], 0),
        ([5, 4, 6, 6, 6, 4.5, 4.4, 4.3], 2),
    ],
)
def test_plateau_cuts_after_three_evaluations_without_a_new_minimum(losses, cuts):
    assert plateau(3, 0.5)(len(losses), losses) == 0.5**cuts


@pytest.mark.parametrize(
    ("decay", "expected"),
    [
        ("{kind: none}", [1, 1, 1, 1, 1]),
        ("{kind: step, every: 2, factor: 0.5}", [1, 1, 1, 0.5, 0.5]),
        ("{kind: cosine}", [1, 1, *(0.5 * (1 + math.cos(math.pi * e / 4)) for e in (1, 2, 3))]),
    ],
)
def test_every_row_records_the_rate_of_its_epoch(run, small_config, tmp_path, decay, expected):
    options = "--set", f"decay={decay}", "--set", "epochs=4", "--no-figures"
    assert run("train", "--config", small_config, "--runs-dir", tmp_path / "runs", *options).exit_code == 0
    (path,) = (tmp_path / "runs").iterdir()
    rates = [row["eta"] / 0.003 for row in RunFolder(path).read_metrics()]
    assert rates == pytest.approx(expected)


def test_plateau_follows_the_validation_loss_of_its_own_run(run, small_config, tmp_path):
    """With a rate at which the loss jumps, the rate is cut, and each cut follows from the losses recorded before."""
    options = "--set", "decay={kind: plateau, patience: 2, factor: 0.5}", "--set", "eta=0.5", "--set", "epochs=12"
    run("train", "--config", small_config, "--runs-dir", tmp_path / "runs", "--no-figures", *options)
    (path,) = (tmp_path / "runs").iterdir()
    rows = RunFolder(path).read_metrics()
    losses = [row["validation_loss"] for row in rows]
    for epoch, row in enumerate(rows):
        assert row["eta"] == 0.5 * plateau(2, 0.5)(epoch, losses[:epoch])
    assert rows[-1]["eta"] < 0.5


def test_bad_decay_is_refused_with_its_place(run, small_config):
    for decay, expected in (
        ("{kind: steps}", "decay.kind: must be one of 'none', 'step', 'plateau', 'cosine', found \"steps\""),
        ("{kind: step}", "decay.every: missing (epochs between two cuts of eta)"),
        ("{kind: step, every: 2, factor: 1}", "decay.factor: must be less than 1, found 1"),
        ("{kind: cosine, every: 2}", "decay.every: does not apply with the other settings here; leave it out"),
        ("step", 'decay: must be a mapping of keys, found "step"'),
    ):
        result = run("config", "show", small_config, "--set", f"decay={decay}")
        assert result.exit_code == 2
        assert expected in result.stderr


def test_runs_with_other_decays_share_a_pass_and_learn_what_they_would_alone(make_config, dataset, tmp_path):
    decays = {"kind": "none"}, {"kind": "step", "every": 1, "factor": 0.5}, {"kind": "plateau", "patience": 1}
    configs = [make_config(decay=decay, dtype="float64") for decay in decays]
    group = [RunFolder.create(tmp_path, "group") for _ in configs]
    run_group(configs, group, dataset, lambda _: None)
    for config, stacked in zip(configs, group, strict=True):
        alone = RunFolder.create(tmp_path, "alone")
        run_group([config], [alone], dataset, lambda _: None)
        np.testing.assert_allclose(stacked.read_model().W, alone.read_model().W, rtol=0, atol=1e-12)
        assert [row["eta"] for row in stacked.read_metrics()] == [row["eta"] for row in alone.read_metrics()]


def test_runs_that_see_other_batches_cannot_share_a_pass(make_config, dataset, tmp_path):
    folders = [RunFolder.create(tmp_path, "group") for _ in range(2)]
    with pytest.raises(ValueError, match="may differ in lambda, eta, decay and momentum only"):
        run_group([make_config(seed=1), make_config(seed=2)], folders, dataset, lambda _: None)
