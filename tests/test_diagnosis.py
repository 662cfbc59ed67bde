"""Curvature against the Hessian written out, and sentences against the numbers that must support them."""

import json
from dataclasses import replace

import numpy as np
import pytest

from cifar_linear.experiments.diagnosis import Facts, facts_after, sentences, stable_rate
from cifar_linear.experiments.loading import load_dataset
from cifar_linear.nn.curvature import largest_curvature
from cifar_linear.nn.layers import Conv, Flatten, Linear, ReLU
from cifar_linear.nn.losses import LOSSES
from cifar_linear.nn.network import Network
from cifar_linear.nn.objective import Objective

QUIET = Facts(
    eta=0.01, shrinking=0.0, curvature_at_start=100, curvature_at_end=50, sure=(0.0, 0.0), penalty_share=0.1,
    training=(0.4, 10_000), validation=(0.39, 10_000), late_fall=0.001,
)  # fmt: skip


def test_the_curvature_of_a_quadratic_is_its_largest_eigenvalue():
    rng = np.random.default_rng(0)
    A = rng.normal(size=(6, 6))
    H = A @ A.T

    def gradient(at):
        product = H @ np.concatenate([at["a"].ravel(), at["b"]])
        return {"a": product[:4].reshape(2, 2), "b": product[4:]}

    found = largest_curvature(gradient, {"a": np.ones((2, 2)), "b": np.zeros(2)}, rng)
    assert found == pytest.approx(np.linalg.eigvalsh(H)[-1], rel=0.02)


def test_a_flat_cost_has_no_curvature_and_any_rate_is_stable():
    def gradient(at):
        return {"a": np.ones_like(at["a"])}

    assert largest_curvature(gradient, {"a": np.zeros(3)}, np.random.default_rng(0)) == 0
    assert stable_rate(0) == float("inf")


def test_the_curvature_of_a_network_is_that_of_its_hessian():
    network = Network((Conv(2, 3), ReLU(), Flatten(), Linear(3)), (1, 4, 4))
    rng = np.random.default_rng(1)
    pixels, labels = rng.normal(size=(20, 16)), rng.integers(0, 3, 20)
    objective = Objective(network, LOSSES["softmax"], np.array([0.01]))
    point = {name: array[None] for name, array in network.initial(rng).items()}

    def gradient(at):
        (found,) = objective.gradients(pixels, labels, at)
        return {name: array[None].copy() for name, array in found.items()}

    def moved(name, place, step):
        changed = {other: array.copy() for other, array in point.items()}
        changed[name][place] += step
        return np.concatenate([array.ravel() for array in gradient(changed).values()])

    places = [(name, place) for name, array in point.items() for place in np.ndindex(array.shape)]
    hessian = np.array([moved(*place, 1e-5) - moved(*place, -1e-5) for place in places]) / 2e-5
    values = np.linalg.eigvalsh((hessian + hessian.T) / 2)
    assert largest_curvature(gradient, point, rng, most=300) == pytest.approx(max(values, key=abs), rel=0.03)


def test_a_rate_below_the_stable_one_settles_and_one_above_it_does_not():
    H = np.diag([10.0, 1.0])
    stable = stable_rate(largest_curvature(lambda at: {"a": H @ at["a"]}, {"a": np.ones(2)}, np.random.default_rng(0)))
    for eta, grows in ((0.9 * stable, False), (1.1 * stable, True)):
        point = np.ones(2)
        for _ in range(100):
            point = point - eta * H @ point
        assert (np.linalg.norm(point) > 1) == grows


def said(facts):
    return "\n".join(sentences(facts))


