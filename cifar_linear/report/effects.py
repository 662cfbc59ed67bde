"""What lambda and eta did, in sentences computed from the runs; silent where the runs cannot show it."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from statistics import fmean
from typing import NamedTuple

from cifar_linear.report.collecting import Run, differences

_FOCUS = ("lambda", "eta")


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
    """One paragraph for each setting and each set of finished runs that differ in it alone."""
    finished = [run for run in runs if run.status == "finished"]
    return [paragraph for key in _FOCUS for paragraph in _effects_of(key, finished)]


def _effects_of(key: str, runs: Sequence[Run]) -> Iterator[str]:
    others = [other for other in differences(runs) if other != key]
    groups: dict[tuple[str | None, ...], list[Run]] = defaultdict(list)
    for run in runs:
        groups[tuple(run.settings.get(other) for other in others)].append(run)
    for values, group in groups.items():
        by_setting: dict[float, list[Run]] = defaultdict(list)
        for run in group:
            by_setting[float(run.record["config"][key])].append(run)
        if len(by_setting) > 1:
            where = ", ".join(f"{other} {value}" for other, value in zip(others, values, strict=True))
            yield _paragraph(key, where, dict(sorted(by_setting.items())))


def _paragraph(key: str, where: str, by_setting: Mapping[float, Sequence[Run]]) -> str:
    settings = list(by_setting)
    groups = list(by_setting.values())

    def course(quantity: Callable[[Run], float]) -> Course:
        return Course(settings, [fmean(map(quantity, group)) for group in groups])

    accuracy = course(lambda run: 100 * run.record["metrics"]["test"]["accuracy"])
    gap = course(lambda run: 100 * run.gap)
    norm = course(lambda run: run.weight_norm)
    context = f" (at {where})" if where else ""
    parts = [
        f"test accuracy {_moved(accuracy, 'rose', 'fell')} by {abs(accuracy.change):.2f} points, "
        f"from {accuracy.values[0]:.2f} % to {accuracy.values[-1]:.2f} %{_detour(accuracy, ' %')}",
        f"the gap between training and validation accuracy {_moved(gap, 'widened', 'narrowed')} "
        f"by {abs(gap.change):.2f} points, from {gap.values[0]:.2f} to {gap.values[-1]:.2f}{_detour(gap, '')}",
        f"|W| {_moved(norm, 'grew', 'shrank')} from {norm.values[0]:.2f} to {norm.values[-1]:.2f}{_detour(norm, '')}",
    ]
    count = sum(map(len, groups))
    return f"{key} from {settings[0]:g} to {settings[-1]:g}{context}, {count} runs: {'; '.join(parts)}."


def _moved(course: Course, up: str, down: str) -> str:
    return up if course.change > 0 else down if course.change < 0 else "ended where it began, moving"


def _detour(course: Course, unit: str) -> str:
    """Where a quantity did not go the same way throughout: its extreme between the ends."""
    if course.steady:
        return ""
    pairs = list(zip(course.values, course.settings, strict=True))
    high, low = max(pairs), min(pairs)
    inside = [(word, pair) for word, pair in (("highest", high), ("lowest", low)) if pair not in (pairs[0], pairs[-1])]
    return "".join(f", {word} {value:.2f}{unit} at {setting:g}" for word, (value, setting) in inside)
