"""A linear classifier as an ONNX model: raw images in, scores, probabilities and predicted classes out."""

from collections.abc import Mapping, Sequence

import numpy as np

from cifar_linear.arrays import Doubles, Floats
from cifar_linear.exports.protobuf import integer, message, repeated, text
from cifar_linear.runs.artifacts import PIXELS, StoredModel

_IR_VERSION, _OPSET = 8, 13
_UINT8, _INT64 = 2, 7
_FLOATS = {"float32": 1, "float64": 11}
_INT_ATTRIBUTE = 2
_PROBABILITIES = {"softmax": ("Softmax", {"axis": 1}), "sigmoid_bce": ("Sigmoid", {}), "logistic": ("Sigmoid", {})}


def onnx_model(model: StoredModel, loss: str, version: str, facts: Mapping[str, str]) -> bytes:
    """The content of an ``.onnx`` file.

    Its input ``images`` is uint8, (n, channels, height, width), pixels of 0 to 255; of a classifier of features it is
    of the weights' type, (n, d). Its outputs are ``scores`` (n, K), ``probabilities`` (n, K) and ``predicted`` (n,).
    Standardisation is folded into the weights.

    Args:
        model: a linear classifier.
        loss: that it was trained with, which says how scores become probabilities.
        version: of this program.
        facts: are kept in the file as text, with the names of the classes.
    """
    number = _FLOATS[model.W.dtype.name]
    V, c = _folded(model)
    nodes = [
        _node("Cast", ["images"], "pixels", to=number),
        _node("Flatten", ["pixels"], "rows", axis=1),
        _node("Gemm", ["rows", "weights", "biases"], "scores" if len(c) > 1 else "score", transB=1),
        # Two classes with one score: that of the second is its opposite.
        *([_node("Neg", ["score"], "other"), _node("Concat", ["score", "other"], "scores", axis=1)] * (len(c) == 1)),
        _node(_PROBABILITIES[loss][0], ["scores"], "probabilities", **_PROBABILITIES[loss][1]),
        _node("ArgMax", ["scores"], "predicted", axis=1, keepdims=0),
    ]
    classes = len(model.class_names)
    graph = (
        repeated(1, nodes)
        + text(2, "linear classifier")
        + repeated(5, [_tensor("weights", V), _tensor("biases", c)])
        + message(11, _value("images", _UINT8 if model.unit == PIXELS else number, ["n", *model.image_shape]))
        + message(12, _value("scores", number, ["n", classes]))
        + message(12, _value("probabilities", number, ["n", classes]))
        + message(12, _value("predicted", _INT64, ["n"]))
    )
    kept = {"class_names": "\n".join(model.class_names), **facts}
    return (
        integer(1, _IR_VERSION)
        + text(2, "cifar-linear")
        + text(3, version)
        + message(7, graph)
        + message(8, text(1, "") + integer(2, _OPSET))
        + repeated(14, [text(1, key) + text(2, value) for key, value in kept.items()])
    )


def _folded(model: StoredModel) -> tuple[Floats, Floats]:
    """Weights (K, d) and biases (K,) for raw pixels, rounded once."""
    W: Doubles = model.W[None].astype(np.float64)
    V, c = model.standardization.fold(W, model.b[None].astype(np.float64))
    return V[0].astype(model.W.dtype), c[0].astype(model.W.dtype)


def _node(operator: str, inputs: Sequence[str], output: str, **attributes: int) -> bytes:
    """NodeProto: an operator with whole numbers as attributes."""
    named = [text(1, key) + integer(3, value) + integer(20, _INT_ATTRIBUTE) for key, value in attributes.items()]
    return b"".join(text(1, name) for name in inputs) + text(2, output) + text(4, operator) + repeated(5, named)


def _tensor(name: str, array: Floats) -> bytes:
    """TensorProto: an array of constants."""
    dimensions = b"".join(integer(1, size) for size in array.shape)
    content = array.astype(array.dtype.newbyteorder("<")).tobytes()
    return dimensions + integer(2, _FLOATS[array.dtype.name]) + text(8, name) + message(9, content)


def _value(name: str, kind: int, shape: Sequence[int | str]) -> bytes:
    """ValueInfoProto: the type and the shape of an input or an output; a size that is a name may be any."""
    sizes = [integer(1, size) if isinstance(size, int) else text(2, size) for size in shape]
    return text(1, name) + message(2, message(1, integer(1, kind) + message(2, repeated(1, sizes))))
