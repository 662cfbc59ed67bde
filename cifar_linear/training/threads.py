"""Threads of the BLAS while a training is evaluated beside it."""

import os
from collections.abc import Generator, Iterator
from contextlib import closing
from typing import TypeVar

from threadpoolctl import ThreadpoolController

_T = TypeVar("_T")


def with_a_core_for_evaluation(evaluations: Iterator[_T], most: int | None = None) -> Iterator[_T]:
    """Yield the same, while matrix products leave one core to the thread that evaluates.

    Two threads that each multiply on all cores wait for one another; on a busy machine for most of the time. Between
    two evaluations the BLAS has as many threads as the caller gave it. A smaller limit that is set already stays.

    Args:
        evaluations: a training.
        most: threads to multiply with at most; None for all cores but one.
    """
    blas = ThreadpoolController().select(user_api="blas")
    known = [library.num_threads for library in blas.lib_controllers]
    threads = max(1, min([most or cores() - 1, *known]))
    with closing(_closable(evaluations)) as source:
        while True:
            with blas.limit(limits=threads):
                evaluation = next(source, None)
            if evaluation is None:
                return
            yield evaluation


def _closable(evaluations: Iterator[_T]) -> Generator[_T, None, None]:
    """As a generator, which can be closed."""
    yield from evaluations


def cores() -> int:
    """Return the number of processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
