"""Curvature against the Hessian written out, and sentences against the numbers that must support them."""

import json
from dataclasses import replace

import numpy as np
import pytest

from cifar_linear.data.dataset import Dataset, Split
from cifar_linear.experiments.diagnosis import sentences, stable_rate
from cifar_linear.experiments.facts import Facts, facts_after, facts_before
from cifar_linear.experiments.introspection import dead_channels
from cifar_linear.experiments.loading import load_dataset
from cifar_linear.experiments.sensitivity import sensitivity
from cifar_linear.nn.curvature import curvature_along, largest_curvature
from cifar_linear.nn.gradient_noise import GradientNoise, gradient_noise
from cifar_linear.nn.layers import Conv, Flatten, Linear, ReLU
from cifar_linear.nn.losses import LOSSES
from cifar_linear.nn.network import Network
from cifar_linear.nn.objective import Objective
from cifar_linear.runs.record import Sensitivity

QUIET = Facts(
    eta=0.01, shrinking=0.0, curvature_at_start=100, curvature_at_end=50, sure=(0.0, 0.0), penalty_share=0.1,
    training=(0.95, 10_000), validation=(0.94, 10_000), late_fall=0.001, n_batch=50,
)  # fmt: skip
PARTED = Sensitivity(apart=0.3, train_cost=(4.4, 4.7), validation_accuracy=(0.27, 0.26))
TOGETHER = Sensitivity(apart=1e-6, train_cost=(1.7, 1.7), validation_accuracy=(0.38, 0.38))


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


@pytest.mark.parametrize("momentum", [0.5, 0.9])
def test_with_momentum_the_stable_rate_is_larger_and_no_larger_than_that(momentum):
    """The moving average of the gradients, on a quadratic: it settles below the rate and grows above it."""
    for share, grows in ((0.97, False), (1.03, True)):
        point, velocity, curvature = 1.0, 0.0, 10.0
        for _ in range(2000):
            velocity = momentum * velocity + (1 - momentum) * curvature * point
            point -= share * stable_rate(curvature, momentum) * velocity
            if abs(point) > 1e9:
                break
        assert (abs(point) > 1) == grows


def test_steps_with_the_useful_rate_gain_as_much_as_their_noise_takes_back():
    """On a quadratic, whose mean change over all batches is known exactly; smaller steps gain, larger ones lose."""
    rng = np.random.default_rng(0)
    A = rng.normal(size=(5, 5))
    H, point = A @ A.T, {"a": rng.normal(size=5)}
    noise = rng.normal(size=(12, 5))
    of_batches = [{"a": H @ point["a"] + each} for each in noise - noise.mean(axis=0)]
    found = gradient_noise({"a": H @ point["a"]}, of_batches, lambda at: {"a": H @ at["a"]}, point)

    def change(eta):
        ends = [point["a"] - eta * each["a"] for each in of_batches]
        return np.mean([end @ H @ end / 2 for end in ends]) - point["a"] @ H @ point["a"] / 2

    assert change(found.useful_rate) == pytest.approx(0, abs=1e-6 * abs(change(found.useful_rate / 2)))
    assert change(0.9 * found.useful_rate) < 0 < change(1.1 * found.useful_rate)
    squares = [each["a"] @ each["a"] for each in of_batches]
    assert found.agreement == pytest.approx(np.sum((H @ point["a"]) ** 2) / np.mean(squares))


def test_batches_that_agree_are_no_noise_and_a_flat_cost_limits_no_rate():
    same = {"a": np.array([1.0, 2.0])}
    found = gradient_noise(same, [same, same], lambda at: {"a": np.zeros_like(at["a"])}, {"a": np.zeros(2)})
    assert found == GradientNoise(1.0, None)
    nothing = {"a": np.zeros(2)}
    assert gradient_noise(nothing, [nothing], lambda at: at, {"a": np.zeros(2)}) == GradientNoise(1.0, None)


