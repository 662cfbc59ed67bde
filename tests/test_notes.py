from types import SimpleNamespace

from cifar_linear.report.notes import unsettled


def run_with(costs):
    return SimpleNamespace(rows=[{"train_cost": cost} for cost in costs])


def test_a_run_whose_cost_stays_above_its_start_is_called_sensitive():
    """As with eta 0.1 on CIFAR-10, where rounding alone changes the result."""
    (note,) = unsettled({"eta 0.1": run_with([2.4, 5.1, 3.0, 2.0, 6.2, 4.3]), "eta 0.001": run_with([2.4, 2.0, 1.8])})
    assert note.startswith("eta 0.1: in the second half of training its cost is as high as 6.200")
    assert "2.400 before the first update" in note
    assert "BLAS kernel" in note


def test_a_run_that_jumped_only_at_its_beginning_is_not():
    assert not list(unsettled({"a": run_with([2.4, 5.0, 2.0, 1.9, 1.8, 1.7]), "b": run_with([2.4])}))
