"""Every key of a config, with its range and its meaning."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, Field, ValidationInfo, field_validator, model_validator

from cifar_linear.config.datasets import BatchedData
from cifar_linear.config.features import FeaturesData
from cifar_linear.config.networks import LinearModel, ModelConfig, NetworkModel
from cifar_linear.config.section import Section, beside, conflict
from cifar_linear.config.shuffling import Shuffle
from cifar_linear.config.yaml_tree import as_yaml
from cifar_linear.nn.network import Network


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
    every_steps: int | None = Field(
        None, ge=1, description="number of updates between evaluations; the last update is always evaluated"
    )
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
        BatchedData | FeaturesData,
        Field(discriminator="dataset", description="images and their splits"),
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
    shuffle: Shuffle = Field(
        True,
        description="a new order in every epoch; {block: n}: of blocks and within them, for maps larger than memory",
    )
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
        description="separate: penalised only with penalise: all; column: weight of a column of ones, always penalised",
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
        if self.data.training_images is not None and self.n_batch > self.data.training_images:
            raise conflict("n_batch", f"is {self.n_batch}, but only {self.data.training_images} images train")
        return self

    @model_validator(mode="after")
    def _one_score_is_for_two_classes(self) -> Self:
        if self.loss == "logistic" and self.data.class_count not in (2, None):
            raise conflict("loss", "logistic needs exactly two classes: name them in data.classes")
        return self

    @model_validator(mode="after")
    def _features_are_not_augmented(self) -> Self:
        augmented = self.augmentation.flip or self.augmentation.shift
        if augmented and isinstance(self.data, FeaturesData) and self.data.image_shape is None:
            raise conflict("augmentation", "is for images; if the rows are images, give data.image_shape")
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
        if self.data.class_count is None or self.data.image_shape is None:
            raise conflict("model", "a network of features needs data.image_shape and the list data.class_names")
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
        classes, shape = self.data.class_count, self.data.image_shape
        assert classes is not None and shape is not None  # noqa: PT018, S101  # `_a_network_fits_images_and_loss`
        return self.model.network(classes, shape, self.penalise)

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
