"""The one door where a config is unpacked: into images, weights and the numbers of the training loop."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from platformdirs import user_cache_path

from cifar_linear.arrays import Doubles, Floats, Labels
from cifar_linear.config.models import (
    Cifar10Data,
    Config,
    CosineDecay,
    HeldOut,
    NoDecay,
    PlateauDecay,
    StepDecay,
)
from cifar_linear.data import cifar10, synthetic
from cifar_linear.data.augment import Augmentation
from cifar_linear.data.batches import Batches
from cifar_linear.data.dataset import Dataset, ReadBatch, Split, SplitName, hold_out, join_batches
from cifar_linear.nn.linear import initial_weights
from cifar_linear.nn.losses import LOSSES
from cifar_linear.nn.objective import Objective
from cifar_linear.nn.schedules import Schedule, constant, cosine, plateau, step
from cifar_linear.nn.standardization import Standardization
from cifar_linear.randomness import Purpose, rng_for
from cifar_linear.runs import Model
from cifar_linear.state import State, Weights
from cifar_linear.training import Evaluation, train


def load_dataset(config: Config, data_dir: Path | None = None) -> Dataset:
    """The images that a config asks for.

    CIFAR-10 is looked for in ``data_dir``, else in the config's ``data.folder``, else in the platform's cache folder.
    Raises `DataError`.
    """
    read, class_names = _source(config, data_dir)
    training, validation = _train_and_validation(config, read)
    return Dataset(training, validation, join_batches(read, config.data.test), class_names, cifar10.IMAGE_SHAPE)


def load_split(config: Config, name: SplitName, data_dir: Path | None = None) -> Split:
    """One split of `load_dataset`, from no more files than it needs."""
    read, _ = _source(config, data_dir)
    if name == "test":
        return join_batches(read, config.data.test)
    if name == "train" and not isinstance(config.data.validation, HeldOut):
        return join_batches(read, config.data.train)
    training, validation = _train_and_validation(config, read)
    return training if name == "train" else validation


def _train_and_validation(config: Config, read: ReadBatch) -> tuple[Split, Split]:
    data = config.data
    training = join_batches(read, data.train)
    if isinstance(data.validation, HeldOut):
        return hold_out(training, data.validation.size, rng_for(config.seed, Purpose.HELD_OUT))
    return training, join_batches(read, data.validation)


def _source(config: Config, data_dir: Path | None) -> tuple[ReadBatch, tuple[str, ...]]:
    """Where batches come from, and what their classes are called."""
    data = config.data
    if isinstance(data, Cifar10Data):
        return cifar10.reader(data_dir or _own_folder(data)), cifar10.CLASS_NAMES
    return synthetic.reader(data.images_per_batch, data.seed), synthetic.CLASS_NAMES


def _own_folder(data: Cifar10Data) -> Path:
    return Path(data.folder).expanduser() if data.folder else user_cache_path("cifar-linear")


def make_augmentation(config: Config, dataset: Dataset) -> Augmentation | None:
    """What happens to training images; None for nothing."""
    wanted = config.augmentation
    if not (wanted.flip or wanted.shift):
        return None
    return Augmentation(dataset.image_shape, flip=wanted.flip, shift=wanted.shift, seed=config.seed)


def make_schedule(config: Config) -> Schedule:
    """How eta changes over the epochs."""
    match config.decay:
        case StepDecay(every=every, factor=factor):
            return step(every, factor)
        case PlateauDecay(patience=patience, factor=factor):
            return plateau(patience, factor)
        case CosineDecay():
            return cosine(config.epochs)
        case NoDecay():
            return constant


def draw_weights(config: Config, dataset: Dataset) -> tuple[Doubles, Doubles]:
    """The weights (K, d) and biases (K,) that a run starts from."""
    rng = rng_for(config.seed, Purpose.WEIGHTS)
    return initial_weights(rng, len(dataset.class_names), dataset.train.images.shape[1], config.init_std)


def shared_part(config: Config) -> Config:
    """What must be equal for two configs to share a pass over the data: all but lambda, eta and decay."""
    return config.model_copy(update={"lam": 0.0, "eta": 1.0, "decay": NoDecay()})


@dataclass(frozen=True)
class Group:
    """R configs and a dataset, unpacked for the training loop."""

    configs: Sequence[Config]
    dataset: Dataset
    objective: Objective

    @classmethod
    def of(cls, configs: Sequence[Config], dataset: Dataset) -> Group:
        """Raises ValueError if the configs cannot share a pass over the data."""
        if len({shared_part(config) for config in configs}) > 1:
            raise ValueError("runs that share a pass over the data may differ in lambda, eta and decay only")
        lam = np.array([config.lam for config in configs])
        objective = Objective(LOSSES[configs[0].loss], lam, Standardization.of(dataset.train.images))
        return cls(configs, dataset, objective)

    @property
    def shared(self) -> Config:
        """Stands for all configs in every key but lambda, eta and decay."""
        return self.configs[0]

    def first_state(self) -> State:
        """The weights that each run starts from."""
        weights = [draw_weights(config, self.dataset) for config in self.configs]
        return State.first(weights, self.shared.dtype)

    def evaluations(
        self, state: State, check: Callable[[], None], losses: Sequence[Doubles] = ()
    ) -> Iterator[Evaluation]:
        """Train ``state``; ``check`` is called before every update and may raise to stop there.

        A training that goes on is given the validation losses (R,) of all evaluations that it has behind it.
        """
        train_split, shared = self.dataset.train, self.shared
        batches = Batches(
            train_split,
            n_batch=shared.n_batch,
            shuffle=shared.shuffle,
            seed=shared.seed,
            dtype=shared.dtype,
            augmentation=make_augmentation(shared, self.dataset),
        )

        def checked_batches(epoch: int) -> Iterator[tuple[Floats, Labels]]:
            for batch in batches(epoch):
                check()
                yield batch

        return train(
            state,
            self.objective,
            checked_batches,
            train_split,
            self.dataset.validation,
            eta=self._rates,
            epochs=range(len(losses), shared.epochs + 1),
            average_from=shared.averaging.from_epoch if shared.averaging else None,
            patience=shared.early_stopping.patience if shared.early_stopping else None,
            losses=losses,
        )

    def _rates(self, epoch: int, losses: Sequence[Doubles]) -> Doubles:
        """The learning rate of each run in an epoch, (R,); that of epoch 0 is the first that will be used."""
        factors = [
            # Not a list: only a plateau looks at the losses, and long trainings have many.
            make_schedule(config)(max(epoch, 1), (float(loss[run]) for loss in losses))
            for run, config in enumerate(self.configs)
        ]
        return np.array([config.eta for config in self.configs]) * factors

    def model(self, weights: Weights, run: int) -> Model:
        """One run's weights with what is needed to use them."""
        seen, dataset = self.objective.standardization, self.dataset
        return Model(weights.W[run], weights.b[run], seen.mean, seen.std, dataset.class_names, dataset.image_shape)
