"""The content of run.json, validated on writing and on reading."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from cifar_linear.config.models import Config
from cifar_linear.data.dataset import SplitName
from cifar_linear.nn.metrics import Metrics

FORMAT: Literal[2] = 2
"""Version of the run folder's layout, stored in every record."""
FORMATS = (1, 2)
"""The versions that can be read. Checkpoints of format 1 contain linear models only."""

Status = Literal["running", "finished", "diverged", "interrupted", "failed"]
ENDED = frozenset[str]({"finished", "diverged", "failed"})
"""The statuses of runs that are not trained further by themselves."""


class _Entry(BaseModel):
    """Base of all parts of the record: unknown keys, which a later version may add, are ignored; types are strict."""

    model_config = ConfigDict(strict=True, frozen=True, extra="ignore", allow_inf_nan=False)


class SplitMetrics(_Entry):
    """Final metrics of one split: loss and cost in nats, accuracy as a fraction."""

    loss: float
    cost: float
    accuracy: float = Field(ge=0, le=1)

    @classmethod
    def of(cls, metrics: Metrics, run: int) -> SplitMetrics:
        """Return the metrics of one run of a group."""
        return cls(**{name: float(values[run]) for name, values in metrics._asdict().items()})


class DataRecord(_Entry):
    """The number of images in each split, and a fingerprint that does not depend on the file layout."""

    dataset: str
    synthetic: bool
    images: dict[SplitName, int]
    sha256: dict[SplitName, str]


class Blas(_Entry):
    """A BLAS library and the number of its threads."""

    internal_api: str | None
    version: str | None
    architecture: str | None
    num_threads: int


class EnvironmentRecord(_Entry):
    """Versions, BLAS, commit of the code (None for an installed package), machine and process."""

    versions: dict[str, str]
    blas: list[Blas]
    commit: str | None
    platform: str
    host: str
    process: int
    command: list[str]


class BestEvaluation(_Entry):
    """The evaluation with the lowest validation loss, whose weights a run with early stopping keeps."""

    epoch: int
    metrics: dict[SplitName, SplitMetrics]


class Certificate(_Entry):
    """Between which bounds the lowest cost of a run's problem lies, and how far above it the run has ended.

    Attributes:
        lower: no weights have a lower cost.
        upper: the cost of the weights in ``optimum.npz``.
        cost: of the weights that the run is judged by, on all training images.
        cost_with_best_bias: of the same weights with the best bias for them; the same as ``cost`` if b is penalised.
        weights: which ones these are.
        tolerance: how narrow the bracket was to be, as a part of the cost.
        evaluations: of cost and gradient on all training images.
        run: metrics of the run's weights.
        optimum: metrics of the weights in ``optimum.npz``, on the same splits.
    """

    lower: float
    upper: float
    cost: float
    cost_with_best_bias: float
    weights: Literal["last", "best"]
    tolerance: float = Field(gt=0)
    evaluations: int = Field(ge=1)
    run: dict[SplitName, SplitMetrics]
    optimum: dict[SplitName, SplitMetrics]

    @model_validator(mode="after")
    def _in_order(self) -> Certificate:
        if not self.lower <= self.upper <= self.cost:
            raise ValueError("the bounds and the cost must be in order")
        return self

    @property
    def above(self) -> float:
        """How far the run's cost is above the upper bound at least, as a part of that bound; 0 if it is that bound."""
        return (self.cost - self.upper) / self.upper

    @property
    def bias_alone(self) -> float:
        """By how much the best bias for the run's weights lowers its cost, in nats."""
        return self.cost - self.cost_with_best_bias


class Reliability(_Entry):
    """A bin of a reliability diagram: its images, their mean confidence, and the fraction that is classified right."""

    images: int = Field(ge=1)
    confidence: float = Field(ge=0, le=1)
    accuracy: float = Field(ge=0, le=1)