def test_the_curvature_along_a_direction_is_per_unit_of_its_length():
    H = np.diag([10.0, 1.0])
    for direction in ([1.0, 0.0], [0.0, 300.0], [3.0, 4.0]):
        v = np.array(direction)
        found = curvature_along(lambda at: {"a": H @ at["a"]}, {"a": np.ones(2)}, {"a": v})
        assert found == pytest.approx(v @ H @ v / (v @ v))


def test_dead_channels_are_those_that_no_image_excites():
    """A slow twin: every activation of every image, in one go."""
    network = Network((Conv(6, 3), ReLU(), Flatten(), Linear(8), ReLU(), Linear(3)), (1, 4, 4))
    rng = np.random.default_rng(0)
    parameters = {name: array[None] for name, array in network.initial(rng).items()}
    for name, array in parameters.items():
        if name.endswith(".b"):
            array[:, ::2] = -1e4
    images = Split(rng.integers(0, 256, (100, 16), dtype=np.uint8), np.zeros(100, int))
    found = dead_channels(network, parameters, images)
    outputs = dict(network.activations(images.images.astype(float), parameters))
    assert sum(channels.sum() for channels in found.values()) >= 7
    for name, channels in found.items():
        np.testing.assert_array_equal(channels, [not (channel > 0).any() for channel in outputs[name][0]])


def said(facts):
    return "\n".join(sentences(facts))


def test_nothing_is_said_of_numbers_that_support_nothing():
    assert not said(QUIET)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"eta": 0.1}, "rate: eta 0.1 is 5 times the largest stable rate at the start, 0.02"),
        (
            {"eta": 0.1},
            "rate: at the end eta is 0.1, 2.5 times the largest stable rate, 0.04: the cost does not settle",
        ),
        ({"eta": 0.001}, "rate: eta 0.001 is stable and could be up to 20 times as large (0.02)"),
        ({"shrinking": 1.5}, "rate: eta * lambda is 1.5; above 1 the penalty alone makes W grow"),
        ({"diverged_at": 7, "eta": 0.1}, "diverged at step 7: eta 0.1 is 5 times the largest stable rate"),
        ({"diverged_at": 7, "shrinking": 3.0}, "diverged at step 7: eta * lambda is 3, and above 1"),
        ({"sure": (0.3, 0.6)}, "saturation: 30 % of the validation images get a probability above 0.99, and 60 %"),
        ({"penalty_share": 0.6}, "penalty: it is 60.0 % of the training cost"),
        ({"training": (0.6, 10_000), "validation": (0.39, 10_000)}, "over-fitting: training accuracy is 21.0 ± 1.4"),
        ({"late_fall": 0.02}, "unfinished: the training cost still fell by 2.0 %"),
        (
            {"eta": 0.1, "momentum": 0.5},
            "eta 0.1 is 1.7 times the largest stable rate at the start, 0.06 (2 / curvature *",
        ),
        (
            {"eta_at_end": 0.08},
            "rate: at the end eta is 0.08, 2 times the largest stable rate, 0.04: the cost does not settle",
        ),
        (
            {"diverged_at": 7, "curvature_at_end": 1000},
            "diverged at step 7: eta 0.01 is 5 times the largest stable rate at its last finite weights, 0.002",
        ),
        (
            {"noise_at_end": GradientNoise(0.02, 0.008)},
            "noise: at the end, batches of 50 images share 2 % of the squares of their gradients; with eta 0.01 their "
            "noise takes back 125 % of what a step gains",
        ),
        ({"noise_at_start": GradientNoise(0.5, 0.015)}, "noise: at the start, batches of 50 images share 50 %"),
        ({"noise_at_end": GradientNoise(0.0, 0.0)}, "takes back all of what a step gains"),
        (
            {"training": (0.4, 10_000), "validation": (0.39, 10_000)},
            "under-fitting: 60.0 ± 1.0 % of the training images are wrong, and validation accuracy is only 1.0 ± 1.4",
        ),
        ({"dead": {"relu1": (3, 20), "relu2": (2, 20)}}, "dead: 3 of the 20 channels of relu1 are 0"),
        ({"sensitivity": PARTED}, "rounding: with one bit of one first weight changed, the last weights are 30 %"),
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
        ({"eta": 0.05, "momentum": 0.5, "eta_at_end": 0.01}, "rate"),
        ({"eta": 0.02, "eta_at_end": 0.001, "curvature_at_end": 1000}, "the cost does not settle"),
        ({"diverged_at": 7, "curvature_at_end": 100}, ":"),
        ({"noise_at_end": GradientNoise(0.02, 0.021)}, "noise"),
        ({"noise_at_end": GradientNoise(0.02, None)}, "noise"),
        ({"noise_at_end": GradientNoise(0.02, 0.008), "eta": 0.1}, "noise"),
        ({"noise_at_start": GradientNoise(0.5, 0.003), "eta": 0.001}, "would be"),
        ({"training": (0.95, 10_000), "validation": (0.949, 10_000)}, "under-fitting"),
        ({"training": (0.4, 10_000), "validation": (0.35, 10_000)}, "fitting"),
        ({"training": (0.6, 50), "validation": (0.6, 50)}, "under-fitting"),
        ({"dead": {"relu1": (2, 20)}}, "dead"),
        ({"sensitivity": TOGETHER}, "rounding"),
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
    step = folder.read_record().error.partition(" at step ")[2].split()[0]
    assert int(step) > folder.read_record().step
    assert f"diverged at step {step}: " in run("diagnose", folder.path).stdout
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


