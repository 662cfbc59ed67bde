"""Groups of runs with the numbers in a test's hands."""

import numpy as np

from cifar_linear.data.batches import Batches
from cifar_linear.experiments.assembly import draw_weights
from cifar_linear.nn.losses import LOSSES
from cifar_linear.nn.objective import Objective
from cifar_linear.nn.standardization import Standardization
from cifar_linear.training.loop import train
from cifar_linear.training.state import State

EPOCHS = 3


class Training:
    """One group on sixty images, as experiment.py would set it up, with the numbers in the test's hands."""

    def __init__(self, config, dataset, lam, eta, n_batch=20):
        self.dataset, self.eta = dataset, lambda _epoch, _losses: np.array(eta, float)
        self.objective = Objective(LOSSES[config.loss], np.array(lam, float), Standardization.of(dataset.train.images))
        self.state = State.first([draw_weights(config, dataset)] * len(lam), config.dtype)
        self.batches = Batches(dataset.train, n_batch=n_batch, shuffle=True, seed=config.seed, dtype=config.dtype)

    def evaluations(self, epochs=EPOCHS, **options):
        splits = self.dataset.train, self.dataset.validation
        return train(self.state, self.objective, self.batches, *splits, eta=self.eta, epochs=epochs, **options)
