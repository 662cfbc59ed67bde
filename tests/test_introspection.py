"""What a network has learnt, as numbers and in its run folder."""

from dataclasses import replace

import numpy as np
import pytest
from folders import stopped_after

from cifar_linear.errors import RunError
from cifar_linear.experiments import introspection
from cifar_linear.experiments.assembly import Group
from cifar_linear.experiments.introspection import introspect
from cifar_linear.experiments.loading import load_dataset
from cifar_linear.experiments.resume import resume_run, resumed_config
from cifar_linear.experiments.run import run_group
from cifar_linear.nn.introspection import (
    SQUARE,
    STEP,
    agreement,
    first_filters,
    occlusion,
    patch,
    peaks,
    saliency,
)
from cifar_linear.nn.layers import Conv, Flatten, Linear, MaxPool, ReLU
from cifar_linear.nn.network import Network
from cifar_linear.nn.parameters import stacked
from cifar_linear.nn.standardization import Standardization
from cifar_linear.report.collecting import Run
from cifar_linear.report.networks import filters
from cifar_linear.runs.folder import RunFolder

SHAPE = (2, 8, 8)
LAYERS = (Conv(3, 3, padding=1, stride=2), ReLU(), MaxPool(2), Conv(4, 3, padding=1), ReLU(), Flatten(), Linear(3))


@pytest.fixture
def network():
    """A small one on raw pixels, in double precision."""
    rng = np.random.default_rng(0)
    seen = Standardization(rng.uniform(0.3, 0.6, 128), rng.uniform(0.1, 0.3, 128))
    return Network(LAYERS, SHAPE, standardization=seen)


@pytest.fixture
def parameters(network):
    return stacked([network.initial(np.random.default_rng(1))])


@pytest.fixture
def pixels():
    return np.random.default_rng(2).uniform(0, 255, (5, 128))


def test_saliency_is_the_largest_difference_quotient_of_the_channels(network, parameters, pixels):
    classes, h = np.array([0, 1, 2, 0, 1]), 1e-4
    moved = np.repeat(pixels, 128, axis=0).reshape(5, 128, 128)
    up, down = (
        network.scores([(moved + sign * h * np.eye(128)).reshape(-1, 128)], parameters)[:, 0] for sign in (1, -1)
    )
    slopes = ((up - down) / (2 * h)).reshape(5, 128, 3)[np.arange(5), :, classes]
    expected = np.abs(slopes.reshape(5, *SHAPE)).max(axis=1)
    found = saliency(network, pixels, classes, parameters)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-8)
    assert found.max() > 1e-3


@pytest.mark.parametrize("index", [0, 1, 2, 3, 4])
def test_an_output_depends_on_its_receptive_field_and_on_no_other_pixel(network, pixels, index):
    """With positive weights every pixel of the field counts."""
    rng = np.random.default_rng(3)
    positive = {name: rng.uniform(0.5, 1, (1, *shape)) for name, shape in network.parameter_shapes.items()}
    plain = replace(network, standardization=None, layers=tuple(_plain(layer) for layer in network.layers))
    field = network.receptive_field(index)
    assert field.size == plain.receptive_field(index).size

    def output(images):
        for (_, y), _ in zip(plain.activations(images, positive), range(index + 1), strict=False):
            last = y[0]
        return last

    i, j = 1, 0
    base = output(pixels[:1])[0, i, j, 0]
    changed = np.zeros(SHAPE[1:], bool)
    for row, column in np.ndindex(*SHAPE[1:]):
        other = pixels[:1].reshape(1, *SHAPE).copy()
        other[:, :, row, column] += 1000
        changed[row, column] = output(other.reshape(1, -1))[0, i, j, 0] != base
    expected = np.zeros_like(changed)
    top, left = (max(0, field.first + field.step * place) for place in (i, j))
    bottom, right = (field.first + field.step * place + field.size for place in (i, j))
    expected[top:bottom, left:right] = True
    np.testing.assert_array_equal(changed, expected)


def _plain(layer):
    """A layer with the same windows to whose output every input contributes: sums in place of maxima."""
    return Summed(layer.size) if layer.kind == "maxpool" else layer


