"""Networks through the whole program: configs, training, resuming, verifying, sweeps, use."""

import shutil

import numpy as np
import pytest
from folders import finished_run, same, stopped_after

from cifar_linear.config.models import Config
from cifar_linear.config.reading import parse_config
from cifar_linear.errors import ConfigError, RunError
from cifar_linear.experiments.assembly import Group
from cifar_linear.experiments.classifier import Classifier
from cifar_linear.experiments.loading import load_dataset
from cifar_linear.experiments.resume import resume_run, resumed_config
from cifar_linear.experiments.run import run_group
from cifar_linear.experiments.verify import recorded_run, verify_run
from cifar_linear.runs.folder import RunFolder

LAYERS = [{"maxpool": 4}, {"conv": {"filters": 4, "kernel": 3}}, "relu", {"averagepool": 2}, "flatten", "linear"]
EVERYTHING = {
    "momentum": 0.9,
    "penalise": "all",
    "augmentation": {"flip": 0.5, "shift": 2},
    "averaging": {"from_epoch": 2, "decay": 0.9},
    "early_stopping": {"patience": 100},
    "decay": {"kind": "plateau", "patience": 1, "factor": 0.5},
    "evaluate": {"every_steps": 2, "train_images": 30},
    "record_steps": True,
    "lambda": 0.01,
}


@pytest.fixture
def network(make_config):
    """A config of a small network, with a few changes."""

    def make(layers=LAYERS, **changes):
        return make_config(model={"kind": "network", "layers": layers}, eta=0.1, **changes)

    return make


def test_a_network_learns(network, tmp_path):
    """Better than chance on images that it has not seen."""
    layers = [{"averagepool": 2}, {"conv": {"filters": 8, "kernel": 5}}, "relu", {"maxpool": 4}, "flatten", "linear"]
    record = finished_run(
        network(layers, data={"images_per_batch": 300}, epochs=8, momentum=0.9), tmp_path
    ).read_record()
    assert record.metrics["test"].accuracy > 0.5
    assert record.metrics["train"].accuracy > 0.8


@pytest.mark.parametrize("evaluations", [1, 2, 3, 5])
@pytest.mark.parametrize("changes", [{}, EVERYTHING], ids=["plain", "everything"])
def test_a_network_that_resumes_is_the_unbroken_one(network, tmp_path, changes, evaluations):
    config = network(**changes)
    whole, broken = finished_run(config, tmp_path), RunFolder.create(tmp_path, "broken")
    with pytest.raises(KeyboardInterrupt):
        run_group([config], [broken], load_dataset(config), stopped_after(min(evaluations, 4 if not changes else 5)))
    resume_run(broken, resumed_config(broken, ()), load_dataset(config), lambda _: None, lambda: None)
    same(broken, whole)


@pytest.mark.parametrize("changes", [{}, EVERYTHING], ids=["plain", "everything"])
def test_a_network_is_verified_bit_for_bit(network, tmp_path, changes):
    config = network(**changes)
    folder = finished_run(config, tmp_path)
    verification = verify_run(recorded_run(folder), load_dataset(config), lambda _: None, lambda: None)
    assert verification.confirmed, verification
    parts = [comparison.part for comparison in verification.comparisons]
    assert "model.npz" in parts


def test_runs_of_a_group_learn_what_they_would_alone(network):
    """With rates, penalties, decays and momentum of their own, in double precision to rounding."""
    settings = [
        {"lambda": 0, "eta": 0.1, "momentum": 0.5},
        {"lambda": 0.01, "eta": 0.05, "momentum": 0.9, "decay": {"kind": "step", "every": 1, "factor": 0.5}},
        {"lambda": 0.1, "eta": 0.2, "momentum": 0.0},
    ]

    def outcome(configs):
        group = Group.of(configs, load_dataset(configs[0]))
        state, batches = group.first_state(), group.batches()
        list(group.evaluations(state, batches))
        return state.parameters

    configs = []
    for setting in settings:
        tree = network(dtype="float64").to_tree() | setting
        configs.append(Config.model_validate(tree))
    together = outcome(configs)
    for run, config in enumerate(configs):
        alone = outcome([config])
        for name, array in alone.items():
            np.testing.assert_allclose(together[name][run], array[0], rtol=1e-9, atol=1e-12)