def test_nothing_is_said_of_numbers_that_support_nothing():
    assert not said(QUIET)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"eta": 0.1}, "rate: eta 0.1 is 5 times the largest stable rate at the start, 0.02"),
        ({"eta": 0.1}, "rate: at the end eta is 2.5 times the largest stable rate, 0.04: nothing settles"),
        ({"eta": 0.001}, "rate: eta 0.001 is stable; up to 0.02, 20 times as much, would be"),
        ({"shrinking": 1.5}, "rate: eta * lambda is 1.5; above 1 the penalty alone makes W grow"),
        ({"diverged_at": 7, "eta": 0.1}, "diverged at step 7: eta 0.1 is 5 times the largest stable rate"),
        ({"diverged_at": 7, "shrinking": 3.0}, "diverged at step 7: eta * lambda is 3, and above 1"),
        ({"sure": (0.3, 0.6)}, "saturation: 30 % of the validation images get a probability above 0.99, and 60 %"),
        ({"penalty_share": 0.6}, "penalty: it is 60 % of the training cost"),
        ({"training": (0.6, 10_000)}, "over-fitting: training accuracy is 21.0 ± 1.4 points above"),
        ({"late_fall": 0.02}, "unfinished: the training cost still fell by 2.0 %"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_each_sentence_is_said_of_the_number_that_supports_it(changes, sentence):
    assert sentence in said(replace(QUIET, **changes))


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"eta": 0.02}, "rate"),
        ({"shrinking": 1.0}, "rate"),
        ({"diverged_at": 7}, "rate"),
        ({"diverged_at": 7}, ":"),
        ({"sure": (0.9, 0.05)}, "saturation"),
        ({"penalty_share": 0.5}, "penalty"),
        ({"training": (0.6, 20), "validation": (0.4, 20)}, "over-fitting"),
        ({"late_fall": -0.1}, "unfinished"),
        ({"late_fall": 0.02, "eta": 0.1}, "unfinished"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_no_sentence_is_said_of_a_number_that_does_not_support_it(changes, word):
    assert word not in said(replace(QUIET, **changes))


def test_a_run_is_diagnosed_from_its_folder(run, trained):
    folder = trained(eta=1.0, epochs=12)
    result = run("diagnose", folder.path)
    assert result.exit_code == 0, result.stderr
    assert "times the largest stable rate at the start" in result.stdout
    numbers = json.loads(run("diagnose", folder.path, "--json").stdout)
    assert numbers["training"] == [folder.read_record().metrics["train"].accuracy, 60]
    assert numbers["curvature_at_end"] > 0


def test_the_step_of_divergence_is_the_records(run, trained):
    folder = trained(eta=1e5, **{"lambda": 100})
    assert folder.read_record().status == "diverged"
    assert "diverged at step " in run("diagnose", folder.path).stdout
    assert "eta * lambda is 1e+07" in run("diagnose", folder.path).stdout


def test_a_config_is_diagnosed_before_it_is_trained(run, small_config):
    result = run("diagnose", "--config", small_config, "--set", "eta=10", "--json")
    assert result.exit_code == 0, result.stderr
    numbers = json.loads(result.stdout)
    assert (numbers["eta"], numbers["curvature_at_end"], numbers["training"]) == (10, None, None)
    assert "every step overshoots" in run("diagnose", "--config", small_config, "--set", "eta=10").stdout


def test_one_of_run_and_config_is_needed(run, small_config, trained):
    folder = trained()
    for words in ((), (folder.path, "--config", small_config), (folder.path, "--set", "eta=1")):
        assert run("diagnose", *words).exit_code == 2


def test_other_images_are_refused(run, trained):
    folder = trained()
    record = folder.read_record()
    data = record.data.model_copy(update={"sha256": {**record.data.sha256, "train": "0"}})
    folder.write_record(record.model_copy(update={"data": data}))
    refused = run("diagnose", folder.path)
    assert refused.exit_code == 5
    assert "was trained with other train images than these" in refused.stderr


def test_a_run_under_way_is_refused(trained):
    folder = trained()
    with folder.locked(), pytest.raises(Exception, match="still under way"):
        facts_after(folder, load_dataset(folder.config()))