class Summed(MaxPool):
    def forward(self, x, _parameters):
        runs, channels, rows, columns, n = x.shape
        windows = x.reshape(runs, channels, rows // self.size, self.size, columns // self.size, self.size, n)
        return windows.sum(axis=(3, 5)), None


def test_occlusion_is_the_fall_of_the_score_when_a_square_shows_the_mean(network, parameters, pixels):
    """Square by square, as one would write it first."""
    classes, mean = np.array([2, 0]), network.standardization.shift
    found = occlusion(network, pixels[:2], classes, parameters, mean)
    assert found.shape == (2, 3, 3)
    for n, i, j in np.ndindex(found.shape):
        covered = pixels[n].reshape(SHAPE).copy()
        square = np.s_[:, STEP * i : STEP * i + SQUARE, STEP * j : STEP * j + SQUARE]
        covered[square] = mean.reshape(SHAPE)[square]
        before, after = network.scores([np.stack([pixels[n], covered.ravel()])], parameters)[:, 0, classes[n]]
        assert found[n, i, j] == pytest.approx(before - after, rel=1e-10, abs=1e-12)


def test_agreement_is_one_for_the_same_order_and_nothing_where_a_map_is_flat():
    rng = np.random.default_rng(4)
    fine = rng.uniform(size=(8, 8))
    sums = np.array([[fine[i : i + 4, j : j + 4].sum() for j in (0, 2, 4)] for i in (0, 2, 4)])
    assert agreement(fine, -(sums**3)) == pytest.approx(1)
    assert agreement(fine, sums.max() - sums) == pytest.approx(-1)
    assert np.isnan(agreement(fine, np.ones((3, 3))))
    assert np.isnan(agreement(np.zeros((8, 8)), sums))


def test_equal_values_share_their_mean_rank():
    fine = np.zeros((4, 6))
    fine[:, 4:] = 1
    assert agreement(fine, np.array([[2.0, 5.0]])) == pytest.approx(1)
    # Ranks 1.5, 1.5, 3 against 1, 2, 3.
    wide = np.zeros((4, 8))
    wide[:, 6:] = 1
    expected = np.corrcoef([1.5, 1.5, 3], [1, 2, 3])[0, 1]
    assert agreement(wide, np.array([[1.0, 2.0, 3.0]])) == pytest.approx(expected)


def test_first_filters_are_small_images(network, parameters):
    own = {name: array[0] for name, array in parameters.items()}
    np.testing.assert_array_equal(first_filters(network, own), own["conv1.W"])
    hidden = Network((Flatten(), Linear(5), ReLU(), Linear(3)), SHAPE)
    weights = hidden.initial(np.random.default_rng(0))
    np.testing.assert_array_equal(first_filters(hidden, weights).reshape(5, -1), weights["linear1.W"])
    blind = Network((ReLU(), Flatten(), ReLU(), Linear(3)), SHAPE)
    assert first_filters(blind, blind.initial(np.random.default_rng(0))) is None


def test_peaks_are_found_in_each_image():
    y = np.zeros((2, 3, 4, 2))
    y[0, 2, 1, 0], y[1, 0, 3, 0], y[0, 1, 1, 1] = 5, 7, 2
    values, places = peaks(y)
    np.testing.assert_array_equal(values, [[5, 2], [7, 0]])
    np.testing.assert_array_equal(places, [[2 * 4 + 1, 4 + 1], [3, 0]])


@pytest.mark.parametrize(("row", "column"), [(0, 0), (-2, 1), (3, -1), (4, 4)])
def test_a_patch_outside_of_the_image_has_the_colour_of_outside(row, column):
    image, outside = np.arange(72, dtype=np.uint8).reshape(2, 6, 6), np.array([200, 250], np.uint8)
    found = patch(image, row, column, 3, outside)
    for c, i, j in np.ndindex(found.shape):
        inside = 0 <= row + i < 6 and 0 <= column + j < 6
        assert found[c, i, j] == (image[c, row + i, column + j] if inside else outside[c])


NETWORK = {
    "kind": "network",
    "layers": [{"maxpool": 4}, {"conv": {"filters": 4, "kernel": 3, "padding": 1}}, "relu", "flatten", "linear"],
}


@pytest.fixture
def finished(trained):
    """A finished run of a small network."""
    return trained(model=NETWORK, eta=0.1)


def test_a_finished_network_keeps_a_look_inside(finished):
    network, test = finished.config().network(), load_dataset(finished.config()).test
    inside = finished.read_introspection(network, 60)
    np.testing.assert_array_equal(inside.images, test.images[inside.indices])
    assert test.labels[inside.indices].tolist() == sorted(set(test.labels.tolist()))
    for k, index in enumerate(inside.indices):
        assert (test.labels[:index] != test.labels[index]).all(), f"image {k} is the first of its class"
    assert {name: maps.shape[1:] for name, maps in inside.maps.items()} == {
        "maxpool": (3, 8, 8),
        "conv1": (4, 8, 8),
        "relu": (4, 8, 8),
    }
    assert inside.patches.shape == (4, 9, 3, 12, 12)
    assert inside.searched == 60
    assert (finished.path / "introspection.npz").stat().st_size < 2**20


def test_maps_are_the_outputs_in_127ths_of_the_largest_of_a_channel(finished):
    config, model = finished.config(), finished.read_model()
    network = replace(config.network(), standardization=Standardization(model.mean, model.std))
    inside = finished.read_introspection(network, 60)
    outputs = dict(network.activations(inside.images.astype(np.float32), stacked([model.parameters])))
    for name, maps in inside.maps.items():
        y = outputs[name][0].transpose(3, 0, 1, 2)
        peak = np.abs(y).max(axis=(0, 2, 3), keepdims=True)
        np.testing.assert_allclose(maps * peak / 127, y, atol=0.5 / 127 * peak.max() * 1.001)


def test_the_strongest_patch_gives_the_strongest_response(finished):
    """Among the test images; seen by the filter alone, without what is around it."""
    config, model, dataset = finished.config(), finished.read_model(), load_dataset(finished.config())
    network = replace(config.network(), standardization=Standardization(model.mean, model.std))
    inside = finished.read_introspection(network, 60)
    outputs = dict(network.activations(dataset.test.images.astype(np.float32), stacked([model.parameters])))
    for f, patches in enumerate(inside.patches):
        _, i, j, n = np.unravel_index(outputs["conv1"][0, f : f + 1].argmax(), (1, 8, 8, 60))
        # The field of 12 pixels begins 4 pixels, a window of the pool, above and left of the output's own.
        image = np.pad(dataset.test.images[n].reshape(3, 32, 32), ((0, 0), (4, 4), (4, 4)))
        square, visible = (np.s_[:, 4 * i : 4 * i + 12, 4 * j : 4 * j + 12], np.zeros((3, 40, 40), bool))
        visible[:, 4:36, 4:36] = True
        np.testing.assert_array_equal(patches[0][visible[square]], image[square][visible[square]])


def test_filters_that_no_image_excites_are_dead(finished):
    config, model, dataset = finished.config(), finished.read_model(), load_dataset(finished.config())
    network = replace(config.network(), standardization=Standardization(model.mean, model.std))
    parameters = stacked([model.parameters])
    parameters["conv1.b"][0, 2] = -1e6
    inside = introspect(network, parameters, dataset.test, np.zeros(60, int))
    assert inside.dead["relu"][2]
    assert not inside.dead["relu"].all()
    assert not inside.maps["relu"][:, 2].any()


def test_the_same_run_has_the_same_look_inside_to_the_byte(finished, tmp_path):
    again = RunFolder.create(tmp_path, "again")
    run_group([finished.config()], [again], load_dataset(finished.config()), lambda _: None)
    ours, theirs = ((folder.path / "introspection.npz").read_bytes() for folder in (finished, again))
    assert ours == theirs


def test_a_run_that_goes_on_loses_its_look_inside(finished, monkeypatch):
    """It describes the run as it was."""
    monkeypatch.setattr(introspection, "_SEARCHED", 30)
    config = resumed_config(finished, ["epochs=5"])
    with pytest.raises(KeyboardInterrupt):
        resume_run(finished, config, load_dataset(config), stopped_after(1), lambda: None)
    assert not (finished.path / "introspection.npz").exists()
    resume_run(finished, config, load_dataset(config), lambda _: None, lambda: None)
    assert finished.read_introspection(config.network(), 60).searched == 30


def test_linear_runs_have_none(trained):
    folder = trained()
    assert folder.config().network() is None
    assert not (folder.path / "introspection.npz").exists()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"maps.conv1": np.zeros((10, 5, 8, 8), np.int8)}, "arrays do not fit the network"),
        ({"maps.conv1": np.zeros((10, 4, 8, 8), np.float32)}, "maps.conv1 is float32, expected int8"),
        ({"maps.conv9": np.zeros((10, 4, 8, 8), np.int8)}, "arrays do not fit the network"),
        ({"dead.relu": np.zeros(4)}, "dead.relu is float64, expected bool"),
        ({"patches": np.zeros((4, 9, 3, 5, 5), np.uint8)}, "arrays do not fit the network"),
        ({"saliency": np.full((10, 32, 32), np.nan)}, "saliency and occlusion must be finite"),
        ({"indices": np.full(10, 60)}, "indices must be integers from 0 to 59"),
        ({"searched": np.array(61)}, "searched must be 1 to 60"),
        ({"searched": np.array("x")}, "searched must be 1 to 60"),
        ({"indices": np.zeros(11, int)}, "there must be an image of each class, or of some"),
        ({"indices": np.zeros(0, int)}, "there must be an image of each class, or of some"),
        ({"surplus": np.zeros(3)}, "wrong arrays in it"),
        ({"images": None}, "wrong arrays in it"),
    ],
)  # fmt: skip
def test_contents_that_no_such_network_gave_are_refused_in_a_line(finished, change, said):
    path = finished.path / "introspection.npz"
    arrays = {name: array for name, array in (dict(np.load(path)) | change).items() if array is not None}
    np.savez(path, **arrays)
    with pytest.raises(RunError) as refused:
        finished.read_introspection(finished.config().network(), 60)
    assert str(refused.value) == f"{path}: damaged: {said}"


def test_first_weights_of_a_group_are_those_that_a_config_draws_again(finished):
    """What the figure before training rests on."""
    (drawing,) = filters({"run": Run.read(finished.path)})
    before = drawing.draw.args[0]["before training"]
    state = Group.of([finished.config()], load_dataset(finished.config())).first_state()
    np.testing.assert_array_equal(before.astype(np.float32), state.parameters["conv1.W"][0])
    after = drawing.draw.args[0]["after training"]
    np.testing.assert_array_equal(after, finished.read_model().parameters["conv1.W"])