def test_momentum_and_penalty_are_those_of_the_course(network):
    """p <- p - eta (m + 2 lambda p) with m <- mu m + (1 - mu) g: the penalty stays outside the average."""
    config = network(momentum=0.8, penalise="all", dtype="float64", epochs=1, **{"lambda": 0.02})
    group = Group.of([config], load_dataset(config))
    state, batches = group.first_state(), group.batches()
    parameters = {name: array.copy() for name, array in state.parameters.items()}
    velocity = {name: np.zeros_like(array) for name, array in parameters.items()}
    for pixels, labels, _ in batches(1):
        (gradient,) = group.objective.loss_gradients(pixels, labels, parameters, np.ones(1))
        for name, array in parameters.items():
            velocity[name] = 0.8 * velocity[name] + 0.2 * gradient[name]
            parameters[name] = array - 0.1 * (velocity[name] + 2 * 0.02 * array)
    list(group.evaluations(state, group.batches()))
    for name, array in parameters.items():
        np.testing.assert_allclose(state.parameters[name], array, rtol=1e-10, atol=1e-13)
        np.testing.assert_allclose(state.velocity[name], velocity[name], rtol=1e-10, atol=1e-13)


def test_steps_train_part_of_an_epoch(network, tmp_path):
    """Five updates where an epoch has three; a cosine falls with each of them."""
    config = network(epochs=None, steps=5, decay={"kind": "cosine"}, evaluate={"every_steps": 1})
    rows = finished_run(config, tmp_path).read_metrics()
    assert [row["step"] for row in rows] == [0, 1, 2, 3, 4, 5]
    assert [row["epoch"] for row in rows] == [0, 1, 1, 1, 2, 2]
    expected = 0.1 * 0.5 * (1 + np.cos(np.pi * np.array([0, 0, 1, 2, 3, 4]) / 5))
    np.testing.assert_allclose([row["eta"] for row in rows], expected)


def test_a_run_in_steps_is_lengthened_by_steps(network, tmp_path):
    config = network(epochs=None, steps=4, evaluate={"every_steps": 2})
    dataset = load_dataset(config)
    folder, whole = finished_run(config, tmp_path), finished_run(config.model_copy(update={"steps": 7}), tmp_path)
    with pytest.raises(RunError, match="already finished; to train longer, add --set steps=N"):
        resumed_config(folder, ())
    with pytest.raises(ConfigError, match="has already trained 4 steps; steps must be at least 4, found 3"):
        resumed_config(folder, ["steps=3"])
    resume_run(folder, resumed_config(folder, ["steps=7"]), dataset, lambda _: None, lambda: None)
    same(folder, whole)


def test_a_centred_channel_has_the_mean_of_the_training_images(make_config):
    for normalize, scale, axes in (
        ("center", 255, (0, 1, 2)),
        ({"center": "channel", "scale": "unit"}, 255, (0, 2)),
        ({"center": "channel", "scale": "raw"}, 1, (0, 2)),
    ):
        config = make_config(data={"normalize": normalize})
        group = Group.of([config], load_dataset(config))
        pixels = group.dataset.train.images.reshape(60, 3, -1) / scale
        mean = np.broadcast_to(pixels.mean(axis=axes, keepdims=True), pixels.shape).reshape(60, -1)
        found = group.standardization.apply(group.dataset.train.images)
        np.testing.assert_allclose(found, pixels.reshape(60, -1) - mean, atol=1e-10)


def refusal(**changes):
    tree = {"data": {"dataset": "synthetic"}, "lambda": 0, "eta": 1, "n_batch": 1, "epochs": 1} | changes
    with pytest.raises(ConfigError) as refused:
        parse_config(str(tree).replace("None", "null").encode(), "f.yaml")
    return str(refused.value)


