"""The beginning of a report: which run or setting is best, how sure that is, and why the others are not."""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from cifar_linear.report.bars import Bar, bar_of, placed
from cifar_linear.report.certainty import MOST_TIED, seeds_tell, tests_tell
from cifar_linear.report.collecting import Run
from cifar_linear.report.comparing import Repeated, repeated, seed_by_seed
from cifar_linear.report.curves import validation_loss_of
from cifar_linear.report.naming import MOST_NAMED, either, spoken
from cifar_linear.report.notes import restless
from cifar_linear.report.reasons import lost, reason
from cifar_linear.report.settings import by_data, by_setting, differences
from cifar_linear.report.statistics import Interval, thousands
from cifar_linear.wording import percent

_MOST_BARS = 8


class Summary(NamedTuple):
    """What runs on the same images say.

    Attributes:
        images: what the images are called.
        which: the best by validation accuracy, with those that are not known to be worse.
        leaders: the labels of these.
        accuracy: how good it is, or they are.
        sure: which of the others differ from it by more than chance.
        why: a sentence about each of the others, where the numbers give a reason.
        bars: the best settings, or runs, with their intervals.
        bars_are: what the bars show.
        ticks: numbers of the scale of the bars, each with its place.
    """

    images: str
    which: str
    accuracy: str
    sure: str
    why: Sequence[str]
    leaders: Sequence[str] = ()
    bars: Sequence[Bar] = ()
    bars_are: str = ""
    ticks: Sequence[tuple[str, float]] = ()


def subject(runs: Mapping[str, Run]) -> str:
    """Say what was run, in a sentence."""
    all_runs = list(runs.values())
    models = sorted({"networks" if run.network else "linear classifiers" for run in all_runs})
    losses = sorted({run.record.config.loss for run in all_runs})
    images = ", ".join(f"{kind} ({_counts(group)})" for kind, group in by_data(runs).items())
    keys = differences(all_runs)
    apart = (
        f", which differ in {_listed(keys)}"
        if 0 < len(keys) <= MOST_NAMED
        else f", which differ in {len(keys)} settings"
        if keys
        else ""
    )
    many = f"{len(runs)} {' and '.join(models)}" if len(runs) > 1 else f"A {models[0][:-1]}"
    return f"{many} with {' or '.join(losses)} loss on {images}{apart}."


def heading(runs: Mapping[str, Run]) -> str:
    """Return the heading of a page: what is compared, on which images."""
    first, keys = next(iter(runs.values())), [key for key in differences(list(runs.values())) if key != "seed"]
    if len(runs) == 1:
        return first.given_name
    (images, *more), count = by_data(runs), f"{len(runs)} runs"
    return count if more or not 0 < len(keys) < MOST_NAMED else f"{_listed(keys)} on {images}: {count}"


def _counts(runs: Mapping[str, Run]) -> str:
    counts = {run.record.data.images.get("train", 0) for run in runs.values()}
    low, high = min(counts), max(counts)
    few, many = thousands(low), thousands(high)
    return f"{few} training images" if low == high else f"{few} to {many} training images"


def summaries(runs: Mapping[str, Run]) -> list[Summary]:
    """Return a summary for each kind of images."""
    return [_summary(kind, shown) for kind, shown in by_data(runs).items()]


def _summary(kind: str, runs: Mapping[str, Run]) -> Summary:
    finished = {label: run for label, run in runs.items() if run.finished and run.outcome("validation") is not None}
    ended = list(lost(runs))
    if not finished:
        return Summary(kind, "No run has finished", "", "There is nothing to compare.", ended)
    found = _over_seeds(kind, finished) or _single(kind, finished)
    return found._replace(why=[*found.why, *ended])


def _over_seeds(kind: str, runs: Mapping[str, Run]) -> Summary | None:
    """Return a summary of settings some of which were trained with several seeds; None if there are none."""
    rows = [row for row in repeated(runs) if row.validation]
    if not rows:
        return None
    settings = by_setting(runs)
    best, *others = (row.setting for row in rows)
    apart = {label: seed_by_seed(settings[best], settings[label]) for label in others}
    worse = {label: found for label, found in apart.items() if found and found.mean > 0 and found.excludes_zero}
    tied = [best, *(label for label in others if apart[label] and label not in worse)]
    why = (reason(label, settings[label], best, settings[best]) for label in others if label in worse)
    bars, ticks = placed(
        [Bar(row.setting, *_ends(row.validation)) for row in rows[:_MOST_BARS] if row.validation], tied
    )
    return Summary(
        kind,
        _named(tied),
        _means(rows, tied),
        seeds_tell(tied, apart),
        [said for said in why if said][:MOST_NAMED],
        tied,
        bars,
        "mean over seeds, 95 % interval",
        ticks,
    )


