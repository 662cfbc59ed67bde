"""Threads of the BLAS while a training is evaluated beside it."""

import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from cifar_linear.experiments import threads as of_experiments
from cifar_linear.training import threads
from cifar_linear.training.threads import with_a_core_for_evaluation


def now():
    """The largest number of threads of any BLAS."""
    return max(library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas")


def training(seen, closed=None):
    """Three evaluations; notes how many threads there are before each."""
    try:
        for number in range(3):
            seen.append(now())
            yield number
    finally:
        if closed is not None:
            closed.append(True)


@pytest.mark.parametrize(("given", "most", "expected"), [(4, None, 3), (2, None, 2), (1, None, 1), (4, 1, 1)])
def test_training_leaves_a_core_and_never_takes_more_than_it_was_given(given, most, expected, monkeypatch):
    monkeypatch.setattr(threads, "cores", lambda: 4)
    seen = []
    with threadpool_limits(given, user_api="blas"):
        assert list(with_a_core_for_evaluation(training(seen), most)) == [0, 1, 2]
    assert seen == [expected] * 3


def test_one_core_alone_is_for_both(monkeypatch):
    monkeypatch.setattr(threads, "cores", lambda: 1)
    seen = []
    list(with_a_core_for_evaluation(training(seen)))
    assert seen == [1] * 3


def test_the_caller_has_its_threads_between_two_evaluations(monkeypatch):
    monkeypatch.setattr(threads, "cores", lambda: 4)
    with threadpool_limits(4, user_api="blas"):
        assert [now() for _ in with_a_core_for_evaluation(training([]))] == [4] * 3


def test_a_training_that_is_left_is_closed():
    closed = []
    evaluations = with_a_core_for_evaluation(training([], closed))
    next(evaluations)
    evaluations.close()
    assert closed == [True]


@pytest.mark.parametrize(
    ("runs", "changes", "expected"),
    [
        (1, {}, 3),
        (100, {}, 3),
        (1, {"early_stopping": {"patience": 3}}, 3),
        (100, {"early_stopping": {"patience": 3}}, 4),
        (100, {"decay": {"kind": "plateau", "patience": 3}}, 4),
        (100, {"early_stopping": {"patience": 3}, "repro": "strict"}, 1),
    ],
)
def test_many_runs_that_wait_for_each_evaluation_have_all_cores(runs, changes, expected, make_config, monkeypatch):
    monkeypatch.setattr(of_experiments, "cores", lambda: 4)
    with threadpool_limits(4, user_api="blas"), of_experiments.blas_threads(make_config(**changes), runs):
        assert now() == expected
