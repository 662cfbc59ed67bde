"""The content of run.json, validated on writing and on reading."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from cifar_linear.config.models import Config
from cifar_linear.data.dataset import SplitName
from cifar_linear.nn.metrics import Metrics

FORMAT: Literal[2] = 2
"""Version of the run folder's layout, stored in every record."""
FORMATS = (1, 2)
"""The versions that can be read. Checkpoints of format 1 contain linear models only."""

Status = Literal["running", "finished", "diverged", "interrupted", "failed"]


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
    def outcome(self) -> dict[SplitName, SplitMetrics]:
        """The metrics to report: those of the best weights if the run kept them, otherwise of the last weights."""
        return self.best.metrics if self.best else self.metrics

    def to_tree(self) -> dict[str, Any]:
        """Return the record as plain values for JSON."""
        tree = self.model_dump(mode="json", by_alias=True)
        return {**tree, "config": self.config.to_tree()}
