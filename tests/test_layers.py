"""Each layer by itself: against its slow twin, other libraries, differences, and values that can be seen by eye."""

import re
from functools import partial

import numpy as np
import pytest
import reference_layers as slow
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.signal import correlate

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
    conv,
)
from cifar_linear.nn.layers.conv_relu_pool import fused

RUNS, IMAGES = 2, 3
WEIGHTLESS = [
    (ReLU(), (21, 4, 3), slow.relu, slow.relu_gradient),
    (ReLU(), (7,), slow.relu, slow.relu_gradient),
    (MaxPool(2), (4, 8, 12), partial(slow.max_pool, size=2), partial(slow.max_pool_gradient, size=2)),
    (MaxPool(3), (2, 6, 9), partial(slow.max_pool, size=3), partial(slow.max_pool_gradient, size=3)),
    (MaxPool(1), (2, 3, 5), partial(slow.max_pool, size=1), partial(slow.max_pool_gradient, size=1)),
    (AveragePool(2), (4, 8, 6), partial(slow.average_pool, size=2), partial(slow.average_pool_gradient, size=2)),
    (AveragePool(3), (2, 6, 9), partial(slow.average_pool, size=3), partial(slow.average_pool_gradient, size=3)),
    (GlobalAveragePool(), (4, 3, 5), slow.global_average_pool, slow.global_average_pool_gradient),
    (Flatten(), (2, 3, 5), np.ravel, lambda dy, x: dy.reshape(x.shape)),
]
CONVS = [
    *[(Conv(2, 3, padding), (4, 5, 7)) for padding in range(5)],
    (Conv(3, 5, 2), (1, 6, 8)),
    (Conv(2, 1), (3, 4, 4)),
    (Conv(2, 3, 1, stride=2), (2, 7, 8)),
    (Conv(2, 3, 4, stride=3), (2, 6, 5)),
    (Conv(2, 5, 1, stride=2), (1, 8, 5)),
    (Conv(1, 3, 5, stride=4), (1, 4, 3)),
]
WEIGHTED = [(Linear(4), (6,)), *CONVS]


def ids(value):
    """A layer or a shape as text; a function, whose text has an address in it, in a word."""
    return "twin" if callable(value) else str(value)


def parameters_of(layer, shape, rng):
    """Random ones for all runs, biases included."""
    return {name: rng.standard_normal((RUNS, *size)) for name, size in layer.parameter_shapes(shape).items()}