class CalibrationMetrics(_Entry):
    """How far probabilities can be relied on.

    Attributes:
        nll: the negative log-likelihood, which is the mean loss, in nats.
        brier: the mean squared distance of the probabilities from the truth.
        ece: the expected calibration error, in bins of equal mass.
        ece_if_calibrated: what a perfectly calibrated classifier with these confidences shows on average.
        ece_limit: what such a classifier exceeds in one of forty cases only.
        over_confidence: mean confidence minus accuracy.
        bins: the reliability diagram, from the least confident images.
    """

    nll: float
    brier: float
    ece: float
    ece_if_calibrated: float
    ece_limit: float
    over_confidence: float
    bins: list[Reliability]


class SplitCalibration(_Entry):
    """Of one split: the probabilities as they are, and those of scores divided by the temperature.

    Attributes:
        plain: of the probabilities as they are.
        tempered: of those of scores divided by the temperature; None without a temperature.
        top_5: the fraction of images whose class is among the five most probable; None for up to five classes.
    """

    plain: CalibrationMetrics
    tempered: CalibrationMetrics | None
    top_5: float | None


class Calibration(_Entry):
    """How honest the probabilities of a run's classifier are.

    Attributes:
        weights: which of the run's weights they are of: those that it is judged by.
        temperature: by which scores are divided, fitted on the validation images.
        test: on the test images, if there are any.
    """

    weights: Literal["last", "best"]
    temperature: float = Field(gt=0)
    test: SplitCalibration | None

    def is_of(self, best: bool, optimum: bool) -> bool:
        """Whether it is of the run's best weights or of its last ones; it never is of those of the optimum."""
        return not optimum and (self.weights == "best") == best


class Sensitivity(_Entry):
    """How far two trainings part whose first weights differ in one bit of one weight.

    Attributes:
        apart: the distance of their last weights, as a part of the length of the first training's.
        train_cost: of both.
        validation_accuracy: of both.
    """

    apart: float = Field(ge=0)
    train_cost: tuple[float, float]
    validation_accuracy: tuple[float, float]

    @property
    def depends_on_rounding(self) -> bool:
        """Whether one bit has become a thousandth of the weights: far more than the rounding of all updates."""
        return self.apart > 1e-3

    def in_words(self) -> str:
        """How far one bit has carried, in words for a run that depends on rounding."""
        (cost, other_cost), (accuracy, other_accuracy) = self.train_cost, self.validation_accuracy
        return (
            f"with one bit of one first weight changed, the last weights are {100 * self.apart:.2g} % of their length "
            f"apart, the training cost is {other_cost:.4g} in place of {cost:.4g} and validation accuracy "
            f"{100 * other_accuracy:.2f} in place of {100 * accuracy:.2f} %: the metrics depend on rounding"
        )


class Record(_Entry):
    """The record of one run: status, metrics, config, data and environment."""

    format: Literal[1, 2] = FORMAT
    status: Status
    created: str
    seconds: float
    epoch: int | None
    step: int | None
    metrics: dict[SplitName, SplitMetrics]
    best: BestEvaluation | None = None
    error: str | None
    runs_in_pass: int = Field(1, ge=1, description="trained together, in one pass over the data")
    place_in_pass: int = Field(0, ge=0, description="which of them this run was, counted from 0")
    diverged_at: int | None = Field(None, ge=0, description="the update after which it was no longer finite")
    early_stop: bool | None = Field(None, description="whether early stopping ended it; None in format 1")
    config: Config
    data: DataRecord
    environment: EnvironmentRecord

    @property
    def stopped_early(self) -> bool:
        """Whether early stopping ended the run before its last update."""
        if self.early_stop is None:
            return self.status == "finished" and self.epoch != self.config.epochs
        return self.early_stop

    @property
    def done(self) -> int:
        """The epochs or updates so far, in the unit that the config counts in; 0 before the first save."""
        return (self.step if self.config.unit == "step" else self.epoch) or 0

    @property
    def weights(self) -> Literal["last", "best"]:
        """Which weights the run is judged by: the best if it kept them, otherwise the last."""
        return "best" if self.best else "last"

    @property
    def outcome(self) -> dict[SplitName, SplitMetrics]:
        """The metrics to report: those of the best weights if the run kept them, otherwise of the last weights."""
        return self.best.metrics if self.best else self.metrics

    def to_tree(self) -> dict[str, Any]:
        """Return the record as plain values for JSON."""
        tree = self.model_dump(mode="json", by_alias=True)
        return {**tree, "config": self.config.to_tree()}
