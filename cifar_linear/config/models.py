"""Every key of a config, with its range and its meaning."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self

from pydantic import BaseModel, Discriminator, Field, Tag, ValidationInfo, field_validator, model_validator

from cifar_linear.config.networks import LinearModel, ModelConfig, NetworkModel
from cifar_linear.config.section import Section, beside, conflict
from cifar_linear.config.yaml_tree import as_yaml
from cifar_linear.nn.network import Network

BatchName = Literal["data_batch_1", "data_batch_2", "data_batch_3", "data_batch_4", "data_batch_5", "test_batch"]
_BatchNames = Annotated[tuple[BatchName, ...], Field(strict=False, min_length=1)]
PartName = Literal["train", "t10k"]
_PartNames = Annotated[tuple[PartName, ...], Field(strict=False, min_length=1)]


class HeldOut(Section):
    """Validation images drawn from the training images with the seed, class balance kept."""

    size: int = Field(ge=1, examples=[200], description="images to hold out; the others are for training")


def _kind_of_validation(value: object) -> str | None:
    if isinstance(value, (dict, HeldOut)):
        return "held_out"
    return "batches" if isinstance(value, (list, tuple)) else None


class Centering(Section):
    """A mean of the training images is subtracted from their pixels."""

    center: Literal["all", "channel"] = Field(description="all: one mean of all pixels; channel: one of each channel")
    scale: Literal["unit", "raw"] = Field("unit", description="unit: pixels from 0 to 1; raw: pixels from 0 to 255")


def _kind_of_normalize(value: object) -> str | None:
    return "center" if isinstance(value, (dict, Centering)) else "word" if isinstance(value, str) else None


_WORD_OR_CENTERING = Discriminator(
    _kind_of_normalize,
    custom_error_type="no_normalize",
    custom_error_message="Input should be a word or {center: all}",
)
_BATCHES_OR_SIZE = Discriminator(
    _kind_of_validation,
    custom_error_type="neither",
    custom_error_message="Input should be a list of batches or {size: n}",
)
_TRAIN = "published batches for training"
_VALIDATION = "batches for choosing settings, or {size: n} images held out of the training images"
_TEST = "batches for the final evaluation, used once; [] for none"


class _BatchedData(Section, ABC):
    """Splits made of published batches. Each data set names its batches."""

    dataset: str
    image_shape: ClassVar[tuple[int, int, int]] = (3, 32, 32)
    limit: int | None = Field(
        None, ge=1, examples=[1000], description="use only the first so many images of each split"
    )
    classes: Annotated[tuple[Annotated[int, Field(ge=0, le=9)], ...], Field(strict=False, min_length=2)] | None = Field(
        None, examples=[[2, 3]], description="then keep only images with these labels, renumbered in this order"
    )
    normalize: Annotated[
        Annotated[Literal["standardize", "minus_one_one", "center"], Tag("word")] | Annotated[Centering, Tag("center")],
        _WORD_OR_CENTERING,
    ] = Field(
        "standardize",
        description="standardize: per dimension, with the training images' mean and standard deviation; "
        "minus_one_one: x / 127.5 - 1; center: minus the mean of all training pixels; {center: channel, scale: raw}",
    )

    if TYPE_CHECKING:
        train: tuple[str, ...]
        validation: tuple[str, ...] | HeldOut
        test: tuple[str, ...]

    @abstractmethod
    def images_in(self, batch: str) -> int:
        """Images in one published batch."""

    @property
    def training_images(self) -> int:
        """The number of training images, before ``classes`` selects some of them."""
        published = sum(map(self.images_in, self.train))
        held_out = self.validation.size if isinstance(self.validation, HeldOut) else 0
        return min(published, self.limit or published) - held_out

    @model_validator(mode="after")
    def _splits_are_disjoint(self) -> Self:
        seen: set[str] = set()
        for split in ("train", "validation", "test"):
            names = getattr(self, split)
            for name in () if isinstance(names, HeldOut) else names:
                if name in seen:
                    raise conflict(split, f"{name} is used more than once; the splits must not share images")
                seen.add(name)
        if isinstance(self.validation, HeldOut) and self.training_images < 1:
            most = self.training_images + self.validation.size
            raise conflict("validation", f"size must leave images to train on: it must be below {most}")
        return self

    @model_validator(mode="after")
    def _classes_are_distinct(self) -> Self:
        if self.classes and len(set(self.classes)) < len(self.classes):
            raise conflict("classes", "names a class more than once")
        return self


class _SixBatches(_BatchedData, ABC):
    """The batches of CIFAR-10, or of the generated images in the same shape."""

    train: _BatchNames = Field(("data_batch_1",), description=_TRAIN)
    validation: Annotated[
        Annotated[_BatchNames, Tag("batches")] | Annotated[HeldOut, Tag("held_out")], _BATCHES_OR_SIZE
    ] = Field(("data_batch_2",), description=_VALIDATION)
    test: Annotated[tuple[BatchName, ...], Field(strict=False)] = Field(("test_batch",), description=_TEST)


class _FromFolder(_BatchedData, ABC):
    """A data set that lies in the data folder."""

    folder: str | None = Field(
        None, min_length=1, examples=["data"], description="the data folder, unless an option or variable names one"
    )


class Cifar10Data(_SixBatches, _FromFolder):
    """CIFAR-10, from the data folder."""

    dataset: Literal["cifar10"] = Field(description="which images")

    def images_in(self, batch: str) -> int:  # noqa: ARG002  # all of one size
        """As published."""
        return 10_000


class MnistData(_FromFolder):
    """MNIST, from the data folder: 60 000 images in ``train``, 10 000 in ``t10k``."""

    image_shape: ClassVar[tuple[int, int, int]] = (1, 28, 28)

    dataset: Literal["mnist"] = Field(description="which images")
    train: _PartNames = Field(("train",), description=_TRAIN)
    validation: Annotated[
        Annotated[_PartNames, Tag("batches")] | Annotated[HeldOut, Tag("held_out")], _BATCHES_OR_SIZE
    ] = Field(HeldOut(size=10_000), description=_VALIDATION)
    test: Annotated[tuple[PartName, ...], Field(strict=False)] = Field(("t10k",), description=_TEST)

    def images_in(self, batch: str) -> int:
        """As published."""
        return {"train": 60_000, "t10k": 10_000}[batch]


class SyntheticData(_SixBatches):
    """Generated images in the shape of CIFAR-10; nothing is read from disk."""

    dataset: Literal["synthetic"] = Field(description="which images")
    images_per_batch: int = Field(1000, ge=10, le=100_000, description="size of each of the six batches")
    seed: int = Field(
        0, ge=0, le=2**63 - 1, description="of the generated images; independent of the seed of the training"
    )

    def images_in(self, batch: str) -> int:  # noqa: ARG002  # all of one size
        """As configured."""
        return self.images_per_batch


class AugmentationConfig(Section):
    """Random changes to a training image, drawn again each time it is used; none by default."""

    flip: float = Field(0.0, ge=0, le=1, description="probability of a left-right flip")
    shift: int = Field(0, ge=0, le=8, description="largest shift in pixels, each way; edges are repeated")


class NoDecay(Section):
    """The same eta in every epoch."""

    kind: Literal["none"] = Field("none", description="how eta changes: none, step, plateau or cosine")


class StepDecay(Section):
    """Eta times ``factor`` after each ``every`` epochs."""

    kind: Literal["step"]
    every: int = Field(ge=1, examples=[10], description="epochs between two cuts of eta")
    factor: float = Field(0.1, gt=0, lt=1, description="what eta is multiplied by at each cut")


class PlateauDecay(Section):
    """Eta times ``factor`` each time the validation loss has not improved for ``patience`` evaluations."""

    kind: Literal["plateau"]
    patience: int = Field(ge=1, examples=[5], description="evaluations without improvement before a cut of eta")
    factor: float = Field(0.1, gt=0, lt=1, description="what eta is multiplied by at each cut")


class CosineDecay(Section):
    """Eta along half a cosine, from its full value in the first epoch towards 0 after the last."""

    kind: Literal["cosine"]


class EarlyStopping(Section):
    """A stop before the last epoch, when the validation loss no longer falls. The best weights are kept as well."""

    patience: int = Field(
        ge=1, examples=[10], description="evaluations in a row without a new minimum after which training stops"
    )


class Averaging(Section):
    """The mean of the weights after each update, in place of the last weights."""

    from_epoch: int = Field(1, ge=1, examples=[20], description="the mean begins with the first update of this epoch")
    decay: float | None = Field(
        None,
        gt=0,
        lt=1,
        description="an exponential mean: what earlier weights count is multiplied by this at each update",
    )


class EvaluationConfig(Section):
    """Evaluations within an epoch, instead of one after each; or on some of the training images."""

    per_epoch: int | None = Field(
        None,
        ge=1,
        examples=[5],
        description="evaluate every S // per_epoch of the S updates in an epoch, counted across epochs, and at the end",
    )
    every_steps: int | None = Field(None, ge=1, description="evaluate after each so many updates, and at the end")
    train_images: int | None = Field(
        None, ge=1, description="training images to evaluate on, the first ones, instead of all"
    )

    @model_validator(mode="after")
    def _one_of_the_two(self) -> Self:
        if self.per_epoch is not None and self.every_steps is not None:
            raise conflict("every_steps", "give per_epoch or every_steps, not both")
        return self


class Config(Section):
    """One experiment: every setting that influences a number."""

    data: Annotated[
        Cifar10Data | MnistData | SyntheticData, Field(discriminator="dataset", description="images and their splits")
    ]
    loss: Literal["softmax", "sigmoid_bce", "logistic"] = Field(
        "softmax", description="softmax cross-entropy, K binary cross-entropies, or a single one for two classes"
    )
    lam: float = Field(
        alias="lambda", ge=0, le=1e6, examples=[0.1], description="strength of the penalty lambda * sum(W^2)"
    )
    eta: float = Field(gt=0, le=1e6, examples=[0.001], description="learning rate")
    n_batch: int = Field(ge=1, examples=[100], description="images per update")
    epochs: int | None = Field(
        None, ge=1, le=1_000_000, examples=[40], description="passes over the training images; or give steps"
    )
    steps: int | None = Field(
        None,
        validate_default=True,
        ge=1,
        le=1_000_000_000,
        examples=[3000],
        description="updates in all, in place of epochs",
    )
    model: ModelConfig = Field(LinearModel(), description="what maps images to scores")
    momentum: float | None = Field(
        None,
        ge=0,
        lt=1,
        examples=[0.9],
        description="mu of the moving average m <- mu m + (1 - mu) gradient of the loss, which replaces that gradient",
    )
    shuffle: bool = Field(True, description="a new order in every epoch")
    drop_last: bool = Field(False, description="leave out the last batch of an epoch if it is smaller than n_batch")
    evaluate: EvaluationConfig | None = Field(None, description="when to evaluate, and on which training images")
    record_steps: bool = Field(False, description="keep the training loss of every batch, before its update")
    augmentation: AugmentationConfig = Field(AugmentationConfig(), description="random changes to training images")
    decay: Annotated[
        NoDecay | StepDecay | PlateauDecay | CosineDecay,
        Field(discriminator="kind", description="how eta changes over the epochs"),
    ] = NoDecay()
    early_stopping: EarlyStopping | None = Field(
        None, description="stop when the validation loss no longer falls, and keep the best weights"
    )
    averaging: Averaging | None = Field(None, description="evaluate and keep the running mean of the weights")
    bias: Literal["separate", "column"] = Field(
        "separate",
        description="separate: not penalised; column: penalised like the weights, as the weight of a column of ones",
    )
    penalise: Literal["weights", "all"] = Field(
        "weights", description="what the penalty covers: weights, or all: the biases as well"
    )
    init_std: float = Field(
        0.01, ge=0, le=1e3, description="standard deviation of the first weights and biases of a linear model"
    )
    dtype: Literal["float32", "float64"] = Field("float32", description="precision of weights and arithmetic")
    seed: int = Field(
        400,
        ge=0,
        le=2**63 - 1,
        description="of the first weights, the order of the images and the choice of held-out images",
    )
    repro: Literal["fast", "strict"] = Field(
        "fast", description="strict: one BLAS thread, so that the result does not depend on the number of cores"
    )

    @model_validator(mode="after")
    def _a_batch_fits_the_data(self) -> Self:
        if self.n_batch > self.data.training_images:
            raise conflict("n_batch", f"is {self.n_batch}, but only {self.data.training_images} images train")
        return self

    @model_validator(mode="after")
    def _one_score_is_for_two_classes(self) -> Self:
        if self.loss == "logistic" and len(self.data.classes or range(10)) != 2:
            raise conflict("loss", "logistic needs exactly two classes: name them in data.classes")
        return self

    @field_validator("steps")
    @classmethod
    def _epochs_or_steps(cls, steps: int | None, info: ValidationInfo) -> int | None:
        epochs = info.data.get("epochs", 1)  # Not there if it is invalid, which is reported on its own.
        if epochs is None and steps is None:
            raise beside("epochs", "missing (passes over the training images; or steps, the updates in all)")
        if info.data.get("epochs") is not None and steps is not None:
            raise beside("steps", "give epochs or steps, not both")
        return steps

    @model_validator(mode="after")
    def _a_mean_begins_within_the_epochs(self) -> Self:
        if self.averaging and self.epochs is not None and self.averaging.from_epoch > self.epochs:
            raise conflict("averaging", f"from_epoch is {self.averaging.from_epoch}, after the last of {self.epochs}")
        return self

    @model_validator(mode="after")
    def _a_network_fits_images_and_loss(self) -> Self:
        if not isinstance(self.model, NetworkModel):
            return self
        if self.loss == "logistic":
            raise conflict("loss", "logistic is for linear models; a network needs softmax or sigmoid_bce")
        if self.bias != "separate":
            raise conflict("bias", "column is for linear models; a network has penalise: all")
        if self.init_std != type(self).model_fields["init_std"].default:
            raise conflict("init_std", "is for linear models; a network has model.init")
        try:
            self.network()
        except ValueError as error:
            raise conflict("model", str(error)) from None
        return self

    def network(self) -> Network | None:
        """The network of this config, on raw pixels; None for a linear model."""
        if not isinstance(self.model, NetworkModel):
            return None
        return self.model.network(len(self.data.classes or range(10)), self.data.image_shape, self.penalise)

    @property
    def length(self) -> int:
        """How long the run is, in its own `unit`."""
        return self.epochs or self.steps or 0

    @property
    def unit(self) -> Literal["epoch", "step"]:
        """What its length is counted in."""
        return "step" if self.epochs is None else "epoch"

    def to_tree(self) -> dict[str, Any]:
        """The complete config as plain YAML values; keys without a value are left out."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)

    def to_yaml(self) -> str:
        """The complete config as a file that is read back as the same config."""
        return as_yaml(self.to_tree())


def schema(kind: type[BaseModel] = Config) -> dict[str, Any]:
    """JSON Schema of a config file, or of another kind of file, for editors."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **kind.model_json_schema()}
