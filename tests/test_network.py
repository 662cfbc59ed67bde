"""Whole networks: names, shapes, scores and gradients; and mistakes that the checks must find."""

import re
from dataclasses import replace

import autograd.numpy as anp
import numpy as np
import pytest
from autograd import grad as autograd_grad

from cifar_linear.nn.finite_differences import complex_slopes, complex_step_deviations
from cifar_linear.nn.layers import (
    AveragePool,
    Conv,
    Flatten,
    GlobalAveragePool,
    He,
    Linear,
    MaxPool,
    Normal,
    ReLU,
    conv_relu_pool,
)
from cifar_linear.nn.losses import LOSSES
from cifar_linear.nn.network import Network

BLOCK = (Conv(16, 5, 2), ReLU(), MaxPool(2))
MNIST = Network((*BLOCK, *BLOCK, Flatten(), Linear(10)), (1, 28, 28))
CIFAR10 = Network((*BLOCK, Conv(16, 5, 2), ReLU(), Flatten(), Linear(10)), (3, 32, 32))
SMALL = Network(
    (Conv(3, 3, 1), ReLU(), MaxPool(2), Conv(4, 3, 1), ReLU(), AveragePool(2), Flatten(), Linear(3)), (2, 8, 8)
)
MLP = Network((Flatten(), Linear(7), ReLU(), Linear(3)), (2, 8, 8))
ODD = Network(
    (
        ReLU(),
        Conv(4, 5, 4, stride=2),
        MaxPool(3),
        ReLU(),
        Conv(5, 1),
        ReLU(),
        Conv(3, 3, 3, stride=2),
        GlobalAveragePool(),
    ),
    (2, 8, 13),
)
NETWORKS = pytest.mark.parametrize("network", [SMALL, MLP, ODD], ids=["small", "mlp", "odd"])


def point(network, runs=1, images=4, seed=0):
    """Images with black borders as in MNIST, whose windows are tied; labels; parameters of all runs, no bias 0."""
    rng = np.random.default_rng(seed)
    pixels = rng.standard_normal((images, *network.shape))
    pixels[:, :, :3] = pixels[:, :, :, -3:] = 0
    parameters = {}
    for name, values in network.initial(rng).items():
        parameters[name] = values + 0.1 * rng.standard_normal((runs, *values.shape))
    classes = network.shapes[-1][0]
    return pixels.reshape(images, -1), rng.integers(0, classes, images), parameters


def softmax_cost(network, pixels, labels):
    return lambda parameters: LOSSES["softmax"].values(network.scores([pixels], parameters), labels).mean(axis=0)


def gradients(network, pixels, labels, parameters, loss="softmax"):
    """Of the mean loss, a mapping for each run."""
    scores, trace = network.forward(pixels, parameters)
    G = LOSSES[loss].score_gradient(scores, labels) / len(pixels)
    return list(network.backward(G, trace, parameters))


def complex_step_error(network, **of_point):
    """The largest relative error of a parameter's gradient."""
    pixels, labels, parameters = point(network, **of_point)
    (analytic,) = gradients(network, pixels, labels, parameters)
    one = {name: values[0] for name, values in parameters.items()}
    cost = softmax_cost(network, pixels, labels)
    deviations = complex_step_deviations(cost, one, analytic, np.random.default_rng(1), 5)
    assert deviations.keys() == network.parameter_shapes.keys()
    return max(found.relative for found in deviations.values())


@pytest.mark.parametrize(
    ("network", "count"),
    [
        (MNIST, 416 + 6416 + 7850),
        (CIFAR10, 1216 + 6416 + 40970),
        (Network((*BLOCK, *BLOCK, Flatten(), Linear(10)), (3, 32, 32)), 17882),
        (
            Network(
                (*BLOCK, *BLOCK[:2], Conv(16, 3, 1), Flatten(), Linear(10)),
                (3, 32, 32),
            ),
            50922,
        ),
        (
            Network(
                (*BLOCK, Conv(32, 5, 2), ReLU(), MaxPool(2), Conv(32, 3, 1), ReLU(), Flatten(), Linear(10)), (3, 32, 32)
            ),
            1216 + 12832 + 9248 + 20490,
        ),
    ],
    ids=["mnist-course", "cifar10-course", "cifar10-two-pools", "fourth", "fifth"],
)
def test_parameters_are_counted_as_published(network, count):
    assert sum(row.parameters for row in network.table()) == count
    assert sum(np.prod(shape) for shape in network.parameter_shapes.values()) == count


