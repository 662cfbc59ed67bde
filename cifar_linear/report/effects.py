"""What lambda and eta did, in sentences computed from the runs; silent where the runs cannot show it."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from statistics import fmean
from typing import NamedTuple

from cifar_linear.data.dataset import SplitName
from cifar_linear.report.collecting import Run, differences

_FOCUS: dict[str, Callable[[Run], float]] = {
    "lambda": lambda run: run.record.config.lam,
    "eta": lambda run: run.record.config.eta,
}
_MOST = 6


class Course(NamedTuple):
    """One quantity at each value of a setting, from the smallest value to the largest."""

    settings: Sequence[float]
    values: Sequence[float]

    @property
    def change(self) -> float:
        """Last less first."""
        return self.values[-1] - self.values[0]

    @property
    def steady(self) -> bool:
        """Whether every step goes the way of the whole."""
        steps = [after - before for before, after in zip(self.values, self.values[1:], strict=False)]
        return all(step >= 0 for step in steps) or all(step <= 0 for step in steps)


def effects(runs: Sequence[Run]) -> list[str]:
    """One paragraph for each setting and each set of finished runs that differ in it alone; none for a large grid."""
    finished = [run for run in runs if run.record.status == "finished"]
    paragraphs = [paragraph for key in _FOCUS for paragraph in _effects_of(key, finished)]
    return paragraphs if len(paragraphs) <= _MOST else []


def _effects_of(key: str, runs: Sequence[Run]) -> Iterator[str]:
    others = [other for other in differences(runs) if other not in (key, "seed")]
    groups: dict[tuple[str | None, ...], list[Run]] = defaultdict(list)
    for run in runs:
        groups[tuple(run.settings.get(other) for other in others)].append(run)
    for values, group in groups.items():
        by_setting: dict[float, list[Run]] = defaultdict(list)
        for run in group:
            by_setting[_FOCUS[key](run)].append(run)
        if len(by_setting) > 1:
            where = ", ".join(f"{other} {value}" for other, value in zip(others, values, strict=True) if value)
            yield _paragraph(key, where, dict(sorted(by_setting.items())))


def _paragraph(key: str, where: str, by_setting: Mapping[float, Sequence[Run]]) -> str:
    settings = list(by_setting)
    groups = list(by_setting.values())

    def course(quantity: Callable[[Run], float]) -> Course:
        return Course(settings, [fmean(map(quantity, group)) for group in groups])

    met = all(run.outcome("test") is not None for group in groups for run in group)
    split: SplitName = "test" if met else "validation"
    accuracy = course(lambda run: 100 * (run.outcome(split) or 0.0))
    gap = course(lambda run: 100 * run.gap)
    norm = course(lambda run: run.weight_norm)
    context = f" (at {where})" if where else ""
    parts = [
        _moved(f"{split} accuracy", accuracy, ("rose", "fell"), " %", by=" points"),
        _moved("the gap between training and validation accuracy", gap, ("widened", "narrowed"), "", by=" points"),
        _moved("|W|", norm, ("grew", "shrank"), ""),
    ]
    count = sum(map(len, groups))
    return f"{key} from {settings[0]:g} to {settings[-1]:g}{context}, {count} runs: {'; '.join(parts)}."


def _moved(name: str, course: Course, words: tuple[str, str], unit: str, by: str | None = None) -> str:
    """Which way a quantity went, and how far."""
    first, last = course.values[0], course.values[-1]
    if first == last:
        return f"{name} ended where it began, at {first:.2f}{unit}{_detour(course, unit)}"
    word = words[0] if course.change > 0 else words[1]
    far = f" by {abs(course.change):.2f}{by}," if by else ""
    return f"{name} {word}{far} from {first:.2f}{unit} to {last:.2f}{unit}{_detour(course, unit)}"


def _detour(course: Course, unit: str) -> str:
    """Where a quantity did not go the same way throughout: its extreme between the ends."""
    if course.steady:
        return ""
    pairs = list(zip(course.values, course.settings, strict=True))
    high, low = max(pairs), min(pairs)
    inside = [(word, pair) for word, pair in (("highest", high), ("lowest", low)) if pair not in (pairs[0], pairs[-1])]
    return "".join(f", {word} {value:.2f}{unit} at {setting:g}" for word, (value, setting) in inside)
