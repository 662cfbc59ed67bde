import numpy as np
import pytest

from cifar_linear.experiments.gradient_check import check_gradients
from cifar_linear.nn.objective import Objective
from cifar_linear.nn.parameters import of_run


def missing_mean(objective, pixels, gradient, parameters):
    penalty = {"W": 2 * objective.lam[0] * parameters["W"], "b": 2 * objective.lam[0] * parameters["b"]}
    penalty["b"] *= objective.model.bias_is_weight
    return {name: (part - penalty[name]) * len(pixels) + penalty[name] for name, part in gradient.items()}


def missing_two(objective, pixels, gradient, parameters):
    return {**gradient, "W": gradient["W"] - objective.lam[0] * parameters["W"]}


def penalised_bias(objective, pixels, gradient, parameters):
    return {**gradient, "b": gradient["b"] + 2 * objective.lam[0] * parameters["b"]}


def bias_not_penalised(objective, pixels, gradient, parameters):
    """Right for a bias of its own."""
    penalty = 2 * objective.lam[0] * parameters["b"] * objective.model.bias_is_weight
    return {**gradient, "b": gradient["b"] - penalty}


def wrong_sign(objective, pixels, gradient, parameters):
    return {name: -part for name, part in gradient.items()}


def missing_class_mean(objective, pixels, gradient, parameters):
    """Right for softmax, K times too large for the binary cross-entropies."""
    if objective.loss.values.__name__ != "sigmoid_bce":
        return gradient
    classes = len(parameters["b"])
    return missing_mean(objective, [None] * classes, gradient, parameters)


def not_unfolded(objective, pixels, gradient, parameters):
    """The chain rule through the standardisation forgotten."""
    return {**gradient, "W": gradient["W"] / np.maximum(objective.model.standardization.scale, 1e-9)}


def not_a_number(objective, pixels, gradient, parameters):
    return {**gradient, "W": gradient["W"] * np.nan}


def planted(mistake, right=Objective.gradients):
    """`Objective.gradients` with a mistake in the gradient of each run."""

    def gradients(objective, pixels, labels, parameters):
        for run, gradient in enumerate(right(objective, pixels, labels, parameters)):
            yield mistake(objective, pixels, gradient, of_run(parameters, run))

    return gradients


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
    for case in check_gradients(make_config(), dataset, planted(mistake)):
        assert case.passed != where(case), case


NETWORK = {
    "kind": "network",
    "layers": [
        {"maxpool": 2}, {"conv": {"filters": 3, "kernel": 3, "padding": 1}}, "relu", {"maxpool": 2},
        {"conv": {"filters": 4, "kernel": 5, "stride": 2}}, "relu", {"averagepool": 2},
        "flatten", {"linear": 6}, "relu", "linear",
    ],
}  # fmt: skip


def test_the_gradients_of_a_network_pass_every_case(make_config, dataset):
    """Two losses, three penalties, 1 and 8 images, eight parameters; to the rounding of double precision."""
    cases = list(check_gradients(make_config(model=NETWORK), dataset))
    assert len(cases) == 2 * 3 * 2 * 8
    assert {case.threshold for case in cases} == {1e-12}
    assert all(case.passed for case in cases), [case for case in cases if not case.passed]


def last_bias_of_one_image(objective, pixels, gradient, parameters):
    return {**gradient, "linear2.b": gradient["linear2.b"] / len(pixels)}


def filters_not_divided(objective, pixels, gradient, parameters):
    return {**gradient, "conv1.W": gradient["conv1.W"] * (1 + 1e-9)}


def penalty_of_the_biases(objective, pixels, gradient, parameters):
    return {**gradient, "conv2.b": gradient["conv2.b"] + 2 * objective.lam[0] * np.ones(4)}


@pytest.mark.parametrize(
    ("mistake", "where"),
    [
        (last_bias_of_one_image, lambda case: case.parameter == "linear2.b" and case.images > 1),
        (filters_not_divided, lambda case: case.parameter == "conv1.W"),
        (penalty_of_the_biases, lambda case: case.parameter == "conv2.b" and case.lam > 0),
        (wrong_sign, lambda case: True),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_a_planted_mistake_in_a_network_is_caught_exactly_where_it_shows(make_config, dataset, mistake, where):
    for case in check_gradients(make_config(model=NETWORK), dataset, planted(mistake)):
        assert case.passed != where(case), case


def test_command_prints_every_case_and_succeeds(run):
    result = run("gradcheck", "--set", "data.images_per_batch=60")
    assert result.exit_code == 0
    assert "all 144 gradient checks passed" in result.stdout
    assert result.stdout.count("ok\n") == 144


def test_command_exits_with_5_when_a_gradient_is_wrong(run, monkeypatch):
    monkeypatch.setattr(Objective, "gradients", planted(wrong_sign))
    result = run("gradcheck", "--set", "data.images_per_batch=60")
    assert result.exit_code == 5
    assert "FAILED" in result.stdout
    assert "144 of 144 gradient checks failed" in result.stderr
