"""What sets runs apart: the settings in which they differ, and short names made of them."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence

from cifar_linear.figures.style import Look, shortened
from cifar_linear.report.collecting import Run

Setting = tuple[tuple[str, str], ...]
"""Keys with their values as text."""

MOST_DRAWN = 8
"""Runs that can be told apart in one figure."""
BEST_DRAWN = 5
"""How many of them are the best, where there are more; the others are the worst."""
MOST_NAMED = 4
_LONGEST_LABEL = 60
_MOST_SORTED = 4
_WHOLES = ("data", "decay", "early_stopping", "averaging")
"""Keys whose parts only mean something together."""
_KINDS = ("kind", "dataset")
"""Parts of such a key whose value needs no name before it: "step, every 10"."""


def differences(runs: Sequence[Run]) -> list[str]:
    """Return the config keys in which the runs differ, in the order of the config."""
    keys = dict.fromkeys(key for run in runs for key in run.settings)
    return [key for key in keys if len({run.settings.get(key) for run in runs}) > 1]


def factors(runs: Sequence[Run]) -> list[dict[str, str]]:
    """Return for each run the settings in which the runs differ; parts that belong together, as of decay, are one."""
    keys = differences(runs)
    of_runs: list[dict[str, str]] = []
    for run in runs:
        parts: dict[str, list[tuple[str, str]]] = defaultdict(list)
        for key in keys:
            whole, _, part = key.partition(".")
            together = whole in _WHOLES
            values = parts[whole if together else key]
            if key in run.settings:
                values.append((part if together else "", run.settings[key]))
        of_runs.append({key: _joined(settings) for key, settings in parts.items()})
    return of_runs


def grouped(runs: Sequence[Run], free: Sequence[str]) -> dict[Setting, list[Run]]:
    """Return the runs by their settings other than ``free``, as far as the runs differ in them."""
    groups: dict[Setting, list[Run]] = defaultdict(list)
    for run, of_run in zip(runs, factors(runs), strict=True):
        groups[tuple((key, value) for key, value in of_run.items() if key not in free)].append(run)
    return groups


def as_label(setting: Setting) -> str:
    """Return a setting in a line, as in ``loss softmax, eta 0.001``."""
    return ", ".join(f"{key} {value}" for key, value in setting)


def in_order(values: Iterable[str]) -> list[str]:
    """Return the values of a setting: "none" first, then numbers by size, then words, the shorter first."""

    def rank(value: str) -> tuple[int, float, str]:
        try:
            return 1, float(value), ""
        except ValueError:
            return 0 if value == "none" else 2, len(value), value

    return sorted(values, key=rank)


def labelled(runs: Sequence[Run]) -> dict[str, Run]:
    """Return the runs by a short name: what sets each apart, else the run's name, its folder's, or a number."""
    keys = differences(runs)
    labels = [settings_label(run, keys) for run in runs]
    for others in (
        [shortened(run.given_name, _LONGEST_LABEL) for run in runs],
        [shortened(run.name, _LONGEST_LABEL) for run in runs],
        [f"run {number}" for number, _ in enumerate(runs, start=1)],
    ):
        if len(set(labels)) == len(runs) and all(0 < len(label) <= _LONGEST_LABEL for label in labels):
            break
        labels = others
    return dict(zip(labels, runs, strict=True))


def in_order_of_settings(runs: Mapping[str, Run]) -> dict[str, Run]:
    """Return the runs in the order of the settings in which they differ; as they are, if they differ in many."""
    settings = dict(zip(runs, factors(list(runs.values())), strict=True))
    keys = list(next(iter(settings.values())))
    if len(keys) > _MOST_SORTED:
        return dict(runs)
    ranks = {
        key: {value: i for i, value in enumerate(in_order({of_run[key] for of_run in settings.values()}))}
        for key in keys
    }
    return {
        label: runs[label]
        for label in sorted(runs, key=lambda label: [ranks[key][settings[label][key]] for key in keys])
    }


def settings_label(run: Run, keys: Sequence[str]) -> str:
    """Return some of a run's settings in a line."""
    return ", ".join(f"{key.rpartition('.')[2]} {run.settings[key]}" for key in keys if key in run.settings)


