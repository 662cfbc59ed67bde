"""Times the training of networks, whole processes in turns: cifar-linear, PyTorch in both memory layouts, and JAX."""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from itertools import islice
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any, NamedTuple
from unittest.mock import patch

import numpy as np
import yaml
from processes import Cost, measured
from work import PEERS

from cifar_linear.config.reading import read_config
from cifar_linear.data.dataset import Split, hold_out, join_batches
from cifar_linear.data.sources import SOURCES
from cifar_linear.experiments.assembly import Group
from cifar_linear.experiments.loading import load_dataset
from cifar_linear.experiments.threads import blas_threads
from cifar_linear.nn.layers import conv, conv_relu_pool
from cifar_linear.nn.layers.products import weight_gradient, weighted
from cifar_linear.nn.memory import keep_freed_memory
from cifar_linear.randomness import Purpose, rng_for
from cifar_linear.training import loop

OURS = "ours"
_WITHOUT_JAX = (OURS, "pytorch_network", "pytorch_channels_last")
PROGRAMS = {
    "f": (*_WITHOUT_JAX, "jax_network"),
    "g": (*_WITHOUT_JAX, "jax_network"),
    "h": _WITHOUT_JAX,  # JAX had not finished after six minutes: about 25 times as long as the others
}
TOLERANCE = 0.05
"""Test accuracies of single runs may differ by this much: so do those of two seeds of one program."""
_STEPS = 60
_CONFIGS = Path(__file__).parents[1] / "configs" / "networks"


class NetworkWork(NamedTuple):
    """A config to train, with changes to it."""

    config: str
    changes: tuple[str, ...] = ()


WORKS = {
    "f": NetworkWork("mnist-course.yaml", ("evaluate={every_steps: 1000, train_images: 2000}",)),
    "g": NetworkWork("cifar10-course.yaml"),
    "h": NetworkWork(
        "cifar10-improved-three.yaml",
        ("n_batch=64", "steps=null", "epochs=1", "decay={kind: none}", "evaluate={train_images: 2000}"),
    ),
}


_FILTERS = "{{kind: network, layers: [{conv}, relu, {{maxpool: 2}}, {conv}, relu, {{maxpool: 2}}, flatten, linear]}}"
GROWTH = {
    filters: NetworkWork(
        "mnist-course.yaml",
        (
            f"model={_FILTERS.format(conv=f'{{conv: {{filters: {filters}, kernel: 5, padding: 2}}}}')}",
            "steps=1000",
            "evaluate={every_steps: 500, train_images: 2000}",
        ),
    )
    for filters in (8, 16, 32)
}
"""The course's network on MNIST by the number of its filters."""


def operations(work: NetworkWork) -> float:
    """Multiplications and additions of a workload: forward for each image, and twice as many backward in training.

    The first layer computes no gradient of its input. Evaluated are 2000 training and 2000 validation images at each
    point, and 10 000 test images at the end.
    """
    config = read_config(_CONFIGS / work.config, work.changes)
    forward = [row.multiplications for row in config.network().table()]
    training = 3 * sum(forward) - next(count for count in forward if count)
    points = config.steps // config.evaluate.every_steps + 1
    return 2 * (config.steps * config.n_batch * training + (points * 4000 + 10_000) * sum(forward))


def compared(name: str, data: Path, scratch: Path, repeat: int) -> list[dict[str, Any]]:
    """Measure one workload with every program, in turns; return a row for each, as plain data."""
    programs = PROGRAMS[name]
    costs: dict[str, list[Cost]] = {program: [] for program in programs}
    accuracies: dict[str, list[float]] = {program: [] for program in programs}
    for turn in range(repeat):
        for program in programs:
            with tempfile.TemporaryDirectory(dir=scratch) as folder:
                costs[program].append(measured(command(program, WORKS[name], data, Path(folder))))
                accuracies[program].append(_accuracy(program, Path(folder)))
            print(f"({name}) {program}, {turn + 1} of {repeat}: {costs[program][-1].wall:.2f} s", flush=True)
    return [
        {
            "work": name,
            "program": program,
            "costs": [cost._asdict() for cost in costs[program]],
            "disagreements": _disagreements(accuracies[OURS], accuracies[program]),
        }
        for program in programs
    ]


