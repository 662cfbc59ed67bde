"""Build model and arguments of the training loop from a config and its data set. Modules below know no config."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from math import prod

import numpy as np

from cifar_linear.arrays import Doubles
from cifar_linear.config.models import Config, CosineDecay, NoDecay, PlateauDecay, StepDecay
from cifar_linear.config.networks import NetworkModel
from cifar_linear.config.shuffling import BlockShuffle
from cifar_linear.data.batches import Batches
from cifar_linear.data.dataset import Dataset, first_images
from cifar_linear.errors import RunError
from cifar_linear.experiments.loading import make_augmentation, make_standardization
from cifar_linear.nn.linear import Linear
from cifar_linear.nn.losses import LOSSES
from cifar_linear.nn.model import Model
from cifar_linear.nn.objective import Objective
from cifar_linear.nn.parameters import Parameters, of_run
from cifar_linear.nn.schedules import Schedule, constant, cosine, plateau, step
from cifar_linear.nn.standardization import Standardization
from cifar_linear.randomness import Purpose, rng_for
from cifar_linear.runs.artifacts import Checkpoint, StoredModel
from cifar_linear.runs.file_names import CHECKPOINT_FILE
from cifar_linear.runs.folder import RunFolder
from cifar_linear.runs.format_1 import with_what_had_not_begun
from cifar_linear.runs.tables import COLUMNS
from cifar_linear.training.evaluation import Evaluation
from cifar_linear.training.history import EvaluatedPoint
from cifar_linear.training.loop import train
from cifar_linear.training.state import State
from cifar_linear.training.threads import cores


def make_schedule(config: Config) -> Schedule:
    """Return the schedule of the learning rate."""
    match config.decay:
        case StepDecay(every=every, factor=factor):
            return step(every, factor)
        case PlateauDecay(patience=patience, factor=factor):
            return plateau(patience, factor)
        case CosineDecay():
            return cosine(config.epochs) if config.epochs is not None else constant
        case NoDecay():
            return constant


def evaluate_after(config: Config, steps: int) -> Callable[[int], bool]:
    """Return a function that decides whether to evaluate after an update, numbered from 1; an epoch has ``steps``."""
    wanted = config.evaluate
    if wanted is not None and wanted.per_epoch is not None:
        between = max(1, steps // wanted.per_epoch)
        return lambda step: (step - 1) % between == 0
    every = (wanted.every_steps if wanted else None) or steps
    return lambda step: step % every == 0


def updates_of(config: Config, steps: int) -> int:
    """Return the number of updates of a complete run; an epoch has ``steps``."""
    return config.steps or (config.epochs or 0) * steps


def make_model(config: Config, classes: int, image_shape: tuple[int, ...], standardization: Standardization) -> Model:
    """Return the model of a config.

    Args:
        config: config of a run.
        classes: number of classes; the logistic loss needs a single score for two classes.
        image_shape: (channels, height, width).
        standardization: standardisation of raw pixels.
    """
    if len(standardization.mean) != prod(image_shape):
        raise ValueError(f"{len(standardization.mean)} features do not make images {image_shape}")
    outputs = LOSSES[config.loss].scores_for(classes)
    if isinstance(config.model, NetworkModel):
        network = config.model.network(outputs, image_shape, config.penalise)
        return replace(network, standardization=standardization, threads=1 if config.repro == "strict" else cores())
    return Linear(
        outputs, standardization, config.init_std, bias_is_weight=config.penalise == "all" or config.bias == "column"
    )


def make_objective(configs: Sequence[Config], model: Model) -> Objective:
    """Return the objective of runs that share a pass over the data."""
    return Objective(model, LOSSES[configs[0].loss], np.array([config.lam for config in configs]))


def make_state(configs: Sequence[Config], model: Model) -> State:
    """Return the state of a group before its first update."""
    shared = configs[0]
    return State.first(
        [model.initial(rng_for(config.seed, Purpose.WEIGHTS)) for config in configs],
        shared.dtype,
        momentum=shared.momentum is not None,
        averaging=shared.averaging is not None,
        keep_best=shared.early_stopping is not None,
    )


def read_checkpoint(folder: RunFolder, config: Config, dataset: Dataset) -> Checkpoint | None:
    """Return the checkpoint of a run; None if none was saved.

    Raises `RunError` if the checkpoint does not fit the config and the images.
    """
    checkpoint = folder.read_checkpoint()
    if checkpoint is None:
        return None
    unseen = Standardization.same_for_all(prod(dataset.image_shape), mean=0, std=1)
    model = make_model(config, len(dataset.class_names), dataset.image_shape, unseen)
    expected = make_state([config], model).take(0)
    checkpoint = checkpoint._replace(arrays=with_what_had_not_begun(checkpoint.arrays, expected))
    columns = [*COLUMNS, *["averaged"] * bool(config.averaging), *["waited"] * bool(config.early_stopping)]
    if problem := checkpoint.problem(expected, columns):
        raise RunError(f"{folder.path / CHECKPOINT_FILE}: does not belong to this run: {problem}; train a new run")
    return checkpoint


def shared_part(config: Config) -> Config:
    """Return the part that configs of a shared pass have in common: all but lambda, eta, decay and momentum."""
    momentum = None if config.momentum is None else 0.0
    return config.model_copy(update={"lam": 0.0, "eta": 1.0, "decay": NoDecay(), "momentum": momentum})


@dataclass(frozen=True)
class Group:
    """R configs and a dataset, prepared for the training loop."""

    configs: Sequence[Config]
    dataset: Dataset
    standardization: Standardization
    objective: Objective

    @classmethod
    def of(cls, configs: Sequence[Config], dataset: Dataset) -> Group:
        """Prepare a group. Raises ValueError if the configs cannot share a pass over the data."""
        if len({shared_part(config) for config in configs}) > 1:
            raise ValueError("runs that share a pass over the data may differ in lambda, eta, decay and momentum only")
        standardization = make_standardization(configs[0], dataset.train)
        model = make_model(configs[0], len(dataset.class_names), dataset.image_shape, standardization)
        return cls(configs, dataset, standardization, make_objective(configs, model))

    @property
    def shared(self) -> Config:
        """A config that equals all others except in lambda, eta, decay and momentum."""
        return self.configs[0]

    def first_state(self) -> State:
        """Return the state of the group before its first update."""
        return make_state(self.configs, self.objective.model)

    def batches(self) -> Batches:
        """Return the mini-batches of the group."""
        shared = self.shared
        return Batches(
            self.dataset.train,
            n_batch=shared.n_batch,
            shuffle=bool(shared.shuffle),
            block=shared.shuffle.block if isinstance(shared.shuffle, BlockShuffle) else None,
            seed=shared.seed,
            drop_last=shared.drop_last,
            augmentation=make_augmentation(shared, self.dataset),
        )

    def updates(self, batches: Batches) -> int:
        """Return the number of updates of a complete run."""
        return updates_of(self.shared, batches.steps)

    def evaluations(
        self,
        state: State,
        batches: Batches,
        check: Callable[[], None] = lambda: None,
        past: Sequence[EvaluatedPoint] = (),
    ) -> Iterator[Evaluation]:
        """Train ``state``, yielding each evaluation point.

        Args:
            state: state of the group, which is updated in place.
            batches: the result of `Group.batches`.
            check: called before every update; may raise to stop training.
            past: all earlier evaluations of a resumed training.
        """
        shared = self.shared
        return train(
            state,
            self.objective,
            batches,
            first_images(self.dataset.train, shared.evaluate.train_images if shared.evaluate else None),
            self.dataset.validation,
            eta=self._rates,
            updates=self.updates(batches),
            eta_follows=any(isinstance(config.decay, PlateauDecay) for config in self.configs),
            eta_factor=self._factor if shared.steps and self._has_cosine else None,
            momentum=np.array([config.momentum for config in self.configs]) if shared.momentum is not None else None,
            evaluate_after=evaluate_after(shared, batches.steps),
            average_from=shared.averaging.from_epoch if shared.averaging else None,
            average_decay=(shared.averaging.decay if shared.averaging else None) or 1.0,
            patience=shared.early_stopping.patience if shared.early_stopping else None,
            record_steps=shared.record_steps,
            past=past,
            check=check,
        )

    def _rates(self, epoch: int, past: Sequence[EvaluatedPoint]) -> Doubles:
        """Return the learning rate of each run in an epoch, (R,); epoch 0 has the rate of epoch 1."""
        factors = [
            # Not a list: only plateau decay reads the losses, and long trainings have many.
            make_schedule(config)(max(epoch, 1), (float(evaluation.loss[run]) for evaluation in past))
            for run, config in enumerate(self.configs)
        ]
        return np.array([config.eta for config in self.configs]) * factors

    @property
    def _has_cosine(self) -> bool:
        return any(isinstance(config.decay, CosineDecay) for config in self.configs)

    def _factor(self, step: int) -> Doubles:
        """Return the factor on each run's rate at an update, numbered from 0, (R,): a cosine over steps."""
        factors = [
            cosine(config.steps)(step + 1, ()) if config.steps and isinstance(config.decay, CosineDecay) else 1.0
            for config in self.configs
        ]
        return np.array(factors)

    def model(self, parameters: Parameters, run: int) -> StoredModel:
        """Return one run's model for storage."""
        standardization, dataset = self.standardization, self.dataset
        facts = dataset.class_names, dataset.image_shape, standardization.unit
        return StoredModel(of_run(parameters, run), standardization.mean, standardization.std, *facts)