def test_a_run_whose_rate_has_fallen_is_judged_by_its_last_one(trained):
    """Eta is far too large at the start and, after the cuts, small enough at the end."""
    folder = trained(eta=1.0, epochs=9, decay={"kind": "step", "every": 3, "factor": 0.01})
    facts = facts_after(folder, load_dataset(folder.config()))
    assert (facts.eta, facts.eta_at_end) == (1.0, pytest.approx(1e-4))
    assert "largest stable rate at the start" in said(facts)
    assert "the cost does not settle" not in said(facts)


def test_a_mean_of_weights_has_no_noise_of_its_own(trained):
    def facts(**changes):
        folder = trained(**changes)
        return facts_after(folder, load_dataset(folder.config()))

    assert facts().noise_at_end.agreement < 1
    assert facts(averaging={"from_epoch": 2}).noise_at_end is None


def test_a_single_batch_has_no_noise(make_config, dataset):
    assert facts_before(make_config(n_batch=60), dataset).noise_at_start is None
    assert facts_before(make_config(n_batch=30), dataset).noise_at_start.useful_rate > 0


def test_networks_have_their_dead_channels_counted(trained):
    layers = [{"conv": {"filters": 4, "kernel": 5, "stride": 3}}, "relu", "flatten", "linear"]
    folder = trained(model={"kind": "network", "layers": layers})
    assert [channels for _, channels in facts_after(folder, load_dataset(folder.config())).dead.values()] == [4]
    assert facts_after(folder := trained(), load_dataset(folder.config())).dead is None


def nothing(*_):
    pass


def test_one_bit_becomes_another_result_at_a_large_rate_only(make_config):
    """On random labels, which no weights get all right."""
    rng = np.random.default_rng(0)
    split = Split(rng.integers(0, 256, (200, 12), dtype=np.uint8), rng.integers(0, 10, 200))
    dataset = Dataset(split, split, None, tuple("abcdefghij"), (3, 2, 2))
    stable, parted = (sensitivity(make_config(eta=eta, epochs=60), dataset, nothing, nothing) for eta in (0.01, 10.0))
    assert 0 < stable.apart < 1e-5
    assert stable.train_cost[0] == pytest.approx(stable.train_cost[1], rel=1e-5)
    assert not stable.depends_on_rounding
    assert parted.depends_on_rounding
    assert parted.train_cost[0] != pytest.approx(parted.train_cost[1], rel=1e-3)


