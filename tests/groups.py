"""Groups of runs with the numbers in a test's hands."""

import numpy as np

from cifar_linear.data.batches import Batches
from cifar_linear.experiments.assembly import make_model
from cifar_linear.nn.losses import LOSSES
from cifar_linear.nn.objective import Objective
from cifar_linear.nn.standardization import Standardization
from cifar_linear.randomness import Purpose, rng_for
from cifar_linear.training.loop import train
from cifar_linear.training.state import Best, Mean, State

EPOCHS = 3


class WatchedBatches:
    """Batches that call ``seen`` with epoch and number of each batch, once the training asks for the next."""

    def __init__(self, batches, seen):
        self.batches, self.seen, self.steps, self.order = batches, seen, batches.steps, batches.order

    def __call__(self, epoch, first=0):
        for number, batch in enumerate(self.batches(epoch, first), start=first):
            yield batch
            self.seen(epoch, number)


class Training:
    """One group on sixty images, as `experiments/run.py` would set it up, with the numbers in the test's hands."""

    def __init__(self, config, dataset, lam, eta, n_batch=20):
        self.dataset, self.eta = dataset, lambda _epoch, _losses: np.array(eta, float)
        self.standardization = Standardization.of(dataset.train.images)
        self.model = make_model(config, len(dataset.class_names), dataset.image_shape, self.standardization)
        self.objective = Objective(self.model, LOSSES[config.loss], np.array(lam, float))
        self.parameters = self.model.initial(rng_for(config.seed, Purpose.WEIGHTS))
        self.state = State.first([self.parameters] * len(lam), config.dtype)
        self.batches = Batches(dataset.train, n_batch=n_batch, shuffle=True, seed=config.seed)

    def evaluations(self, epochs=EPOCHS, evaluate_every=None, **options):
        """Train from where ``state`` is, which gets the parts that the options need."""
        if "average_from" in options and self.state.mean is None:
            self.state.mean = Mean.none_yet(self.state.parameters)
        if "patience" in options and self.state.best is None:
            self.state.best = Best.none_yet(self.state.parameters)
        if evaluate_every is not None:
            options["evaluate_after"] = lambda step: (step - 1) % evaluate_every == 0
        splits, updates = (self.dataset.train, self.dataset.validation), epochs * self.batches.steps
        return train(self.state, self.objective, self.batches, *splits, eta=self.eta, updates=updates, **options)