def step(name: str, data: Path) -> dict[str, float]:
    """Measure the median seconds of a training step, of its products with one thread, and their rate."""
    config = read_config(_CONFIGS / WORKS[name].config, WORKS[name].changes)
    dataset = load_dataset(config, data)
    keep_freed_memory()
    with blas_threads(config):
        group = Group.of([config], dataset)
        model = group.objective.model
        alone = replace(group, objective=replace(group.objective, model=replace(model, threads=1)))
        spent: list[float] = []
        with _timed_products(spent) as multiplied:
            timed = _steps(alone)
        return {
            "step": median(_steps(alone)),
            "share of products": sum(spent) / sum(timed),
            "rate": sum(multiplied) / sum(spent),
            "threads": median(_steps(group)),
        }


def _steps(group: Group) -> list[float]:
    state, times = group.first_state(), list[float]()
    momentum = np.array([group.shared.momentum])
    for batch in islice(group.batches()(1), _STEPS):
        started = perf_counter()
        loop._update(state, group.objective, batch, np.array([1e-4]), momentum)
        times.append(perf_counter() - started)
    return times


@contextmanager
def _timed_products(spent: list[float]) -> Iterator[list[float]]:
    """Add the seconds of each product of a convolution to ``spent``, and yield their operations."""
    operations: list[float] = []

    def timed(product: Callable[..., Any]) -> Callable[..., Any]:
        def call(a: Any, b: Any, *out: Any) -> Any:
            started = perf_counter()
            result = product(a, b, *out)
            spent.append(perf_counter() - started)
            operations.append(2 * a.shape[1] * a.shape[2] * (b.shape[2] if product is weighted else b.shape[1]))
            return result

        return call

    with ExitStack() as stack:
        for module in (conv, conv_relu_pool):
            for product in (weighted, weight_gradient):
                stack.enter_context(patch.object(module, product.__name__, timed(product)))
        yield operations


def _disagreements(ours: Sequence[float], theirs: Sequence[float]) -> list[str]:
    mine, other = np.median(ours), np.median(theirs)
    return [f"test: {100 * mine:.2f} % against {100 * other:.2f} %"] if abs(mine - other) > TOLERANCE else []


def command(program: str, work: NetworkWork, data: Path, folder: Path) -> list[str]:
    """The command with which a program does a workload in a folder of its own."""
    config = read_config(_CONFIGS / work.config, work.changes)
    if program == OURS:
        path = folder / "config.yaml"
        path.write_text(yaml.safe_dump(config.to_tree()))
        words = ["train", "--config", str(path), "--data-dir", str(data), "--runs-dir", str(folder / "runs")]
        return [sys.executable, "-m", "cifar_linear", *words, "--quiet", "--no-figures"]
    labels = join_batches(SOURCES[config.data.dataset](data), config.data.train).labels
    rows = Split(np.arange(len(labels))[:, None], labels)
    held_out = hold_out(rows, 2000, rng_for(config.seed, Purpose.HELD_OUT))[1].images[:, 0]
    np.save(folder / "held_out.npy", held_out)
    task = {"data": str(data), "held_out": str(folder / "held_out.npy"), "config": config.to_tree()}
    (folder / "work.json").write_text(json.dumps(task))
    peer, *options = ("pytorch_network", "--channels-last") if program == "pytorch_channels_last" else (program,)
    return [sys.executable, str(PEERS / f"{peer}.py"), str(folder / "work.json"), str(folder / "results"), *options]


def _accuracy(program: str, folder: Path) -> float:
    if program == OURS:
        (record,) = folder.glob("runs/*/run.json")
        return float(json.loads(record.read_text())["metrics"]["test"]["accuracy"])
    return float(json.loads((folder / "results" / "0.json").read_text())["test_accuracy"])
