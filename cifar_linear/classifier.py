"""A trained classifier, back from its run folder and ready for use."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cifar_linear.arrays import Floats, Images
from cifar_linear.config.models import Config
from cifar_linear.config.reading import parse_config
from cifar_linear.data.dataset import Split, SplitName
from cifar_linear.nn.losses import LOSSES
from cifar_linear.nn.objective import Objective
from cifar_linear.nn.standardization import Standardization
from cifar_linear.records import Figures
from cifar_linear.runs import RunFolder
from cifar_linear.state import State
from cifar_linear.training import evaluate, predict
from cifar_linear.unpacking import load_split

_ROUNDING = 1e-6


@dataclass(frozen=True)
class Classifier:
    """The weights of one run with everything that gives them their meaning."""

    config: Config
    state: State
    objective: Objective
    class_names: tuple[str, ...]
    image_shape: tuple[int, ...]

    @classmethod
    def of(cls, folder: RunFolder) -> Classifier:
        """Raises `RunError` or `ConfigError` if the folder lacks or damages what is needed."""
        config = parse_config(folder.read_config(), str(folder.path / "config.yaml"))
        model = folder.read_model()
        seen = Standardization(model.mean, model.std)
        objective = Objective(LOSSES[config.loss], np.array([config.lam]), seen)
        return cls(config, State(model.W[None], model.b[None]), objective, model.class_names, model.image_shape)

    def evaluate(self, split: SplitName, data_dir: Path | None) -> Figures:
        """Loss, cost and accuracy on a split of the data that the config names. Raises `DataError`."""
        return Figures.of(evaluate(self.state, load_split(self.config, split, data_dir), self.objective), run=0)

    def probabilities(self, images: Images) -> Floats:
        """Class probabilities (n, K) of images (n, d) of 0 to 255."""
        unlabelled = Split(images, np.zeros(len(images), np.intp))
        return predict(self.state, unlabelled, self.objective)[:, 0]


def disagreements(found: Figures, recorded: Figures) -> dict[str, float]:
    """The recorded figures that a new evaluation does not confirm, to what rounding on another machine may change."""
    return {
        name: value
        for name, value in recorded.model_dump().items()
        if not abs(getattr(found, name) - value) <= _ROUNDING * max(abs(value), 1)
    }
