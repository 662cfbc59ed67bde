"""The layers of a network in a config, and the network that they make."""

from __future__ import annotations

from typing import Annotated, Any, Literal, get_args

from pydantic import Discriminator, Field, Tag

from cifar_linear.config.section import Section
from cifar_linear.nn import layers
from cifar_linear.nn.layers import Layer, Scheme
from cifar_linear.nn.network import Network

Word = Literal["relu", "flatten", "globalaveragepool", "linear"]
"""Layers without settings; ``linear`` without any is the last one, with as many outputs as the loss needs."""


class HeInit(Section):
    """Weights from N(0, factor^2 * 2 / fan-in), biases 0."""

    kind: Literal["he"] = Field(description="how first weights are drawn: he, by the number of inputs, or normal")
    factor: float = Field(1.0, gt=0, le=1e3, description="on the standard deviation sqrt(2 / fan-in)")

    def scheme(self) -> Scheme:
        """As the layers know it."""
        return layers.He(self.factor)


class NormalInit(Section):
    """Weights from N(0, std^2), biases 0."""

    kind: Literal["normal"] = Field(description="how first weights are drawn: he, by the number of inputs, or normal")
    std: float = Field(ge=0, le=1e3, examples=[0.01], description="standard deviation of the first weights")

    def scheme(self) -> Scheme:
        """As the layers know it."""
        return layers.Normal(self.std)


Init = Annotated[HeInit | NormalInit, Field(discriminator="kind")]
_OWN_INIT = "how the weights of this layer are drawn, if not as the model says"


class ConvSettings(Section):
    """A convolution."""

    filters: int = Field(ge=1, le=4096, examples=[16], description="how many")
    kernel: int = Field(ge=1, le=99, examples=[5], description="rows and columns of a filter; odd")
    padding: int = Field(0, ge=0, le=99, description="rows and columns of zeros on each side")
    stride: int = Field(1, ge=1, le=99, description="pixels from one place of the filter to the next")
    init: Init | None = Field(None, description=_OWN_INIT)


class LinearSettings(Section):
    """A linear layer."""

    outputs: int | None = Field(None, ge=1, le=100_000, examples=[100], description="how many; the last layer has none")
    init: Init | None = Field(None, description=_OWN_INIT)


class ConvLayer(Section):
    """``{conv: {filters: 16, kernel: 5, padding: 2}}``."""

    conv: ConvSettings = Field(description="the same filters at every place of the image")

    def layer(self, _outputs: int) -> Layer:
        """As the network knows it."""
        own = self.conv.init.scheme() if self.conv.init else None
        return layers.Conv(self.conv.filters, self.conv.kernel, self.conv.padding, self.conv.stride, own)


class LinearLayer(Section):
    """``{linear: {outputs: 100}}``, or ``{linear: 100}``."""

    linear: Annotated[int, Field(ge=1, le=100_000)] | LinearSettings = Field(description="a weighted sum of all inputs")

    def layer(self, outputs: int) -> Layer:
        """As the network knows it."""
        if isinstance(self.linear, int):
            return layers.Linear(self.linear)
        own = self.linear.init.scheme() if self.linear.init else None
        return layers.Linear(self.linear.outputs or outputs, own)


class MaxPoolLayer(Section):
    """``{maxpool: 2}``."""

    maxpool: int = Field(ge=2, le=99, description="rows and columns of the windows of which the largest pixel is kept")

    def layer(self, _outputs: int) -> Layer:
        """As the network knows it."""
        return layers.MaxPool(self.maxpool)


class AveragePoolLayer(Section):
    """``{averagepool: 2}``."""

    averagepool: int = Field(ge=2, le=99, description="rows and columns of the windows that are averaged")

    def layer(self, _outputs: int) -> Layer:
        """As the network knows it."""
        return layers.AveragePool(self.averagepool)


_KINDS = {"conv": ConvLayer, "linear": LinearLayer, "maxpool": MaxPoolLayer, "averagepool": AveragePoolLayer}


def _kind_of_layer(value: Any) -> str | None:
    if isinstance(value, str):
        return "word" if value in get_args(Word) else None
    keys = list(value) if isinstance(value, dict) else list(type(value).model_fields) if _is_layer(value) else []
    return keys[0] if len(keys) == 1 and keys[0] in _KINDS else None


def _is_layer(value: object) -> bool:
    return isinstance(value, tuple(_KINDS.values()))


LayerEntry = Annotated[
    Annotated[Word, Tag("word")]
    | Annotated[ConvLayer, Tag("conv")]
    | Annotated[LinearLayer, Tag("linear")]
    | Annotated[MaxPoolLayer, Tag("maxpool")]
    | Annotated[AveragePoolLayer, Tag("averagepool")],
    Discriminator(
        _kind_of_layer,
        custom_error_type="no_layer",
        custom_error_message="Input should be a layer",
    ),
]


class LinearModel(Section):
    """W x + b."""

    kind: Literal["linear"] = Field("linear", description="linear: W x + b; network: layers of its own")


class NetworkModel(Section):
    """Layers one after another, from the images to the scores."""

    kind: Literal["network"] = Field(description="linear: W x + b; network: layers of its own")
    layers: Annotated[tuple[LayerEntry, ...], Field(strict=False, min_length=1)] = Field(
        description="from the images to the scores", examples=[["flatten", "linear"]]
    )
    init: Init = Field(HeInit(kind="he"), description="how the first weights are drawn; biases start at 0")

    def network(self, outputs: int, image_shape: tuple[int, ...], penalise: Literal["weights", "all"]) -> Network:
        """The network on raw pixels.

        Args:
            outputs: scores that the loss needs.
            image_shape: (channels, height, width).
            penalise: what the penalty covers.

        Raises:
            ValueError: the layers do not fit each other, the images or the number of outputs, in words.
        """
        entries = [_layer(entry, outputs) for entry in self.layers]
        network = Network(tuple(entries), image_shape, self.init.scheme(), penalise)
        if network.shapes[-1] != (outputs,):
            raise ValueError(f"{network.names[-1]} has {network.shapes[-1][0]} outputs, but the loss needs {outputs}")
        return network


def _layer(entry: Any, outputs: int) -> Layer:
    words: dict[str, Layer] = {
        "relu": layers.ReLU(),
        "flatten": layers.Flatten(),
        "globalaveragepool": layers.GlobalAveragePool(),
        "linear": layers.Linear(outputs),
    }
    layer: Layer = words[entry] if isinstance(entry, str) else entry.layer(outputs)
    return layer


ModelConfig = Annotated[LinearModel | NetworkModel, Field(discriminator="kind")]
