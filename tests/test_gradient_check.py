import numpy as np
import pytest

from cifar_linear.experiments.gradient_check import check_gradients
from cifar_linear.nn.objective import Objective


def right(*point):
    """The gradients of the only run, as a group of one."""
    ((grad_W, grad_b),) = Objective.gradients(*point)
    return grad_W[None], grad_b[None]


def by_run(mistake):
    """A mistake about a whole group, told run by run as `Objective.gradients` does."""
    return lambda *point: zip(*mistake(*point), strict=True)


def missing_mean(objective, pixels, labels, W, b):
    grad_W, grad_b = right(objective, pixels, labels, W, b)
    penalty = 2 * objective.lam[:, None, None] * W
    return (grad_W - penalty) * len(pixels) + penalty, grad_b * len(pixels)


def missing_two(objective, pixels, labels, W, b):
    grad_W, grad_b = right(objective, pixels, labels, W, b)
    return grad_W - objective.lam[:, None, None] * W, grad_b


def penalised_bias(objective, pixels, labels, W, b):
    grad_W, grad_b = right(objective, pixels, labels, W, b)
    return grad_W, grad_b + 2 * objective.lam[:, None] * b


def bias_not_penalised(objective, pixels, labels, W, b):
    """Right for a bias of its own."""
    grad_W, grad_b = right(objective, pixels, labels, W, b)
    return grad_W, grad_b - 2 * objective.lam[:, None] * b * objective.bias_is_weight


def wrong_sign(objective, pixels, labels, W, b):
    return tuple(-gradient for gradient in right(objective, pixels, labels, W, b))


def missing_class_mean(objective, pixels, labels, W, b):
    """Right for softmax, K times too large for the binary cross-entropies."""
    grad_W, grad_b = right(objective, pixels, labels, W, b)
    if objective.loss.values.__name__ != "sigmoid_bce":
        return grad_W, grad_b
    penalty = 2 * objective.lam[:, None, None] * W
    return (grad_W - penalty) * b.shape[1] + penalty, grad_b * b.shape[1]


def not_unfolded(objective, pixels, labels, W, b):
    """The chain rule through the standardisation forgotten."""
    grad_W, grad_b = right(objective, pixels, labels, W, b)
    return grad_W / np.maximum(objective.standardization.scale, 1e-9), grad_b


def not_a_number(objective, pixels, labels, W, b):
    grad_W, grad_b = right(objective, pixels, labels, W, b)
    return grad_W * np.nan, grad_b


def test_the_gradients_of_training_pass_every_case(make_config, dataset):
    """Three losses, three penalties, 1 and 20 images, 20 and 3072 dimensions, W and b, both kinds of difference."""
    cases = list(check_gradients(make_config(), dataset))
    assert len(cases) == 3 * 3 * 2**4
    assert len({case[:7] for case in cases}) == len(cases)
    assert all(case.passed for case in cases), [case for case in cases if not case.passed]


@pytest.mark.parametrize("init_std", [0.0, 1.0, 10.0])
def test_right_gradients_pass_at_any_scale_of_weights(make_config, dataset, init_std):
    cases = list(check_gradients(make_config(init_std=init_std), dataset))
    assert all(case.passed for case in cases), [case for case in cases if not case.passed]


@pytest.mark.parametrize(
    ("mistake", "where"),
    [
        (missing_mean, lambda case: case.images > 1),
        (missing_two, lambda case: case.lam > 0 and case.parameter == "W"),
        (penalised_bias, lambda case: case.lam > 0 and case.parameter == "b"),
        (bias_not_penalised, lambda case: case.bias == "column" and case.parameter == "b"),
        (wrong_sign, lambda case: True),
        (missing_class_mean, lambda case: case.loss == "sigmoid_bce"),
        (not_unfolded, lambda case: case.parameter == "W"),
        (not_a_number, lambda case: True),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_planted_mistake_is_caught_exactly_where_it_shows(make_config, dataset, mistake, where):
    for case in check_gradients(make_config(), dataset, by_run(mistake)):
        assert case.passed != where(case), case


def test_command_prints_every_case_and_succeeds(run):
    result = run("gradcheck", "--set", "data.images_per_batch=60")
    assert result.exit_code == 0
    assert "all 144 gradient checks passed" in result.stdout
    assert result.stdout.count("ok\n") == 144


def test_command_exits_with_5_when_a_gradient_is_wrong(run, monkeypatch):
    monkeypatch.setattr("cifar_linear.experiments.gradient_check.check_gradients.__defaults__", (by_run(wrong_sign),))
    result = run("gradcheck", "--set", "data.images_per_batch=60")
    assert result.exit_code == 5
    assert "FAILED" in result.stdout
    assert "144 of 144 gradient checks failed" in result.stderr