def test_the_twin_differs_in_one_bit_of_one_weight(make_config, dataset, monkeypatch):
    """The last of a number that the cost depends on."""
    states = []
    monkeypatch.setattr("cifar_linear.experiments.assembly.train", lambda state, *_, **__: states.append(state) or [])
    sensitivity(make_config(), dataset, nothing, nothing)
    differing = [(array[0], array[1]) for array in states[0].parameters.values() if (array[0] != array[1]).any()]
    ((first, second),) = differing
    (place,) = np.argwhere(first != second)
    assert second[tuple(place)] == np.nextafter(first[tuple(place)], np.float32(np.inf))


def test_sensitivity_is_measured_once_and_kept_for_reports(run, trained):
    folder = trained()
    told = json.loads(run("diagnose", folder.path, "--sensitivity", "--json").stdout)
    assert told["sensitivity"]["apart"] == folder.read_sensitivity().apart < 1e-5
    assert "rounding" not in run("diagnose", folder.path).stdout
    folder.write_sensitivity(PARTED)
    assert "the metrics depend on rounding" in run("diagnose", folder.path).stdout
    assert run("report", folder.path).exit_code == 0
    assert "the metrics depend on rounding. Compare means over seeds" in (folder.path / "report.md").read_text()
    assert run("train", "--resume", folder.path, "--set", "epochs=4", "--no-figures").exit_code == 0
    assert folder.read_sensitivity() is None


def test_a_config_can_be_measured_before_it_is_trained(run, small_config, runs_dir):
    result = run("diagnose", "--config", small_config, "--sensitivity", "--json", "--runs-dir", runs_dir)
    assert 0 < json.loads(result.stdout)["sensitivity"]["apart"] < 1e-5
    assert not runs_dir.exists()


def test_a_plan_says_what_diagnose_says_and_trains_nothing(run, small_config, runs_dir):
    options = (small_config, "--set", "eta=10", "--runs-dir", runs_dir)
    planned = run("train", *options, "--plan")
    assert planned.exit_code == 0, planned.stderr
    first, *rest = planned.stdout.splitlines()
    assert first.startswith("9 updates, about ")
    assert "\n".join(rest) == run("diagnose", "--config", small_config, "--set", "eta=10").stdout.rstrip()
    assert "every step overshoots" in planned.stdout
    document = json.loads(run("train", *options, "--plan", "--json").stdout)
    assert (document["updates"], document["diagnosis"]["eta"]) == (9, 10)
    assert document["seconds"] > 0
    assert not runs_dir.exists()
    for words in (("--resume", "last", "--plan"), (small_config, "--plan", "--seeds", 2)):
        assert run("train", *words).exit_code == 2


@pytest.mark.parametrize("options", [(), ("--sensitivity",)], ids=["plain", "sensitivity"])
def test_runs_that_cannot_be_diagnosed_are_refused_and_stay_as_they_are(run, trained, options):
    folder = trained()
    record, config = folder.read_record(), folder.read_config().decode()

    def refused(code, message):
        before = {path: path.read_bytes() for path in folder.path.iterdir()}
        result = run("diagnose", folder.path, *options)
        assert result.exit_code == code
        assert message in result.stderr
        assert result.stderr.count("\n") == 1
        assert {path: path.read_bytes() for path in folder.path.iterdir()} == before

    folder.write_config(config.replace("eta: 0.01", "eta: 0.02"))
    refused(2, "config.yaml has eta 0.02, the run was trained with 0.01")
    folder.write_config(config)
    folder.write_record(record.model_copy(update={"metrics": {}, "epoch": None, "status": "failed"}))
    refused(1, "ended before its first evaluation was saved; there is nothing to diagnose")
    folder.write_record(record)
    (folder.path / "model.npz").unlink()
    refused(1, "model.npz: missing")
