"""All checks of all hand-ins of a folder."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic

import numpy as np

from cifar_linear.course.handins.asked import Asked, asked_flags
from cifar_linear.course.handins.copies import Trace, copy_flags
from cifar_linear.course.handins.curves import curve_flags
from cifar_linear.course.handins.files import file_flags
from cifar_linear.course.handins.flags import Flag
from cifar_linear.course.handins.metrics import evaluated, metric_flags
from cifar_linear.course.handins.preprocessing import preprocessing_flags
from cifar_linear.course.handins.reading import HandedRun, hand_ins, name_of, opened, plain, run_paths
from cifar_linear.course.handins.retraining import again_flags, start_flags
from cifar_linear.course.handins.selection import selection_flags
from cifar_linear.data.dataset import Dataset
from cifar_linear.data.sources import default_folder
from cifar_linear.errors import ConfigError, DataError, RunError
from cifar_linear.experiments.dataset_cache import DatasetCache
from cifar_linear.runs.folder import RunFolder
from cifar_linear.runs.provenance import data_record
from cifar_linear.runs.record import DataRecord

Watch = Callable[[int, str], None]
"""Called with the number of hand-ins that are checked, and the name of the one at hand."""


@dataclass
class Checked:
    """A run of a hand-in after all checks, or a hand-in without a run that can be read.

    Attributes:
        hand_in: name of the folder or archive.
        run: name of the run's folder; "" for what is about the hand-in as a whole.
        status: of the run; "" without one.
        seed: of its config; None without one.
        test_accuracy: that it recorded, a fraction; None if it recorded none.
        again: what training again gave: "agrees", "differs", "not finished in time", or "" if it was not drawn.
        flags: what does not fit.
    """

    hand_in: str
    run: str
    status: str = ""
    seed: int | None = None
    test_accuracy: float | None = None
    again: str = ""
    flags: list[Flag] = field(default_factory=list)


@dataclass(frozen=True)
class Plan:
    """How hand-ins are checked.

    Attributes:
        asked: the configs that were asked for; empty for no such check.
        data_dir: folder of the images; None for the default. That of a config is never used.
        sample: in how many hand-ins a run is trained again.
        seed: that draws them.
        seconds: that training a run again may take.
    """

    asked: Asked
    data_dir: Path | None
    sample: int
    seed: int
    seconds: float


def check_hand_ins(folder: Path, plan: Plan, watch: Watch, check: Callable[[], None]) -> list[Checked]:
    """Check all hand-ins of a folder and return a row for each run, and for each hand-in that has none.

    Args:
        folder: of the hand-ins.
        plan: what is checked.
        watch: called before each hand-in.
        check: called often; may raise to stop.

    Raises:
        RunError: if there are no hand-ins.
        DataError: if the images are missing or damaged, so that no run can be held against them.
    """
    paths = hand_ins(folder)
    drawn = np.random.default_rng(plan.seed).permutation(len(paths))[: plan.sample]
    checker = _Checker(plan, check)
    rows: list[Checked] = []
    for number, path in enumerate(paths):
        check()
        watch(number, name_of(path))
        rows += checker.of_hand_in(path, number in drawn)
    checker.refuse_without_images()
    by_name = {(row.hand_in, row.run): row for row in rows}
    for trace, flag in copy_flags(checker.traces):
        by_name[trace.hand_in, trace.run].flags.append(flag)
    return rows


class _TooLongError(Exception):
    """Raised during a training that takes too long."""


class _Checker:
    """Checks one hand-in after another and keeps what later ones are compared with."""

    def __init__(self, plan: Plan, check: Callable[[], None]) -> None:
        self.plan, self.check = plan, check
        self.traces: list[Trace] = []
        self._cache = DatasetCache(plan.data_dir or default_folder())
        self._records: dict[int, tuple[Dataset, DataRecord]] = {}
        self._without_images: list[DataError] = []
        self._with_images = 0

    def refuse_without_images(self) -> None:
        """Raise the first error of the images if there were images for no run."""
        if self._without_images and not self._with_images:
            raise self._without_images[0]

    def of_hand_in(self, path: Path, drawn: bool) -> list[Checked]:
        """Check a hand-in; ``drawn`` for one of its runs to be trained again."""
        name = name_of(path)
        whole = Checked(name, "")
        rows: list[Checked] = []
        try:
            with opened(path) as folder:
                self._of_folder(folder, name, drawn, whole, rows)
        except RunError as error:
            whole.flags.append(Flag("readable", plain(error, path)))
        return [whole, *rows] if whole.flags or not rows else rows

    def _of_folder(self, folder: Path, name: str, drawn: bool, whole: Checked, rows: list[Checked]) -> None:
        paths = run_paths(folder)
        again = paths[self.plan.seed % len(paths)] if drawn else None
        runs: dict[str, HandedRun] = {}
        for path in paths:
            row = Checked(name, "/".join(path.relative_to(folder).parts) or name)
            rows.append(row)
            try:
                runs[row.run] = run = HandedRun.read(path, row.run)
                self._of_run(run, row, path == again)
            except (RunError, ConfigError) as error:
                row.flags.append(Flag("readable", plain(error, folder)))
            except MemoryError:
                row.flags.append(Flag("readable", "its config needs more memory than there is"))
        by_run = {row.run: row for row in rows}
        if self.plan.asked:
            alone = RunFolder(folder).is_run()
            for handed, flag in asked_flags(list(runs.values()), self.plan.asked, alone):
                (by_run[handed.name] if handed else whole).flags.append(flag)
        whole.flags += selection_flags(folder)

    def _of_run(self, run: HandedRun, row: Checked, again: bool) -> None:
        row.status, row.seed = run.record.status, run.config.seed
        test = run.record.outcome.get("test")
        row.test_accuracy = test.accuracy if test else None
        self.traces.append(Trace.of(row.hand_in, run))
        row.flags += file_flags(run)
        try:
            dataset = self._cache.of(run.config)
        except DataError as error:
            self._without_images.append(error)
            row.flags.append(Flag("images", f"not here, so that nothing can be computed: {error}"))
            return
        self._with_images += 1
        row.flags += self._flags(run, dataset)
        if again:
            row.again = self._again(run, dataset, row.flags)

    def _flags(self, run: HandedRun, dataset: Dataset) -> Iterator[Flag]:
        images: dict[str, int] = {name: len(split) for name, split in evaluated(run.config, dataset).items()}
        yield from curve_flags(run, images | {"epoch": len(dataset.train)})
        yield from _image_flags(run.record.data, self._record_of(dataset, run))
        yield from metric_flags(run, dataset)
        yield from preprocessing_flags(run, dataset)
        try:
            yield from start_flags(run, dataset, self._deadline())
        except _TooLongError:
            yield Flag("start", f"its first evaluation was not reached in {self.plan.seconds:g} s")

    def _again(self, run: HandedRun, dataset: Dataset, flags: list[Flag]) -> str:
        if any(flag.check == "images" for flag in flags):
            return ""
        try:
            found = list(again_flags(run, dataset, self._deadline()))
        except _TooLongError:
            return "not finished in time"
        flags += found
        return "differs" if found else "agrees"

    def _deadline(self) -> Callable[[], None]:
        end = monotonic() + self.plan.seconds

        def check() -> None:
            self.check()
            if monotonic() > end:
                raise _TooLongError

        return check

    def _record_of(self, dataset: Dataset, run: HandedRun) -> DataRecord:
        """The record of the images here. That of the last data set is kept: hashing it takes a while."""
        if id(dataset) not in self._records:
            self._records = {id(dataset): (dataset, data_record(dataset, run.config.data.dataset))}
        return self._records[id(dataset)][1]


def _image_flags(recorded: DataRecord, here: DataRecord) -> Iterator[Flag]:
    """Yield the splits whose recorded images are not those of the data folder, and which split they are, if any."""
    for split, digest in here.sha256.items():
        found = recorded.sha256.get(split)
        if found != digest:
            roles = [name for name, other in here.sha256.items() if other == found]
            what = f"the {roles[0]} images" if roles else f"others (SHA-256 {str(found)[:12]}, here {digest[:12]})"
            yield Flag("images", f"by its record, its {split} images are {what}")


def flagged(rows: Sequence[Checked]) -> Mapping[str, int]:
    """Return the number of flags of each hand-in that has any, by its name."""
    counts: dict[str, int] = {}
    for row in rows:
        if row.flags:
            counts[row.hand_in] = counts.get(row.hand_in, 0) + len(row.flags)
    return counts