def test_the_table_of_the_mnist_network():
    rows = {row.name: row for row in MNIST.table()}
    assert list(rows) == ["conv1", "relu1", "maxpool1", "conv2", "relu2", "maxpool2", "flatten", "linear"]
    assert rows["conv1"] == ("conv1", (16, 28, 28), 416, "16x1x5x5+16", (5, 5), 16 * 25 * 784)
    assert rows["maxpool1"] == ("maxpool1", (16, 14, 14), 0, "", (6, 6), 0)
    assert rows["conv2"] == ("conv2", (16, 14, 14), 6416, "16x16x5x5+16", (14, 14), 16 * 400 * 196)
    assert rows["maxpool2"].receptive_field == (16, 16)
    assert rows["linear"] == ("linear", (10,), 7850, "10x784+10", (28, 28), 7840)


VALID = Network((Conv(1, 3, stride=2), MaxPool(2), ReLU(), Conv(1, 3), Flatten(), Linear(2)), (1, 17, 21))


@pytest.mark.parametrize("network", [SMALL, ODD, VALID], ids=["small", "odd", "valid"])
def test_no_pixel_outside_the_receptive_field_matters(network):
    """Seen at one place of each layer; without padding, and with all weights positive, every pixel inside does."""
    _, _, parameters = point(network)
    weights = {name: np.abs(p) for name, p in parameters.items()}
    for depth, row in enumerate(network.table(), start=1):
        if len(row.output_shape) == 1:
            break
        x = np.ones(
            (1, *network.shape, network.shape[1] * network.shape[2] + 1)
        )  # one bright pixel each, the last none
        for image, place in enumerate(np.ndindex(network.shape[1:])):
            x[:, :, *place, image] = 100
        for name, layer in zip(network.names[:depth], network.layers, strict=False):
            own = {key.split(".")[1]: p for key, p in weights.items() if key.startswith(f"{name}.")}
            x, _ = layer.forward(x, own)
        *seen, unchanged = x[0, 0, row.output_shape[1] // 2, row.output_shape[2] // 2]
        matters = np.reshape(seen != unchanged, network.shape[1:])
        size = tuple(np.ptp(np.flatnonzero(matters.any(axis=axis))) + 1 for axis in (1, 0))
        assert all(side <= most for side, most in zip(size, row.receptive_field, strict=True))
        if network is VALID:
            assert size == row.receptive_field


def test_a_kind_is_counted_where_there_are_several_of_it_and_convolutions_always():
    assert list(SMALL.parameter_shapes) == ["conv1.W", "conv1.b", "conv2.W", "conv2.b", "linear.W", "linear.b"]
    assert MLP.names == ("flatten", "linear1", "relu", "linear2")
    assert Network((Conv(2, 3), GlobalAveragePool()), (1, 5, 5)).names == ("conv1", "globalaveragepool")


def test_the_penalty_covers_weights_or_all_parameters():
    assert MLP.penalised == {"linear1.W", "linear2.W"}
    assert replace(MLP, penalise="all").penalised == set(MLP.parameter_shapes)


def test_first_parameters_are_drawn_in_the_order_of_the_layers():
    """So a layer's weights do not depend on those behind it; a layer's own scheme comes before the network's."""
    network = Network((Conv(2, 3, init=Normal(5)), Flatten(), Linear(4)), (1, 5, 5), init=He(factor=2))
    initial = network.initial(np.random.default_rng(3))
    rng = np.random.default_rng(3)
    np.testing.assert_array_equal(initial["conv1.W"], rng.normal(0, 5, (2, 1, 3, 3)))
    np.testing.assert_array_equal(initial["linear.W"], rng.normal(0, 2 * (2 / 18) ** 0.5, (4, 18)))
    assert {name: values.shape for name, values in initial.items()} == network.parameter_shapes
    assert not initial["conv1.b"].any()


@NETWORKS
@pytest.mark.parametrize("runs", [1, 3])
def test_scores_for_evaluation_are_those_of_training(network, runs):
    """However the images are cut into parts, also into more than are computed at once."""
    pixels, _, parameters = point(network, runs, images=150)
    expected, _ = network.forward(pixels, parameters)
    assert expected.shape == (150, runs, network.shapes[-1][0])
    scores = network.scores(iter([pixels[:7], pixels[7:]]), parameters)
    np.testing.assert_allclose(scores, expected, rtol=1e-12, atol=1e-13)


@NETWORKS
def test_stacked_runs_have_the_gradients_of_each_alone(network):
    pixels, labels, parameters = point(network, runs=3)
    stacked = gradients(network, pixels, labels, parameters)
    assert len(stacked) == 3
    for run, together in enumerate(stacked):
        (alone,) = gradients(network, pixels, labels, {name: p[run : run + 1] for name, p in parameters.items()})
        assert list(together) == list(alone) == list(network.parameter_shapes)
        for name, gradient in alone.items():
            assert gradient.shape == network.parameter_shapes[name]
            assert gradient.flags.c_contiguous
            np.testing.assert_allclose(together[name], gradient, rtol=1e-10, atol=1e-14)


@NETWORKS
def test_gradients_do_not_share_memory(network):
    """With each other, with the parameters or with the scores: a step may use them up."""
    pixels, labels, parameters = point(network, runs=2)
    found = [gradient for run in gradients(network, pixels, labels, parameters) for gradient in run.values()]
    for index, gradient in enumerate(found):
        others = [*found[:index], *parameters.values(), pixels]
        assert not any(np.shares_memory(gradient, other) for other in others)


@NETWORKS
def test_gradients_are_complex_slopes_to_1e_12(network):
    assert complex_step_error(network) <= 1e-12


@pytest.mark.parametrize("network", [MNIST, CIFAR10], ids=["mnist", "cifar10"])
def test_gradients_of_the_courses_networks_are_complex_slopes_to_1e_12(network):
    assert complex_step_error(network, images=2) <= 1e-12


@pytest.mark.parametrize("loss", ["sigmoid_bce", "logistic"])
def test_gradients_of_the_sigmoid_losses_are_complex_slopes(loss):
    """np.logaddexp has no complex form: the chain rule at the scores takes its place."""
    network = replace(SMALL, layers=(*SMALL.layers[:-1], Linear(LOSSES[loss].scores_for(2))))
    pixels, _, parameters = point(network)
    labels = np.array([0, 1, 1, 0])
    (analytic,) = gradients(network, pixels, labels, parameters, loss)
    G = LOSSES[loss].score_gradient(network.scores([pixels], parameters), labels)[:, 0] / len(pixels)
    one = {name: values[0] for name, values in parameters.items()}
    cost = lambda moved: np.einsum("nk,nrk->r", G, network.scores([pixels], moved))  # noqa: E731
    deviations = complex_step_deviations(cost, one, analytic, np.random.default_rng(1), 5)
    assert max(found.relative for found in deviations.values()) <= 1e-12


def test_gradients_are_autograds():
    """Of a forward pass that is written without this package's layers."""
    pixels, labels, parameters = point(SMALL)

    def conv(x, W, b):
        padded = anp.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)), "constant")
        side = x.shape[2]
        places = [(u, v) for u in range(3) for v in range(3)]
        terms = [
            anp.einsum("fc,ncij->nfij", W[:, :, u, v], padded[:, :, u : u + side, v : v + side]) for u, v in places
        ]
        return sum(terms) + b[:, None, None]

    def windows(x):
        n, channels, rows, columns = x.shape
        split = anp.reshape(x, (n, channels, rows // 2, 2, columns // 2, 2))
        return anp.reshape(anp.transpose(split, (0, 1, 2, 4, 3, 5)), (n, channels, rows // 2, columns // 2, 4))

    def cost(p):
        x = anp.maximum(0, conv(pixels.reshape(-1, 2, 8, 8), p["conv1.W"], p["conv1.b"]))
        four = windows(x)
        first = np.argmax(getattr(four, "_value", four), axis=-1)[..., None] == np.arange(4)
        x = anp.sum(anp.where(first, four, 0), axis=-1)
        x = anp.mean(windows(anp.maximum(0, conv(x, p["conv2.W"], p["conv2.b"]))), axis=-1)
        s = anp.dot(anp.reshape(x, (len(pixels), -1)), p["linear.W"].T) + p["linear.b"]
        return anp.mean(anp.log(anp.sum(anp.exp(s), axis=1)) - s[np.arange(len(labels)), labels])

    one = {name: values[0] for name, values in parameters.items()}
    (analytic,) = gradients(SMALL, pixels, labels, parameters)
    for name, expected in autograd_grad(cost)(one).items():
        np.testing.assert_allclose(analytic[name], expected, rtol=1e-11, atol=1e-14)


def test_complex_slopes_are_exact_up_to_rounding():
    """Here of sum(exp(a)) sin(b), along three directions at once."""
    at = {"a": np.array([0.5, -1.0]), "b": np.array(2.0)}
    directions = {"a": np.array([[1.0, 0.0], [0.0, 1.0], [2.0, -3.0]]), "b": np.array([0.0, 0.0, 1.0])}
    slopes = complex_slopes(lambda p: np.exp(p["a"]).sum(axis=1) * np.sin(p["b"]), at, directions)
    gradient = np.append(np.exp(at["a"]) * np.sin(2), np.exp(at["a"]).sum() * np.cos(2))
    expected = np.column_stack([directions["a"], directions["b"]]) @ gradient
    np.testing.assert_allclose(slopes, expected, rtol=1e-15, atol=1e-15)


def test_deviations_belong_to_the_parameter_whose_gradient_is_wrong():
    at = {"a": np.array([0.5, -1.0]), "b": np.array([2.0])}
    wrong = {"a": np.exp(at["a"]), "b": np.array([1.01])}
    cost = lambda p: np.exp(p["a"]).sum(axis=1) + p["b"].sum(axis=1)  # noqa: E731
    found = complex_step_deviations(cost, at, wrong, np.random.default_rng(1), 4)
    assert found["a"].relative <= 1e-15
    assert found["b"].relative == pytest.approx(0.01 / 2.01)


class NoMask(ReLU):
    def backward(self, dy, trace, parameters, want_dx):
        return dy, {}


class NotFlipped(Conv):
    def _input_gradient(self, dy, W, shape):
        return super()._input_gradient(dy, W[..., ::-1, ::-1], shape)


class PaddingOffByOne(Conv):
    def _input_gradient(self, dy, W, shape):
        return replace(Conv(self.filters, self.kernel), padding=self.padding + 1)._input_gradient(dy, W, shape)


class BiasOverWrongAxes(Conv):
    def backward(self, dy, trace, parameters, want_dx):
        dx, found = super().backward(dy, trace, parameters, want_dx)
        return dx, found | {"b": dy.sum(axis=(2, 3))[..., 0]}


class WindowsOfThePaddedRows(Conv):
    def backward(self, dy, trace, parameters, want_dx):
        dx, found = super().backward(dy, trace, parameters, want_dx)
        return dx, found | {"W": found["W"].swapaxes(3, 4)}


class BiasOfOneImage(Linear):
    def backward(self, dy, trace, parameters, want_dx):
        dx, found = super().backward(dy, trace, parameters, want_dx)
        return dx, found | {"b": dy[..., 0]}


class AllTies(MaxPool):
    def forward(self, x, parameters):
        y, _ = super().forward(x, parameters)
        return y, x == y.repeat(self.size, axis=2).repeat(self.size, axis=3)

    def backward(self, dy, trace, parameters, want_dx):
        return dy.repeat(self.size, axis=2).repeat(self.size, axis=3) * trace, {}


class LastOfTies(MaxPool):
    def forward(self, x, parameters):
        y, trace = super().forward(x[:, :, ::-1, ::-1], parameters)
        return y[:, :, ::-1, ::-1], trace

    def backward(self, dy, trace, parameters, want_dx):
        dx, _ = super().backward(dy[:, :, ::-1, ::-1], trace, parameters, want_dx)
        return dx[:, :, ::-1, ::-1], {}


class NotDivided(AveragePool):
    def backward(self, dy, trace, parameters, want_dx):
        dx, _ = super().backward(dy, trace, parameters, want_dx)
        return dx * self.size**2, {}


class RowsFirst(Flatten):
    def backward(self, dy, trace, parameters, want_dx):
        channels, rows, columns, _ = trace
        return dy.reshape(len(dy), channels, columns, rows, -1).swapaxes(2, 3), {}


MISTAKES = {
    1: [NoMask()],
    2: [AllTies(2)],
    3: [
        NotFlipped(4, 3, 1),
        PaddingOffByOne(4, 3, 1),
        BiasOverWrongAxes(4, 3, 1),
        WindowsOfThePaddedRows(4, 3, 1),
    ],
    4: [NoMask()],
    5: [NotDivided(2)],
    6: [RowsFirst()],
    7: [BiasOfOneImage(3)],
}


@pytest.mark.parametrize(
    ("place", "wrong"), [(place, wrong) for place, all_wrong in MISTAKES.items() for wrong in all_wrong], ids=str
)
def test_a_mistake_in_one_backward_pass_is_found(place, wrong):
    """The scores stay right, so nothing else would show it."""
    layers = (*SMALL.layers[:place], wrong, *SMALL.layers[place + 1 :])
    network = replace(SMALL, layers=layers)
    pixels, _, parameters = point(SMALL)
    np.testing.assert_allclose(network.scores([pixels], parameters), SMALL.scores([pixels], parameters), rtol=1e-12)
    assert complex_step_error(network) > 1e-3


@pytest.mark.parametrize("piece", ["_to_members", "_filter_gradient", "_padded_phases"])
def test_a_mistake_in_layers_that_are_computed_in_one_piece_is_found(piece, monkeypatch):
    """The numeric side goes through the plain layers."""
    assert complex_step_error(SMALL) < 1e-12
    right = getattr(conv_relu_pool, piece)
    monkeypatch.setattr(conv_relu_pool, piece, lambda *arguments: right(*arguments)[..., ::-1])
    assert complex_step_error(SMALL) > 1e-3


@pytest.mark.parametrize(
    ("layers", "words"),
    [
        ((Conv(4, 3), Linear(10)), "linear does not fit its input of shape (4, 26, 26): it needs flat images"),
        ((Flatten(), Conv(4, 3)), "conv1 does not fit its input of shape (784,): it needs images"),
        (
            (MaxPool(2), MaxPool(2), MaxPool(2)),
            "maxpool3 does not fit its input of shape (1, 7, 7): windows of 2 x 2 do not divide 7 x 7 pixels",
        ),
        ((Conv(4, 29),), "conv1 does not fit its input of shape (1, 28, 28): its kernel of 29 is larger"),
        ((Conv(4, 3), ReLU()), "ends with relu and images of shape (4, 26, 26), not with scores"),
        ((Flatten(), ReLU()), "no layer with weights"),
        ((), "no layer with weights"),
    ],
)
def test_a_network_that_does_not_fit_is_refused(layers, words):
    with pytest.raises(ValueError, match=re.escape(words)):
        Network(layers, (1, 28, 28))


def test_twenty_images_are_learnt_by_heart():
    """Cost near 0 and every image right, as only a network can that learns in every layer."""
    pixels, _, _ = point(SMALL, images=20, seed=5)
    labels = np.random.default_rng(6).integers(0, 3, 20)
    parameters = {name: p[None].copy() for name, p in SMALL.initial(np.random.default_rng(7)).items()}
    for _ in range(300):
        (found,) = gradients(SMALL, pixels, labels, parameters)
        for name, gradient in found.items():
            parameters[name][0] -= 0.3 * gradient
    assert softmax_cost(SMALL, pixels, labels)(parameters)[0] < 0.01


def test_single_precision_is_near_double_precision():
    pixels, labels, parameters = point(MNIST, images=8)
    (double,) = gradients(MNIST, pixels, labels, parameters)
    narrow = {name: p.astype(np.float32) for name, p in parameters.items()}
    (single,) = gradients(MNIST, pixels.astype(np.float32), labels, narrow)
    for name, gradient in single.items():
        assert gradient.dtype == np.float32
        assert np.abs(gradient - double[name]).max() <= 1e-5 * np.abs(double[name]).max()


@pytest.mark.parametrize("small", [SMALL, MLP], ids=["convolutions", "dense"])
def test_the_number_of_threads_changes_no_bit(small):
    """The chunks of a batch are always the same, and their gradients are added in their order."""
    rng = np.random.default_rng(0)
    pixels, labels = rng.normal(size=(40, np.prod(small.shape))).astype(np.float32), rng.integers(0, 3, 40)
    parameters = {name: array[None].astype(np.float32) for name, array in small.initial(rng).items()}
    found = []
    for threads in (1, 2, 3):
        network = replace(small, threads=threads)
        scores, trace = network.forward(pixels, parameters)
        (gradient,) = network.backward(LOSSES["softmax"].score_gradient(scores, labels), trace, parameters)
        found.append({"scores": scores, "evaluated": network.scores([pixels], parameters), **gradient})
    np.testing.assert_equal(found[1], found[0])
    np.testing.assert_equal(found[2], found[0])
    np.testing.assert_allclose(found[0]["evaluated"], found[0]["scores"], rtol=1e-5, atol=1e-6)
