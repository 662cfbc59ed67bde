"""Runs that are in several hand-ins: by times that were measured, and by weights that cannot agree by chance."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from cifar_linear.arrays import Doubles
from cifar_linear.config.formatting import flat
from cifar_linear.course.handins.flags import Flag
from cifar_linear.course.handins.reading import HandedRun

_COMPARED = 512
_SAME = 1e-5
_MOST = 0.9
_FEWEST_TIMES = 2
_NO_INFLUENCE = ("data.folder", "data.test", "epochs", "steps", "repro", "record_steps", "evaluate.")


class Trace(NamedTuple):
    """What is kept of a run to compare it with those of others.

    Attributes:
        hand_in: whose it is.
        run: its name.
        times: measured seconds of the evaluations, as they are written; those at the start of the file first.
        origin: when, where and by which process it was started.
        size: number of all weights.
        sample: some of the weights, always those at the same places.
        step: number of updates.
        settings: those that decide the weights, as text, by key.
    """

    hand_in: str
    run: str
    times: tuple[float, ...]
    origin: tuple[str, str, int]
    size: int
    sample: Doubles
    step: float
    settings: Mapping[str, str]

    @classmethod
    def of(cls, hand_in: str, run: HandedRun) -> Trace:
        """Take the trace of a run."""
        weights = np.concatenate([part.ravel() for part in run.models["last"].parameters.values()])
        places = np.random.default_rng(len(weights)).integers(0, len(weights), min(_COMPARED, len(weights)))
        settings = {key: value for key, value in flat(run.config.to_tree()) if not key.startswith(_NO_INFLUENCE)}
        environment = run.record.environment
        return cls(
            hand_in,
            run.name,
            tuple(row["seconds"] for row in run.rows),
            (run.record.created, environment.host, environment.process),
            len(weights),
            weights[places].astype(np.float64),
            run.rows[-1]["step"],
            settings,
        )


def copy_flags(traces: Sequence[Trace]) -> Iterator[tuple[Trace, Flag]]:
    """Yield the runs that are in another hand-in as well, each with the first other one."""
    for trace, other in _pairs_by_time(traces):
        same = len(set(trace.times) & set(other.times))
        where = f"{same} of {len(trace.times)} measured times are those of {other.hand_in}, {other.run}, in every digit"
        when, host, process = trace.origin
        also = f"; both were started {when} on {host} as process {process}" if trace.origin == other.origin else ""
        yield trace, Flag("copies", where + also)
    for trace, other, scale in _pairs_by_weights(traces):
        how = "the same as" if abs(scale - 1) < _SAME else f"{scale:.6g} times"
        where = f"the weights are {how} those of {other.hand_in}, {other.run}"
        yield trace, Flag("copies", f"{where}, whose config would give others: {_first_difference(trace, other)}")


def _pairs_by_time(traces: Sequence[Trace]) -> Iterator[tuple[Trace, Trace]]:
    """Yield pairs of different hand-ins that share measured times; a time of 0 is none."""
    holders: dict[float, list[int]] = defaultdict(list)
    for index, trace in enumerate(traces):
        for time in set(trace.times) - {0.0}:
            holders[time].append(index)
    shared: dict[tuple[int, int], int] = defaultdict(int)
    for indices in holders.values():
        for one in indices:
            for other in indices:
                shared[one, other] += traces[one].hand_in != traces[other].hand_in
    first: dict[int, int] = {}
    for (one, other), count in sorted(shared.items()):
        if count >= min(_FEWEST_TIMES, len(traces[one].times)):
            first.setdefault(one, other)
    yield from ((traces[one], traces[other]) for one, other in first.items())


def _pairs_by_weights(traces: Sequence[Trace]) -> Iterator[tuple[Trace, Trace, float]]:
    """Yield pairs of different hand-ins whose weights agree up to a factor, though not by the same training."""
    for trace in traces:
        for other in traces:
            alike = trace.size == other.size and (trace.step, trace.settings) != (other.step, other.settings)
            if trace.hand_in != other.hand_in and alike and trace.step and other.step:
                scale = _scale(trace.sample, other.sample)
                if scale is not None:
                    yield trace, other, scale
                    break


def _scale(ours: Doubles, theirs: Doubles) -> float | None:
    """Return s if ours are s times theirs, nearly all of them; None if there is no such number."""
    used = (ours != 0) & (theirs != 0)
    if used.sum() < len(ours) / 2:
        return None
    ratios = ours[used] / theirs[used]
    scale = float(np.median(ratios))
    return scale if np.mean(np.abs(ratios - scale) <= _SAME * abs(scale)) >= _MOST else None


def _first_difference(trace: Trace, other: Trace) -> str:
    if trace.step != other.step:
        return f"{trace.step:.0f} steps here, {other.step:.0f} there"
    ours, theirs = trace.settings, other.settings
    key = next(key for key in {**ours, **theirs} if ours.get(key) != theirs.get(key))
    return f"{key} {ours.get(key)} here, {theirs.get(key)} there"
