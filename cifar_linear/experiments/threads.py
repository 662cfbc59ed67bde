"""How many threads multiply while a group is trained."""

from __future__ import annotations

from contextlib import AbstractContextManager

from threadpoolctl import threadpool_info, threadpool_limits

from cifar_linear.config.models import Config, PlateauDecay
from cifar_linear.config.networks import NetworkModel
from cifar_linear.training.threads import cores

_MANY_RUNS = 16
"""Runs of a pass from which on their products are large enough for several threads."""


def blas_threads(config: Config, runs: int = 1) -> AbstractContextManager[object]:
    """Limit the BLAS threads during the block.

    One core is left to the evaluation in the second thread; a smaller existing limit is kept. A network uses its own
    threads, with one BLAS thread each. Many runs whose training waits for every evaluation use all cores for both.

    Args:
        config: of the runs.
        runs: number of runs that share a pass.
    """
    threads = [library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"]
    alone = config.repro == "strict" or isinstance(config.model, NetworkModel)
    most = 1 if alone else max(1, min([cores() - (not _takes_turns(config, runs)), *threads]))
    limits: AbstractContextManager[object] = threadpool_limits(most, user_api="blas")
    return limits


def _takes_turns(config: Config, runs: int) -> bool:
    """Whether training waits for every evaluation, with products so large that several threads share them well."""
    return runs >= _MANY_RUNS and (config.early_stopping is not None or isinstance(config.decay, PlateauDecay))