def distinct(rng, size):
    """Normal by eye, but no two values closer than .01, and none closer than .005 to 0."""
    values = np.prod(size)
    return ((rng.permutation(values) - values // 2) * 0.01 + 0.005).reshape(size)


def slow_pass(layer, x, dy, W, b):
    """Output and gradients of one image and run."""
    if isinstance(layer, Linear):
        return slow.linear(x, W, b), slow.linear_gradients(dy, x, W)
    sizes = {"padding": layer.padding, "stride": layer.stride}
    return slow.conv(x, W, b, **sizes), slow.conv_gradients(dy, x, W, **sizes)


@pytest.mark.parametrize(("layer", "shape", "forward", "backward"), WEIGHTLESS, ids=ids)
def test_layers_without_weights_do_what_their_slow_twins_do(layer, shape, forward, backward):
    rng = np.random.default_rng(1)
    x = rng.integers(-2, 3, (RUNS, *shape, IMAGES)).astype(float)  # many ties, many zeros
    y, trace = layer.forward(x, {})
    dy = rng.standard_normal(y.shape)
    dx, gradients = layer.backward(dy, trace, {}, want_dx=True)
    assert gradients == {}
    assert y.shape[1:-1] == layer.output_shape(shape)
    for run in range(RUNS):
        for i in range(IMAGES):
            np.testing.assert_allclose(y[run, ..., i], forward(x[run, ..., i]), rtol=1e-14, atol=1e-15)
            expected = backward(dy[run, ..., i], x[run, ..., i])
            np.testing.assert_allclose(dx[run, ..., i], expected, rtol=1e-14, atol=1e-15)


@pytest.mark.parametrize("enough_rows", [1, 10**6], ids=["by rows", "by windows"])
@pytest.mark.parametrize("shared", [False, True], ids=["own", "shared"])
@pytest.mark.parametrize(("layer", "shape"), WEIGHTED, ids=ids)
def test_layers_with_weights_do_what_their_slow_twins_do(layer, shape, shared, enough_rows, monkeypatch):
    """Whether each run has an input of its own or all share one, and however windows become columns."""
    monkeypatch.setattr(conv, "_ENOUGH_ROWS", enough_rows)
    rng = np.random.default_rng(2)
    x = rng.standard_normal((1 if shared else RUNS, *shape, IMAGES))
    parameters = parameters_of(layer, shape, rng)
    y, trace = layer.forward(x, parameters)
    dy = rng.standard_normal(y.shape)
    dx, gradients = layer.backward(dy, trace, parameters, want_dx=True)
    assert y.shape == (RUNS, *layer.output_shape(shape), IMAGES)
    assert list(gradients) == ["W", "b"]
    for run in range(RUNS):
        summed = 0
        for i in range(IMAGES):
            own = parameters["W"][run], parameters["b"][run]
            expected, (slow_dx, *of_weights) = slow_pass(layer, x[run % len(x), ..., i], dy[run, ..., i], *own)
            np.testing.assert_allclose(y[run, ..., i], expected, rtol=1e-12, atol=1e-13)
            np.testing.assert_allclose(dx[run, ..., i], slow_dx, rtol=1e-12, atol=1e-13)
            summed = [a + b for a, b in zip(summed, of_weights, strict=True)] if summed else of_weights
        np.testing.assert_allclose(gradients["W"][run], summed[0], rtol=1e-12, atol=1e-13)
        np.testing.assert_allclose(gradients["b"][run], summed[1], rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize(("layer", "shape"), CONVS, ids=ids)
def test_a_convolution_is_scipys_correlation(layer, shape):
    rng = np.random.default_rng(3)
    x, parameters = rng.standard_normal((1, *shape, 1)), parameters_of(layer, shape, rng)
    frame = np.pad(x[0, ..., 0], [(0, 0), (layer.padding,) * 2, (layer.padding,) * 2])
    y, _ = layer.forward(x, parameters)
    for run in range(RUNS):
        for f in range(layer.filters):
            every = correlate(frame, parameters["W"][run, f], mode="valid", method="direct")[0]
            expected = every[:: layer.stride, :: layer.stride] + parameters["b"][run, f]
            np.testing.assert_allclose(y[run, f, ..., 0], expected, rtol=1e-12, atol=1e-13)


def differences(f, x, step):
    """Centred, entry by entry, in the shape of x."""
    slopes = np.empty(x.shape)
    for place in np.ndindex(x.shape):
        moved = x.copy()
        moved[place] += step
        ahead = f(moved)
        moved[place] -= 2 * step
        slopes[place] = (ahead - f(moved)) / (2 * step)
    return slopes


def relative_error(analytic, numeric):
    return np.abs(analytic - numeric).max() / np.abs(numeric).max()


@pytest.mark.parametrize(("layer", "shape"), [WEIGHTED[0], *CONVS[3:]], ids=ids)
def test_gradients_of_linear_and_conv_are_differences_to_1e_8(layer, shape):
    """The output is linear in each of x, W and b, so the step may be large."""
    rng = np.random.default_rng(4)
    x, parameters = rng.standard_normal((1, *shape, 1)), {k: v[:1] for k, v in parameters_of(layer, shape, rng).items()}
    y, trace = layer.forward(x, parameters)
    G = rng.standard_normal(y.shape)
    dx, gradients = layer.backward(G, trace, parameters, want_dx=True)
    numeric = differences(lambda moved: np.vdot(G, layer.forward(moved, parameters)[0]), x, 1e-3)
    assert relative_error(dx, numeric) <= 1e-8
    for name, values in parameters.items():
        cost = lambda moved, name=name: np.vdot(G, layer.forward(x, parameters | {name: moved})[0])  # noqa: E731
        assert relative_error(gradients[name], differences(cost, values, 1e-3)) <= 1e-8


@pytest.mark.parametrize(("layer", "shape"), [case[:2] for case in WEIGHTLESS if case[0] != Flatten()], ids=ids)
def test_gradients_of_the_others_are_differences_to_1e_6(layer, shape):
    """Away from ties and from 0."""
    rng = np.random.default_rng(5)
    x = distinct(rng, (1, *shape, 1))
    y, trace = layer.forward(x, {})
    G = rng.standard_normal(y.shape)
    dx, _ = layer.backward(G, trace, {}, want_dx=True)
    assert relative_error(dx, differences(lambda moved: np.vdot(G, layer.forward(moved, {})[0]), x, 1e-5)) <= 1e-6


@pytest.mark.parametrize(("layer", "shape"), [*WEIGHTED, *[case[:2] for case in WEIGHTLESS]], ids=ids)
def test_the_gradient_of_the_input_is_left_out_unless_wanted(layer, shape):
    rng = np.random.default_rng(6)
    parameters = parameters_of(layer, shape, rng)
    y, trace = layer.forward(rng.standard_normal((RUNS, *shape, 2)), parameters)
    dx, gradients = layer.backward(y, trace, parameters, want_dx=False)
    assert dx is None
    assert gradients.keys() == parameters.keys()


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.complex128])
@pytest.mark.parametrize(("layer", "shape"), [*WEIGHTED, *[case[:2] for case in WEIGHTLESS]], ids=ids)
def test_layers_keep_the_dtype(layer, shape, dtype):
    rng = np.random.default_rng(7)
    parameters = {name: values.astype(dtype) for name, values in parameters_of(layer, shape, rng).items()}
    y, trace = layer.forward(rng.standard_normal((RUNS, *shape, 2)).astype(dtype), parameters)
    dx, gradients = layer.backward(y, trace, parameters, want_dx=True)
    assert {y.dtype, dx.dtype, *(gradient.dtype for gradient in gradients.values())} == {np.dtype(dtype)}


@pytest.mark.parametrize(("layer", "shape"), [*WEIGHTED, *[case[:2] for case in WEIGHTLESS]], ids=ids)
def test_backward_changes_neither_its_input_nor_the_trace(layer, shape):
    """So that the same pass can be taken back twice."""
    rng = np.random.default_rng(8)
    parameters, x = parameters_of(layer, shape, rng), rng.standard_normal((RUNS, *shape, 2))
    y, trace = layer.forward(x, parameters)
    before, dy = x.copy(), rng.standard_normal(y.shape)
    kept = dy.copy()
    first = layer.backward(dy, trace, parameters, want_dx=True)
    second = layer.backward(dy, trace, parameters, want_dx=True)
    np.testing.assert_array_equal(x, before)
    np.testing.assert_array_equal(dy, kept)
    np.testing.assert_array_equal(first[0], second[0])


def one_image(layer, image, **parameters):
    """The output for one image and run, and its trace."""
    image = np.asarray(image, float)
    y, trace = layer.forward(
        image[None, ..., None], {name: np.asarray(p, float)[None] for name, p in parameters.items()}
    )
    return y[0, ..., 0], trace


@given(
    sides=st.tuples(*[st.integers(1, 9)] * 2),
    few=st.tuples(*[st.integers(1, 3)] * 4),
    kernel=st.sampled_from([1, 3, 5, 7]),
    padding=st.integers(0, 8),
    stride=st.integers(1, 4),
    enough_rows=st.sampled_from([1, 10**6]),
)
@settings(max_examples=150, deadline=None, derandomize=True)
def test_a_convolution_without_bias_is_bilinear(sides, few, kernel, padding, stride, enough_rows):
    """So dy . y = dx . x = dW . W, whatever the sizes."""
    assume(min(sides) + 2 * padding >= kernel)
    channels, filters, images, seed = few
    layer, shape, rng = Conv(filters, kernel, padding, stride), (channels, *sides), np.random.default_rng(seed)
    x = rng.standard_normal((RUNS, *shape, images))
    parameters = parameters_of(layer, shape, rng) | {"b": np.zeros((RUNS, filters))}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(conv, "_ENOUGH_ROWS", enough_rows)
        y, trace = layer.forward(x, parameters)
        dy = rng.standard_normal(y.shape)
        dx, gradients = layer.backward(dy, trace, parameters, want_dx=True)
    scale = np.linalg.norm(dy) * np.linalg.norm(y) + 1
    assert abs(np.vdot(dy, y) - np.vdot(dx, x)) <= 1e-13 * scale
    assert abs(np.vdot(dy, y) - np.vdot(gradients["W"], parameters["W"])) <= 1e-13 * scale
    np.testing.assert_allclose(gradients["b"], dy.sum(axis=(2, 3, 4)), rtol=1e-12, atol=1e-13)


def test_a_convolution_by_eye():
    """The course's example: a cross of ones, a filter of 1 to 9 and bias 1, with padding 1."""
    y, _ = one_image(Conv(1, 3, 1), [[[1, 0, 1], [0, 1, 0], [1, 0, 1]]], W=np.arange(1, 10).reshape(1, 1, 3, 3), b=[1])
    assert (y[0] - 1).tolist() == [[14, 18, 12], [16, 25, 14], [8, 12, 6]]


def test_a_convolution_with_the_unit_matrix_returns_the_image():
    x = np.arange(24.0).reshape(3, 2, 4)
    y, _ = one_image(Conv(3, 1), x, W=np.eye(3)[..., None, None], b=np.zeros(3))
    np.testing.assert_array_equal(y, x)


def test_a_filter_of_ones_spreads_a_single_pixel_over_its_size():
    x = np.zeros((1, 7, 9))
    x[0, 3, 4] = 1
    y, _ = one_image(Conv(1, 5, 2), x, W=np.ones((1, 1, 5, 5)), b=[0])
    expected = np.zeros((7, 9))
    expected[1:6, 2:7] = 1
    np.testing.assert_array_equal(y[0], expected)


def test_a_black_image_gives_the_bias():
    y, _ = one_image(Conv(2, 3, 1), np.zeros((1, 4, 4)), W=np.ones((2, 1, 3, 3)), b=[3, -2])
    assert np.unique(y[0]).tolist() == [3]
    assert np.unique(y[1]).tolist() == [-2]


def test_pooling_by_eye():
    y, _ = one_image(MaxPool(2), [[[1, 2, 3, 4], [5, 6, 7, 8], [-3, -5, 6, 7], [3, 4, 1, 0]]])
    assert y.tolist() == [[[6, 8], [4, 7]]]


def test_a_linear_layer_by_eye():
    y, _ = one_image(Linear(2), [1, 2], W=[[-1, 3], [7, -3]], b=[2, 3])
    assert y.tolist() == [7, 4]


def test_the_derivative_of_relu_is_1_above_0_and_0_elsewhere():
    y, trace = one_image(ReLU(), [1.0, -1.0, 0.0, -0.0])
    dx, _ = ReLU().backward(np.ones((1, 4, 1)), trace, {}, want_dx=True)
    assert y.tolist() == [1, 0, 0, 0]
    assert dx.ravel().tolist() == [1, 0, 0, 0]


@pytest.mark.parametrize("dtype", [np.float32, np.complex128])
@pytest.mark.parametrize(
    "winners", [[0], [1], [2], [3], [0, 1], [0, 2], [1, 2], [1, 3], [2, 3], [1, 2, 3], [0, 1, 2, 3]]
)
def test_the_gradient_of_a_window_goes_once_to_its_first_maximum(winners, dtype):
    """Also where imaginary parts would choose otherwise."""
    window = np.full(4, -1.0, dtype)
    window[winners] = 2
    if dtype is np.complex128:
        window += 1e-30j * np.arange(4)
    _, trace = MaxPool(2).forward(window.reshape(1, 1, 2, 2, 1), {})
    dx, _ = MaxPool(2).backward(np.full((1, 1, 1, 1, 1), 5, dtype), trace, {}, want_dx=True)
    assert dx.ravel().tolist() == [5 if member == winners[0] else 0 for member in range(4)]


@pytest.mark.parametrize("size", [2, 3])
def test_tied_windows_pass_on_their_whole_gradient(size):
    rng = np.random.default_rng(9)
    x = rng.integers(0, 2, (2, 3, 4 * size, 5 * size, 6)).astype(np.float32)
    y, trace = MaxPool(size).forward(x, {})
    dy = rng.integers(1, 9, y.shape).astype(np.float32)
    dx, _ = MaxPool(size).backward(dy, trace, {}, want_dx=True)
    windows = dx.reshape(2, 3, 4, size, 5, size, 6)
    np.testing.assert_array_equal(windows.sum(axis=(3, 5)), dy)
    np.testing.assert_array_equal((windows != 0).sum(axis=(3, 5)), 1)


@pytest.mark.parametrize("layer", [ReLU(), MaxPool(2), AveragePool(2), GlobalAveragePool(), Flatten()], ids=ids)
@pytest.mark.parametrize("place", [(0, 0), (0, 1), (1, 0), (1, 1)])
def test_nan_is_not_hidden(layer, place):
    x = np.ones((1, 1, 2, 2, 1))
    x[0, 0, *place] = np.nan
    assert np.isnan(layer.forward(x, {})[0]).any()


@pytest.mark.parametrize(
    ("layer", "shape", "words"),
    [
        (Conv(16, 4, 2), (3, 32, 32), "its kernel must be odd and at least 1, not 4"),
        (Conv(16, 7, 1), (16, 4, 8), "its kernel of 7 is larger than the padded input of 6 x 10"),
        (Conv(16, 3), (784,), "it needs images (channels, rows, columns)"),
        (Conv(0, 3), (3, 32, 32), "at least 1 filter"),
        (Conv(1, 3, -1), (3, 32, 32), "padding of at least 0"),
        (Conv(1, 3, stride=0), (3, 32, 32), "a stride of at least 1"),
        (MaxPool(2), (16, 7, 8), "windows of 2 x 2 do not divide 7 x 8 pixels"),
        (MaxPool(0), (16, 8, 8), "its size must be at least 1, not 0"),
        (AveragePool(3), (16, 8, 9), "windows of 3 x 3 do not divide 8 x 9 pixels"),
        (MaxPool(2), (784,), "it needs images"),
        (GlobalAveragePool(), (784,), "it needs images"),
        (Linear(10), (16, 7, 7), "it needs flat images: put flatten before it"),
        (Linear(0), (784,), "it needs at least 1 output, not 0"),
    ],
    ids=ids,
)
def test_sizes_that_do_not_fit_are_refused_in_words(layer, shape, words):
    with pytest.raises(ValueError, match=re.escape(words)):
        layer.output_shape(shape)


@pytest.mark.parametrize(
    ("layer", "shape", "scheme", "std"),
    [
        (Conv(64, 5, 2), (16, 8, 8), He(), (2 / 400) ** 0.5),
        (Conv(64, 5, 2, init=He(factor=0.1)), (16, 8, 8), He(), 0.1 * (2 / 400) ** 0.5),
        (Linear(100), (784,), He(), (2 / 784) ** 0.5),
        (Linear(100), (784,), Normal(0.01), 0.01),
        (Linear(100, init=Normal(0.3)), (784,), He(), 0.3),
    ],
    ids=ids,
)
def test_first_weights_have_the_standard_deviation_of_their_scheme(layer, shape, scheme, std):
    """And biases are 0."""
    initial = layer.initial(np.random.default_rng(10), shape, scheme)
    assert {name: values.shape for name, values in initial.items()} == layer.parameter_shapes(shape)
    # The estimate from n numbers is off by std / sqrt(2 n); 4 of these are hardly ever passed.
    assert abs(initial["W"].std() - std) <= 4 * std / (2 * initial["W"].size) ** 0.5
    assert not initial["b"].any()


def test_layers_are_data():
    """Equal if they say the same, usable as keys, and shown as they are written."""
    assert Conv(16, 5, padding=2) == Conv(16, 5, 2) != Conv(16, 5, 2, init=He(0.1))
    assert len({MaxPool(2), MaxPool(2), AveragePool(2), ReLU(), Flatten()}) == 4
    assert str(MaxPool(2)) == "MaxPool(size=2)"


@pytest.mark.parametrize("order", ["relu first", "pool first"])
@pytest.mark.parametrize(
    ("shape", "kernel", "padding"),
    [((3, 8, 8), 5, 2), ((2, 8, 12), 3, 1), ((3, 12, 12), 5, 0), ((2, 8, 8), 3, 2), ((1, 6, 6), 1, 0)],
)
def test_conv_relu_and_pool_in_one_piece_are_the_three_layers(shape, kernel, padding, order):
    """Output and all gradients, to 13 digits, for two runs of one's own input."""
    rng, conv = np.random.default_rng(0), Conv(4, kernel, padding)
    layers = [conv, ReLU(), MaxPool(2)] if order == "relu first" else [conv, MaxPool(2), ReLU()]
    together = fused(layers, shape)
    x = rng.standard_normal((2, *shape, 3))
    parameters = {name: rng.standard_normal((2, *size)) for name, size in conv.parameter_shapes(shape).items()}
    expected, traces = x, []
    for layer in layers:
        expected, trace = layer.forward(expected, parameters)
        traces.append(trace)
    y, trace = together.forward(x, parameters)
    np.testing.assert_allclose(y, expected, rtol=1e-13, atol=1e-13)
    dy = rng.standard_normal(y.shape)
    dx, gradients = together.backward(dy, trace, parameters, want_dx=True)
    for layer, of_layer in zip(reversed(layers), reversed(traces), strict=True):
        dy, wanted = layer.backward(dy, of_layer, parameters, want_dx=True)
    np.testing.assert_allclose(dx, dy, rtol=1e-13, atol=1e-13)
    for name, gradient in wanted.items():
        np.testing.assert_allclose(gradients[name], gradient, rtol=1e-13, atol=1e-13 * np.abs(gradient).max())


@pytest.mark.parametrize(
    ("layers", "shape"),
    [
        ([Conv(4, 3, 1, stride=2), ReLU(), MaxPool(2)], (3, 8, 8)),
        ([Conv(4, 3, 0), ReLU(), MaxPool(2)], (3, 9, 8)),
        ([Conv(4, 3, 3), ReLU(), MaxPool(2)], (3, 8, 8)),
        ([Conv(4, 3, 1), ReLU(), MaxPool(4)], (3, 8, 8)),
        ([Conv(4, 3, 1), ReLU(), AveragePool(2)], (3, 8, 8)),
        ([Conv(4, 3, 1), ReLU()], (3, 8, 8)),
    ],
)
def test_what_cannot_be_split_by_parity_stays_apart(layers, shape):
    assert fused(layers, shape) is None


def test_a_tie_in_one_piece_goes_to_the_first_maximum_once():
    """A filter of 1 x 1 with weight 1, so that the input's ties are those of the windows."""
    together = fused([Conv(1, 1), ReLU(), MaxPool(2)], (1, 4, 4))
    x = np.array([[5, 5, 0, 0], [5, 1, 0, 0], [1, 2, 3, 4], [2, 2, 4, 4.0]]).reshape(1, 1, 4, 4, 1)
    parameters = {"W": np.ones((1, 1, 1, 1, 1)), "b": np.full((1, 1), 0.5)}
    y, trace = together.forward(x, parameters)
    dx, _ = together.backward(np.arange(1, 5.0).reshape(y.shape), trace, parameters, want_dx=True)
    np.testing.assert_array_equal(y.ravel(), [5.5, 0.5, 2.5, 4.5])
    np.testing.assert_array_equal(dx.reshape(4, 4), [[1, 0, 2, 0], [0, 0, 0, 0], [0, 3, 0, 4], [0, 0, 0, 0]])
