from types import SimpleNamespace

from cifar_linear.report.notes import unsettled
from cifar_linear.runs.record import Sensitivity


def run_with(costs, sensitivity=None, seed="1"):
    rows = [{"train_cost": cost} for cost in costs]
    return SimpleNamespace(rows=rows, sensitivity=sensitivity, settings={"eta": str(costs), "seed": seed})


def measured(apart):
    return Sensitivity(apart=apart, train_cost=(4.4, 4.7), validation_accuracy=(0.277, 0.262))


def test_a_run_whose_cost_stays_above_its_start_is_called_sensitive():
    """As with eta 0.1 on CIFAR-10, where rounding alone changes the result."""
    (note,) = unsettled({"eta 0.1": run_with([2.4, 5.1, 3.0, 2.0, 6.2, 4.3]), "eta 0.001": run_with([2.4, 2.0, 1.8])})
    assert note.startswith("eta 0.1: in the second half of training its cost is as high as 6.200")
    assert "2.400 before the first update" in note
    assert "BLAS kernel" in note


def test_a_run_that_jumped_only_at_its_beginning_is_not():
    assert not list(unsettled({"a": run_with([2.4, 5.0, 2.0, 1.9, 1.8, 1.7]), "b": run_with([2.4])}))


def test_what_was_measured_takes_the_place_of_what_the_cost_suggests():
    """One note at most: a jumping run that rounding does not change has none, a quiet one that it does has its own."""
    jumping, quiet = [2.4, 5.1, 3.0, 2.0, 6.2, 4.3], [2.4, 2.0, 1.8]
    assert not list(unsettled({"a": run_with(jumping, measured(1e-6)), "b": run_with(quiet, measured(1e-6))}))
    for costs in (jumping, quiet):
        (note,) = unsettled({"a": run_with(costs, measured(0.3))})
        assert "the last weights are 30 % of their length apart" in note
        assert "training cost is 4.7 in place of 4.4 and validation accuracy 26.20 in place of 27.70 %" in note
        assert "before the first update" not in note


def test_seeds_of_a_setting_have_one_note():
    """Where means over seeds are compared already, the advice to compare them is left out."""
    restless = run_with([2.4, 5.1, 3.0, 2.0, 6.2, 4.3])
    seeds = {f"seed {seed}": SimpleNamespace(**{**vars(restless), "settings": {"seed": seed}}) for seed in "12"}
    (note,) = unsettled(seeds)
    assert note.startswith("2 seeds: in the second half")
    assert "Compare means" not in note
    (note,) = unsettled({"a": restless})
    assert note.endswith("Compare means over seeds, not single runs.")