def _ends(interval: Interval) -> tuple[float, float, float]:
    mean, reach = interval.mean, interval.half_width or 0.0
    return mean, mean - reach, mean + reach


def _named(tied: Sequence[str]) -> str:
    """Name the best, and what is not known to be worse."""
    best, *others = tied
    if not others:
        return spoken(best)
    if len(tied) > MOST_TIED:
        return f"{spoken(best)}: a tie with {len(others)} others"
    return f"{either(tied)}: a tie"


def _means(rows: Sequence[Repeated], tied: Sequence[str]) -> str:
    """Say what the best settings have reached, on average over their seeds."""
    shown = [row for row in rows if row.setting in tied[:MOST_TIED]] if len(tied) <= MOST_TIED else rows[:1]
    seeds = sorted({row.seeds for row in shown})
    validation = _listed([str(row.validation) for row in shown])
    said = f"{validation} of the validation images are classified correctly"
    tests = [str(row.test) for row in shown if row.test]
    if len(tests) == len(shown):
        said += f", {_listed(tests)} of the test images"
    said += f" (means of {' or '.join(map(str, seeds))} seed{'s' if seeds != [1] else ''} with 95 % intervals)."
    if shown[0].test and len(tests) < len(shown):
        said += f" {spoken(shown[0].setting)}: {shown[0].test} of the test images."
    return said


def _single(kind: str, runs: Mapping[str, Run]) -> Summary:
    """Return a summary of single runs."""
    ranked = sorted(runs, key=lambda label: -(runs[label].outcome("validation") or 0.0))
    best, *others = ranked
    sure, tied = tests_tell(runs, ranked) if others else ("There is no other finished run to compare it with.", ranked)
    why = (reason(label, [runs[label]], best, [runs[best]]) for label in others)
    bars, ticks = placed([bar_of(label, runs[label]) for label in ranked[:_MOST_BARS]], tied)
    return Summary(
        kind,
        _named(tied),
        _accuracies(runs[best]) if len(tied) != 2 else _accuracies_of_both([runs[label] for label in tied]),
        sure,
        [said for said in why if said][:MOST_NAMED],
        tied,
        bars,
        "single runs, Wilson's 95 % interval",
        ticks,
    )


def _accuracies(run: Run) -> str:
    bar, test = bar_of("", run), run.outcome("test")
    tested = f", {percent(test)} of the test images" if test is not None else ""
    interval = f"95 % interval {100 * bar.low:.2f} to {100 * bar.high:.2f}"
    return f"{percent(bar.value)} of the validation images are classified correctly ({interval}){tested}."


def _accuracies_of_both(runs: Sequence[Run]) -> str:
    validation, test = ([run.outcome(split) for run in runs] for split in ("validation", "test"))
    said = f"{_percents(validation)} of the validation images are classified correctly"
    return f"{said}, {_percents(test)} of the test images." if None not in test else f"{said}."


def _percents(fractions: Sequence[float | None]) -> str:
    return f"{' and '.join(f'{100 * (fraction or 0.0):.2f}' for fraction in fractions)} %"


def _listed(keys: Sequence[str]) -> str:
    *most, last = keys
    return f"{', '.join(most)} and {last}" if most else last


def outcome_of_one(run: Run) -> Iterator[tuple[str, str]]:
    """Yield question and answer about a single run."""
    yield "Result", _accuracies(run) if run.finished else f"Not finished: {run.end}. Before: {_accuracies(run)}"
    yield "Training", validation_loss_of(run)
    if run.certificate:
        yield "Optimum", f"The cost is {percent(run.certificate.above)} above the lowest that is possible."
    if jump := restless(run):
        yield "Caution", f"The steps are too long: {jump}."
