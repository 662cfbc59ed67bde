"""From Config to finished run folders: the one door where a config is unpacked into plain numbers and arrays."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from platformdirs import user_cache_path

from cifar_linear.arrays import Doubles
from cifar_linear.config.models import Cifar10Data, Config, HeldOut
from cifar_linear.data import cifar10, synthetic
from cifar_linear.data.augment import Augmentation
from cifar_linear.data.batches import Batches
from cifar_linear.data.dataset import Dataset, hold_out, join_batches
from cifar_linear.metrics import most_confident_mistakes
from cifar_linear.nn.linear import initial_weights
from cifar_linear.nn.losses import LOSSES
from cifar_linear.nn.objective import Objective
from cifar_linear.nn.standardization import Standardization
from cifar_linear.provenance import data_record, environment_record
from cifar_linear.randomness import Purpose, rng_for
from cifar_linear.recorder import Recorder
from cifar_linear.runs import Model, Predictions, RunFolder
from cifar_linear.state import State
from cifar_linear.training import Evaluation, evaluate, predict, train

Watch = Callable[[Evaluation], None]
"""Is told of each evaluation point as it is reached."""

_MISTAKES = 25
"""How many of a run's most confident mistakes are kept as images."""


def load_dataset(config: Config, data_dir: Path | None = None) -> Dataset:
    """The images that a config asks for.

    CIFAR-10 is looked for in ``data_dir``, else in the config's ``data.folder``, else in the platform's cache folder.
    Raises `DataError`.
    """
    data = config.data
    class_names: tuple[str, ...]
    if isinstance(data, Cifar10Data):
        read = cifar10.reader(data_dir or Path(data.folder or user_cache_path("cifar-linear")))
        class_names = cifar10.CLASS_NAMES
    else:
        read = synthetic.reader(data.images_per_batch, data.seed)
        class_names = synthetic.CLASS_NAMES
    training = join_batches(read, data.train)
    if isinstance(data.validation, HeldOut):
        training, validation = hold_out(training, data.validation.size, rng_for(config.seed, Purpose.HELD_OUT))
    else:
        validation = join_batches(read, data.validation)
    return Dataset(training, validation, join_batches(read, data.test), class_names, cifar10.IMAGE_SHAPE)


def make_augmentation(config: Config, dataset: Dataset) -> Augmentation | None:
    """What happens to training images; None for nothing."""
    wanted = config.augmentation
    if not (wanted.flip or wanted.shift):
        return None
    return Augmentation(dataset.image_shape, flip=wanted.flip, shift=wanted.shift, seed=config.seed)


def draw_weights(config: Config, dataset: Dataset) -> tuple[Doubles, Doubles]:
    """The weights (K, d) and biases (K,) that a run starts from."""
    rng = rng_for(config.seed, Purpose.WEIGHTS)
    return initial_weights(rng, len(dataset.class_names), dataset.train.images.shape[1], config.init_std)


def run_group(
    configs: Sequence[Config], folders: Sequence[RunFolder], dataset: Dataset, watch: Watch
) -> list[dict[str, Any]]:
    """Train runs that may differ in lambda and eta only, in one pass over the data; returns their records.

    Each folder is complete whatever happens: finished, diverged, interrupted or failed, always with the weights and
    the figures of its last evaluation point. Interrupts and failures are raised again.
    """
    group = _Group.of(configs, dataset)
    state = group.first_state()
    for config, folder in zip(configs, folders, strict=True):
        folder.write_config(config.to_yaml())
    recorder = Recorder(folders, state, group.model, group.facts())
    try:
        for evaluation in group.evaluations(state):
            recorder.evaluated(evaluation, state)
            watch(evaluation)
        test = evaluate(state, dataset.test, group.objective)
        return recorder.finished(test, group.predictions(state), group.advice(state))
    except KeyboardInterrupt:
        recorder.stopped("interrupted")
        raise
    except BaseException as error:
        recorder.stopped("failed", f"{type(error).__name__}: {error}")
        raise


@dataclass(frozen=True)
class _Group:
    """R configs and a dataset, unpacked for the training loop."""

    configs: Sequence[Config]
    dataset: Dataset
    objective: Objective
    eta: Doubles

    @classmethod
    def of(cls, configs: Sequence[Config], dataset: Dataset) -> _Group:
        alike = [config.model_copy(update={"lam": 0.0, "eta": 1.0}) for config in configs]
        if any(config != alike[0] for config in alike):
            raise ValueError("runs that share a pass over the data may differ in lambda and eta only")
        lam = np.array([config.lam for config in configs])
        objective = Objective(LOSSES[configs[0].loss], lam, Standardization.of(dataset.train.images))
        return cls(configs, dataset, objective, np.array([config.eta for config in configs]))

    @property
    def shared(self) -> Config:
        """Stands for all configs in every key but lambda and eta."""
        return self.configs[0]

    def first_state(self) -> State:
        weights = [draw_weights(config, self.dataset) for config in self.configs]
        return State.stack(weights, self.shared.dtype)

    def evaluations(self, state: State) -> Iterator[Evaluation]:
        train_split, shared = self.dataset.train, self.shared
        batches = Batches(
            train_split,
            n_batch=shared.n_batch,
            shuffle=shared.shuffle,
            seed=shared.seed,
            dtype=shared.dtype,
            augmentation=make_augmentation(shared, self.dataset),
        )
        epochs = range(shared.epochs + 1)
        return train(state, self.objective, batches, train_split, self.dataset.validation, eta=self.eta, epochs=epochs)

    def model(self, state: State, run: int) -> Model:
        seen, dataset = self.objective.standardization, self.dataset
        return Model(state.W[run], state.b[run], seen.mean, seen.std, dataset.class_names, dataset.image_shape)

    def predictions(self, state: State) -> Callable[[int], Predictions]:
        """What each run makes of the test images."""
        test = self.dataset.test
        probabilities = predict(state, test, self.objective)

        def of_run(run: int) -> Predictions:
            mistakes = most_confident_mistakes(probabilities[:, run], test.labels, _MISTAKES)
            return Predictions(probabilities[:, run], test.labels, mistakes, test.images[mistakes])

        return of_run

    def facts(self) -> list[dict[str, Any]]:
        """What is known of each run before it starts."""
        shared = {
            "data": data_record(self.dataset, self.shared.data.dataset),
            "environment": environment_record(),
        }
        return [{"config": config.to_tree(), **shared} for config in self.configs]

    def advice(self, state: State) -> dict[int, str]:
        """For each run that diverged: where, and what to try."""
        advice = {}
        for run in np.flatnonzero(~state.alive).tolist():
            eta, lam, step = self.configs[run].eta, self.configs[run].lam, int(state.diverged_at[run])
            message = f"training diverged at step {step} with eta {eta:g}: weights or cost are no longer finite; "
            if eta * lam > 1:
                # Without any data a step multiplies W by 1 - 2 eta lambda.
                message += f"eta * lambda is {eta * lam:g}, above 1 the penalty alone makes W grow: lower one of them"
            else:
                message += f"try eta {eta / 10:g} or less"
            advice[run] = message
        return advice
