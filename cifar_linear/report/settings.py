"""What sets runs apart: the settings in which they differ, and short names made of them."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from statistics import fmean

from cifar_linear.figures.style import Look, shortened
from cifar_linear.report.collecting import Run

Setting = tuple[tuple[str, str], ...]
"""Keys with their values as text."""

MOST_DRAWN = 8
"""Settings that can be told apart in one figure."""
BEST_DRAWN = 5
"""How many of them are the best, where there are more; the others are the worst."""
_LONGEST_LABEL = 60
_MOST_SORTED = 4
_WHOLES = ("data", "decay", "early_stopping", "averaging")
"""Keys whose parts only mean something together."""
TITLES = {
    "cifar10": "CIFAR-10",
    "cifar100": "CIFAR-100",
    "mnist": "MNIST",
    "fashion_mnist": "Fashion-MNIST",
    "synthetic": "synthetic images",
}
"""How data sets are written; others as in the config."""
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


def by_setting(runs: Mapping[str, Run]) -> dict[str, list[Run]]:
    """Return the runs of each setting, one for each seed, by a short name; each run alone if none was repeated.

    Two runs that are equal in all, the seed included, are no repetition: then each run stays alone as well.
    """
    groups = grouped(list(runs.values()), ("seed",))
    distinct = all(len({run.settings["seed"] for run in group}) == len(group) for group in groups.values())
    if not distinct or len(groups) == len(runs):
        return {label: [run] for label, run in runs.items()}
    labels = {id(run): label for label, run in runs.items()}
    names = [_without_seed(labels[id(group[0])], group[0]) or as_label(setting) for setting, group in groups.items()]
    if max(map(len, names)) > _LONGEST_LABEL:
        names = list(labelled([group[0] for group in groups.values()]))
    return dict(zip((name or f"{len(runs)} seeds" for name in names), groups.values(), strict=True))


def _without_seed(label: str, run: Run) -> str:
    """Return what a run's label says of its setting; nothing if the label is a name."""
    parts, seed = label.split(", "), f"seed {run.settings['seed']}"
    return ", ".join(part for part in parts if part != seed) if seed in parts else ""


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
        title = TITLES.get(dataset, dataset)
        name = title if several[dataset] == 1 else f"{title}, {_which(classes)}"
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


def best_first(runs: Mapping[str, Run]) -> dict[str, Run]:
    """Return the runs by validation accuracy, those that did not finish last."""
    return dict(sorted(runs.items(), key=lambda item: (not item[1].finished, -(item[1].outcome("validation") or 0.0))))


def drawn(runs: Mapping[str, Run]) -> dict[str, list[Run]]:
    """Return the settings that are drawn side by side: all, or of very many those with the best and the worst means."""
    settings = by_setting(runs)
    if len(settings) <= MOST_DRAWN:
        return settings
    finished = {label: [run for run in group if run.finished] for label, group in settings.items()}
    means = {
        label: fmean(run.outcome("validation") or 0.0 for run in group) for label, group in finished.items() if group
    }
    ranked = sorted(means or settings, key=lambda label: -means.get(label, 0.0))
    chosen = dict.fromkeys([*ranked[:BEST_DRAWN], *ranked[BEST_DRAWN:][BEST_DRAWN - MOST_DRAWN :]])
    return {label: finished[label] or settings[label] for label in chosen}
