"""Measures where the time of workload (a) goes, and how close that is to the limits of the processor."""

from __future__ import annotations

import subprocess
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from statistics import median
from time import perf_counter, time
from typing import Any

import numpy as np
from processes import measured
from threadpoolctl import threadpool_limits
from work import ONE, Work

import cifar_linear
from cifar_linear.config.models import Config
from cifar_linear.experiments.assembly import Group
from cifar_linear.experiments.loading import load_dataset
from cifar_linear.experiments.threads import blas_threads
from cifar_linear.nn import linear, matmul
from cifar_linear.nn.linear import Linear
from cifar_linear.nn.objective import Objective
from cifar_linear.nn.standardization import Standardization
from cifar_linear.training import evaluation, loop

_FIRST_STEP = """
import os, time
from cifar_linear.training import loop
from cifar_linear.__main__ import main
def first_step(*_):
    print("after", time.time() - {started}, flush=True)
    os._exit(0)
loop._update = first_step
main()
"""


def gemm_peak(threads: int) -> float:
    """Measure multiplications and additions per second of a large float32 product."""
    A = np.ones((2048, 2048), np.float32)
    with threadpool_limits(threads, user_api="blas"):
        return 2 * 2048**3 / fastest(lambda: A @ A, 5)


def bandwidth() -> float:
    """Measure bytes per second, read and written, of a copy that fits in no cache."""
    source = np.ones(2**26, np.float32)
    target = np.empty_like(source)
    return 2 * source.nbytes / fastest(lambda: np.copyto(target, source), 5)


def products_alone() -> dict[str, float]:
    """Measure the seconds of the two products of a step alone: as one NumPy call each, and in blocks."""
    rng = np.random.default_rng(0)
    X, V, G = (rng.random(shape, np.float32) for shape in ((100, 3072), (10, 3072), (100, 10)))
    out = np.empty_like(V)

    def plain() -> None:
        np.matmul(X, V.T)
        np.matmul(G.T, X, out=out)

    def in_blocks() -> None:
        matmul.rows_times_rows(X, V)
        matmul.columns_times_columns(G, X, out)

    found = {}
    for threads in (1, 2):
        with threadpool_limits(threads, user_api="blas"):
            found[f"plain, {threads} thread{'s' * (threads > 1)}"] = usual(plain, 1000)
    with threadpool_limits(1, user_api="blas"):
        found["in blocks, 1 thread"] = usual(in_blocks, 1000)
    return found


def parts_of_a_step(work: Work, data: Path) -> dict[str, float]:
    """Measure median seconds of each part of a training step, and of a step whose parts are not timed."""
    config = Config.model_validate(work.config())
    group = Group.of([config], load_dataset(config, data))
    batches, state, found = group.batches(), group.first_state(), defaultdict[str, list[float]](list)
    eta = np.array([config.eta])

    def epochs(count: int) -> None:
        for epoch in range(1, count + 1):
            coming = iter(batches(epoch))
            while True:
                started = perf_counter()
                batch = next(coming, None)
                gathered = perf_counter()
                if batch is None:
                    break
                loop._update(state, group.objective, batch, eta, None)
                found["gather"].append(gathered - started)
                found["whole step"].append(perf_counter() - started)

    with blas_threads(config):
        epochs(5)
        whole = median(found.pop("whole step"))
        gather = median(found.pop("gather"))
        with (
            _timed(Linear, "_with_shift", found["cast to floats"]),
            _timed(Standardization, "fold", found["standardisation into the weights"]),
            _timed(linear, "rows_times_rows", found["forward product"]),
            _timed(Objective, "loss_gradients", found["forward and loss"]),
            _timed(linear, "columns_times_columns", found["backward product"]),
            _timed(loop, "descend", found["update"]),
        ):
            epochs(5)
        parts = {name: median(times) for name, times in found.items() if name not in ("whole step", "gather")}
    before_backward = parts.pop("forward and loss")
    forward = ("cast to floats", "standardisation into the weights", "forward product")
    parts["loss and its gradient"] = before_backward - sum(parts[name] for name in forward)
    parts = {"gather": gather, **parts}
    parts["standardisation of the gradient, penalty, and Python itself"] = whole - sum(parts.values())
    return {**parts, "whole step": whole}


def side_by_side(work: Work, data: Path) -> dict[str, float]:
    """Measure the seconds of an epoch without evaluation, of its evaluation, and of both at once as in training."""
    epochs = 10
    configs = [
        Config.model_validate(work.config() | {"lambda": lam, "eta": eta, "epochs": epochs})
        for lam, eta in work.settings
    ]
    dataset = load_dataset(configs[0], data)
    group = Group.of(configs, dataset)
    batches, state = group.batches(), group.first_state()
    eta = np.array([config.eta for config in configs])

    def epoch() -> None:
        for batch in batches(1):
            loop._update(state, group.objective, batch, eta, None)

    def evaluate() -> None:
        for split in (dataset.train, dataset.validation):
            evaluation.evaluate(state.parameters, split, group.objective)

    with blas_threads(configs[0]):
        return {
            "training": usual(epoch, 5),
            "evaluation": usual(evaluate, 5),
            "both at once": usual(lambda: list(group.evaluations(group.first_state(), batches)), 3) / epochs,
        }


def around_the_loop(command: list[str], data: Path) -> dict[str, float]:
    """Measure the seconds of a process outside the loop: imports, reading the images."""
    python = [sys.executable, "-c"]
    bare = usual_cost([*python, "pass"])
    config = Config.model_validate(ONE.config())
    return {
        "Python itself": bare,
        "import": usual_cost([*python, "import cifar_linear.cli.train, cifar_linear.experiments.run"]) - bare,
        "load": usual(lambda: load_dataset(config, data), 5),
        "--help": usual_cost([sys.executable, "-m", "cifar_linear", "--help"]),
        "first step": median(_until_first_step(command) for _ in range(7)),
    }


def versions() -> dict[str, str]:
    """The versions of cifar-linear and of the other libraries that are installed."""
    found = {"cifar-linear": cifar_linear.__version__}
    for name in ("numpy", "torch", "jax", "scikit-learn"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def usual_cost(command: list[str]) -> float:
    """Measure the median seconds of a process."""
    return median(measured(command).wall for _ in range(7))


def usual(function: Callable[[], Any], times: int) -> float:
    """Measure the median seconds of a call."""
    function()
    return median(_seconds(function) for _ in range(times))


def fastest(function: Callable[[], Any], times: int) -> float:
    """Measure the seconds of the fastest of several calls."""
    return min(_seconds(function) for _ in range(times))


def _seconds(function: Callable[[], Any]) -> float:
    started = perf_counter()
    function()
    return perf_counter() - started


def _until_first_step(command: list[str]) -> float:
    """Measure the seconds from the start of a training command to its first update, with images in the disk cache."""
    words = [sys.executable, "-c", _FIRST_STEP.format(started=time()), *command[3:]]
    said = subprocess.run(words, capture_output=True, text=True, check=True).stdout  # noqa: S603  # our own words
    return float(said.split()[-1])


@contextmanager
def _timed(where: Any, name: str, times: list[float]) -> Iterator[None]:
    """Append the seconds of every call of a function to ``times``."""
    function = getattr(where, name)

    def noting(*args: Any, **kwargs: Any) -> Any:
        started = perf_counter()
        result = function(*args, **kwargs)
        times.append(perf_counter() - started)
        return result

    setattr(where, name, noting)
    try:
        yield
    finally:
        setattr(where, name, function)
