"""Probabilities of training images by classifiers that were trained without them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from cifar_linear.arrays import Floats, Labels
from cifar_linear.config.models import Config, EvaluationConfig
from cifar_linear.data.dataset import Dataset, folds
from cifar_linear.errors import DivergedError
from cifar_linear.experiments.assembly import Group
from cifar_linear.experiments.threads import blas_threads
from cifar_linear.randomness import Purpose, rng_for
from cifar_linear.training.evaluation import Evaluation, predict
from cifar_linear.training.state import State


def out_of_fold(
    config: Config,
    dataset: Dataset,
    count: int,
    watch: Callable[[Evaluation], None],
    check: Callable[[], None],
) -> tuple[Floats, Labels]:
    """Train a config once for each fold, without the fold's images, and classify these.

    All folds are one group, for linear models and networks alike: they share each pass over the images, and every run
    gives the images of its own fold the weight 0. Only the mean and the standard deviation of the pixels are of all
    images; they depend on no label.

    Args:
        config: of the training.
        dataset: its images.
        count: the number of folds, at least 2.
        watch: called with each evaluation point.
        check: called before every update; may raise to stop.

    Returns:
        Probabilities (n, K) of the training images, and the predicted classes (n,). With early stopping they are those
        of the best weights, as usual.

    Raises `DivergedError` if a fold diverges.
    """
    train = dataset.train
    fold = folds(train.labels, count, rng_for(config.seed, Purpose.FOLDS))
    others = fold[:, None] != np.arange(count)
    weighted = replace(train, weights=others / others.mean(axis=0))
    group = Group.of([_briefly_evaluated(config, fold)] * count, replace(dataset, train=weighted))
    state = group.first_state()
    with blas_threads(config):
        for evaluation in group.evaluations(state, group.batches(), check):
            watch(evaluation)
        _refuse_diverged(state)
        parameters = state.best.parameters if state.best else state.outcome()
        probabilities, predicted = predict(parameters, train, group.objective)
    rows = np.arange(len(train))
    return probabilities[rows, fold], predicted[rows, fold]


def _briefly_evaluated(config: Config, fold: Labels) -> Config:
    """The same config with metrics, on which nothing depends, of as few training images as every run has one of."""
    few = int(np.argmax(fold != fold[0])) + 1
    evaluation = (config.evaluate or EvaluationConfig()).model_copy(update={"train_images": few})
    return config.model_copy(update={"evaluate": evaluation})


def _refuse_diverged(state: State) -> None:
    diverged = np.flatnonzero(~state.finite)
    if len(diverged):
        step = int(state.end.diverged[diverged[0]])
        raise DivergedError(f"the training without fold {diverged[0] + 1} diverged at step {step}; try a smaller eta")
