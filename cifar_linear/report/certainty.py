"""How sure it is that the best is better than the others, in sentences."""

from collections.abc import Mapping, Sequence

from cifar_linear.report.bars import bar_of
from cifar_linear.report.collecting import Run
from cifar_linear.report.comparing import paired
from cifar_linear.report.naming import both, spoken
from cifar_linear.report.statistics import CONFIDENCE, Interval, significance

MOST_TIED = 3
"""Settings that a headline names as equally good."""


def seeds_tell(tied: Sequence[str], apart: Mapping[str, Interval | None]) -> str:
    """Say which settings are worse by more than chance, from the differences that the same seeds show."""
    if not apart:
        return "There is no other setting to compare it with."
    alike = {label: found for label, found in apart.items() if found and label in tied}
    worse = [f"{spoken(label)} (by {_points(found)})" for label, found in apart.items() if found and label not in tied]
    unknown = [label for label, found in apart.items() if found is None]
    said = []
    if len(alike) == 1:
        (lead,) = alike.values()
        said.append(
            f"Seed by seed, on validation images, {_difference(tied, list(alike))} may be chance ({_points(lead)}): "
            "only more seeds can separate them."
        )
    elif alike:
        said.append(
            f"Seed by seed, on validation images, {_difference(tied, list(alike))} may be chance: only more seeds can "
            "separate them."
        )
    if worse:
        where = "Worse" if alike else "Seed by seed, on validation images, worse"
        said.append(f"{where} by more than chance: {both(worse)}.")
    if unknown:
        said.append(f"Not compared with {both(unknown)}: that takes two seeds that both have.")
    return " ".join(said)


def _points(difference: Interval) -> str:
    return f"{100 * difference.mean:.2f} ± {100 * (difference.half_width or 0.0):.2f} points"


def tests_tell(runs: Mapping[str, Run], ranked: Sequence[str]) -> tuple[str, list[str]]:
    """Say from which others the best differs by more than chance; and return it with those that may be as good.

    That is asked of the test images that two runs share, and of their intervals on validation images where they do not.
    """
    best, *others = ranked
    found = paired(runs)
    pairs = {pair.label: pair for pair in found.pairs} if found and found.reference == best else {}
    apart = {label: pair for label, pair in pairs.items() if pair.p <= 1 - CONFIDENCE}
    alike = [label for label in pairs if label not in apart]
    worse = [label for label, pair in apart.items() if pair.points < 0]
    better = [label for label in apart if label not in worse]
    lowest = bar_of(best, runs[best]).low
    untested = [label for label in others if label not in pairs]
    near = [label for label in untested if bar_of(label, runs[label]).high >= lowest]
    far = [label for label in untested if label not in near]
    tied = [label for label in ranked if label == best or label in {*alike, *better, *near}]
    said = []
    if alike:
        p = min(pairs[label].p for label in alike)
        value = f"p {significance(p)}" if len(alike) == 1 else f"p ≥ {p:.2g}"
        said.append(f"On the same test images {_difference(tied, alike)} may be chance (McNemar's test, {value}).")
    if worse:
        p = max(apart[label].p for label in worse)
        where, test = ("Worse", "") if alike else ("On the same test images, worse", "McNemar's test, ")
        said.append(f"{where} by more than chance: {both(worse)} ({test}p {_at_most(p)}).")
    if better:
        said.append(f"On test images {both(better)} {_is(better)} better: validation and test images disagree.")
    if near:
        said.append(
            f"On validation images {_difference(tied, near)} may be chance: the intervals overlap, and no test on "
            "shared test images separates them."
        )
    if far:
        said.append(f"Worse, with intervals on validation images that do not overlap: {both(far)}.")
    luck = "Each is one run with one seed: train with --seeds 5 to see how much of a difference is luck."
    return " ".join([*said, luck]), tied


def _difference(tied: Sequence[str], others: Sequence[str]) -> str:
    """Name the difference of the best from others; those that the headline has named need no names again."""
    if len(tied) == len(others) + 1:
        return "the difference of the two" if len(tied) == 2 else f"the differences of these {len(tied)}"
    return f"the difference from {both(others)}"


def _at_most(p: float) -> str:
    return "< 0.001" if p < 0.001 else f"≤ {p:.2g}"


def _is(labels: Sequence[str]) -> str:
    return "is" if len(labels) == 1 else "are"