@pytest.mark.parametrize(
    ("layers", "said"),
    [
        (["flatten", "linear", {"conv": {"filters": 2, "kernel": 3}}], "conv1 does not fit its input of shape (10,)"),
        ([{"conv": {"filters": 2, "kernel": 4}}, "flatten", "linear"], "conv1 does not fit its input of shape (3, 32"),
        ([{"conv": {"filters": 2, "kernel": 35}}, "flatten", "linear"], "does not fit its input of shape (3, 32, 32)"),
        ([{"maxpool": 3}, "flatten", "linear"], "windows of 3 x 3 do not divide 32 x 32 pixels"),
        (["linear"], "put flatten before it"),
        (["flatten", {"linear": 7}], "linear has 7 outputs, but the loss needs 10"),
        (["flatten", "relu"], "no layer with weights"),
        (["flaten", "linear"], "model.layers.0: must be relu, flatten, globalaveragepool, linear, or one of conv"),
        ([{"conv": {"filters": 2}}, "flatten", "linear"], "model.layers.0.conv.kernel: missing"),
        ([{"conv": {"filters": 0, "kernel": 3}}], "must be greater than or equal to 1, found 0"),
        ([], "must have at least 1 item"),
    ],
)  # fmt: skip
def test_layers_that_do_not_fit_are_named_before_any_image_is_read(layers, said):
    assert said in refusal(model={"kind": "network", "layers": layers})


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"steps": 3}, "steps: give epochs or steps, not both"),
        ({"epochs": None}, "epochs: missing"),
        ({"momentum": 1.0}, "momentum: must be less than 1"),
        ({"evaluate": {"per_epoch": 2, "every_steps": 3}}, "give per_epoch or every_steps, not both"),
        ({"model": {"kind": "forest"}}, "model.kind: must be one of 'linear', 'network', found \"forest\""),
    ],
)
def test_keys_that_do_not_go_together_are_refused(changes, said):
    assert said in refusal(**changes)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"loss": "logistic", "data": {"dataset": "synthetic", "classes": [1, 2]}}, "logistic is for linear models"),
        ({"bias": "column"}, "column is for linear models"),
        ({"init_std": 0.5}, "a network has model.init"),
    ],
)
def test_what_is_for_linear_models_is_refused_for_networks(changes, said):
    assert said in refusal(model={"kind": "network", "layers": ["flatten", "linear"]}, **changes)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda arrays: {**arrays, "conv1.W": arrays["conv1.W"][:3]}, "conv1.W has the shape (3, 3, 3, 3)"),
        (lambda arrays: {name: array for name, array in arrays.items() if name != "linear.b"}, "no array linear.b"),
        (lambda arrays: {**arrays, "conv2.W": arrays["conv1.W"]}, "an array conv2.W that the config's model does not"),
        (lambda arrays: {**arrays, "conv1.b": arrays["conv1.b"] * np.nan}, "must be finite numbers"),
    ],
)
def test_weights_of_another_network_are_refused(network, tmp_path, change, said):
    folder = finished_run(network(epochs=1), tmp_path)
    stored = dict(np.load(folder.path / "model.npz"))
    np.savez(folder.path / "model.npz", **change(stored))
    with pytest.raises(RunError) as refused:
        Classifier.of(folder)
    assert said in str(refused.value)


def test_a_checkpoint_of_another_network_is_refused(network, tmp_path):
    narrow = finished_run(network(epochs=1), tmp_path)
    layers = [{"maxpool": 4}, {"conv": {"filters": 5, "kernel": 3}}, *LAYERS[2:]]
    config = network(layers=layers, epochs=1)
    wide = finished_run(config, tmp_path)
    shutil.copy(narrow.path / "checkpoint.npz", wide.path / "checkpoint.npz")
    with pytest.raises(RunError, match=r"parameters\.conv1\.W has the shape \(4, 3, 3, 3\), expected \(5, 3, 3, 3\)"):
        resume_run(wide, resumed_config(wide, ["epochs=2"]), load_dataset(config), lambda _: None, lambda: None)


def test_a_network_is_swept_evaluated_and_reported(run, tmp_path, runs_dir):
    base = network_file(tmp_path)
    sweep = tmp_path / "sweep.yaml"
    sweep.write_text(f"base: {base}\ngrid:\n  eta: [0.1, 0.05]\n  momentum: [0.5, 0.9]\n")
    result = run("sweep", "--config", sweep, "--runs-dir", runs_dir, "--name", "grid")
    assert result.exit_code == 0, result.stderr
    assert len(list((runs_dir / "grid").glob("*/model.npz"))) == 4
    (folder, *_) = sorted(path for path in (runs_dir / "grid").iterdir() if (path / "predictions.npz").exists())
    assert run("evaluate", folder).exit_code == 0
    assert run("verify", folder, "-q").exit_code == 0
    assert run("report", folder).exit_code == 0
    assert (folder / "figures" / "maps-3.png").exists()


def network_file(tmp_path):
    path = tmp_path / "network.yaml"
    path.write_text(
        "data: {dataset: synthetic, images_per_batch: 60}\nlambda: 0\neta: 0.1\nn_batch: 20\nepochs: 1\n"
        "model:\n  kind: network\n  layers: [{maxpool: 4}, {conv: {filters: 4, kernel: 3}}, relu, flatten, linear]\n"
    )
    return path