def _joined(settings: Sequence[tuple[str, str]]) -> str:
    words = [value if part in ("", *_KINDS) else f"{part} {value}" for part, value in settings]
    return ", ".join(words) or "none"


def by_data(runs: Mapping[str, Run]) -> dict[str, dict[str, Run]]:
    """Return the runs by the images that they are about; only runs on the same images can be compared.

    The name is that of the data set, with its classes where runs are on several choices of them.
    """
    kinds: dict[tuple[str, tuple[str, ...]], dict[str, Run]] = defaultdict(dict)
    for label, run in runs.items():
        kinds[run.record.config.data.dataset, run.model.class_names][label] = run
    several = Counter(dataset for dataset, _ in kinds)
    named: dict[str, dict[str, Run]] = {}
    for (dataset, classes), group in kinds.items():
        name = dataset if several[dataset] == 1 else f"{dataset}, {_which(classes)}"
        named[name if name not in named else f"{name}, {shortened(', '.join(classes), 40)}"] = group
    return named


def _which(classes: Sequence[str]) -> str:
    """Name a few classes, or count them."""
    return " and ".join(classes) if len(classes) < 4 else f"{len(classes)} classes"


def ordered_looks(runs: Mapping[str, Run]) -> dict[str, Look]:
    """Return how the line of each run is drawn: one hue for runs that differ only in an ordered setting and the seed.

    The setting is the one with the most numbers for values, such as lambda; the larger its value, the darker the line.
    """
    settings = factors(list(runs.values()))
    key = _ordered(settings)
    hues: dict[object, list[str]] = defaultdict(list)
    for label, of_run in zip(runs, settings, strict=True):
        hues[tuple(part for part in of_run.items() if part[0] not in (key, "seed")) if key else label].append(label)
    values = dict(zip(runs, (of_run.get(key or "", "") for of_run in settings), strict=True))
    looks = {}
    for hue, group in enumerate(hues.values()):
        steps = in_order({values[label] for label in group})
        for label in group:
            shade = 1 - 2 * steps.index(values[label]) / (len(steps) - 1) if len(steps) > 1 else 0.0
            looks[label] = Look(hue, shade)
    return {label: looks[label]._replace(dash=dash) for dash, label in enumerate(runs)}


def _ordered(settings: Sequence[Mapping[str, str]]) -> str | None:
    """Return the setting with the most values, of those that have only numbers; None if there is none."""
    values: dict[str, set[str]] = defaultdict(set)
    for of_run in settings:
        for key, value in of_run.items():
            values[key].add(value)
    numbers = {key: texts for key, texts in values.items() if key != "seed" and all(map(_is_number, texts))}
    return max(numbers, key=lambda key: len(numbers[key]), default=None)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def best_and_worst(runs: Mapping[str, Run]) -> dict[str, Run]:
    """Return the runs that are drawn side by side: all, or of very many the first and the last finished ones."""
    if len(runs) <= MOST_DRAWN:
        return dict(runs)
    finished = [label for label, run in runs.items() if run.finished] or list(runs)
    chosen = dict.fromkeys([*finished[:BEST_DRAWN], *finished[BEST_DRAWN:][BEST_DRAWN - MOST_DRAWN :]])
    return {label: runs[label] for label in chosen}


def some(labels: Sequence[str]) -> str:
    """List a few labels, and how many more there are.

    >>> some(list("abcdefg"))
    'a; b; c; d; and 3 more'
    """
    more = len(labels) - MOST_NAMED
    return "; ".join(labels[:MOST_NAMED]) + (f"; and {more} more" if more > 0 else "")
