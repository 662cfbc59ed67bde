import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from cifar_linear.report.statistics import Interval, holm, mcnemar, t_quantile


@pytest.mark.parametrize("freedom", [1, 2, 3, 4, 5, 9, 30, 99, 999])
def test_quantiles_are_those_of_students_distribution(freedom):
    assert t_quantile(freedom) == pytest.approx(stats.t.ppf(0.975, freedom), rel=1e-9)


def test_interval_is_that_of_scipy():
    values = [0.391, 0.388, 0.392, 0.3905, 0.3884]
    interval = Interval.of(values)
    low, high = stats.t.interval(0.95, 4, loc=interval.mean, scale=stats.sem(values))
    assert (interval.mean - interval.half_width, interval.mean + interval.half_width) == pytest.approx((low, high))
    assert str(interval) == f"{100 * (low + high) / 2:.2f} ± {100 * (high - low) / 2:.2f} %"


def test_a_single_value_has_no_interval():
    assert Interval.of([0.4]) == (0.4, None, 1)
    assert str(Interval.of([0.4])) == "40.00 %"


@given(st.integers(0, 400), st.integers(0, 400))
def test_mcnemar_is_the_exact_binomial_test(first, second):
    expected = stats.binomtest(first, first + second).pvalue if first + second else 1.0
    assert mcnemar(first, second) == pytest.approx(expected, rel=1e-9)
    assert mcnemar(first, second) == mcnemar(second, first)


def test_mcnemar_does_not_drown_in_many_images():
    assert mcnemar(5000, 5100) == pytest.approx(stats.binomtest(5000, 10_100).pvalue)
    assert 0 < mcnemar(0, 1000) < 1e-300


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_holms_correction_never_makes_a_p_value_smaller_or_changes_their_order(p_values):
    adjusted = holm(p_values)
    assert all(p <= q <= 1 for p, q in zip(p_values, adjusted, strict=True))
    assert min(adjusted) == min(1, len(p_values) * min(p_values))
    order = sorted(range(len(p_values)), key=p_values.__getitem__)
    assert [adjusted[i] for i in order] == sorted(adjusted)
