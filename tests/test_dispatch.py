"""Handing out groups, to an executor in the test's hands."""

import re
import subprocess
import sys

import pytest
from folders import folders

from cifar_linear.config.sweeps import read_sweep
from cifar_linear.experiments.dataset_cache import DatasetCache
from cifar_linear.sweep.dispatch import Dispatch
from cifar_linear.sweep.folder import SweepFolder
from cifar_linear.sweep.groups import groups_of
from cifar_linear.sweep.run import SweepListener, run_sweep
from cifar_linear.sweep.tasks import Outcome, Task


class Fake:
    """Performs a task when it is asked for what has ended, unless an outcome is prepared for it."""

    def __init__(self, *outcomes, room=2):
        self.outcomes, self.room = list(outcomes), room
        self.tasks, self.submitted, self.abandoned, self.closed = [], [], [], False

    def free(self):
        return len(self.tasks) < self.room

    def submit(self, task):
        assert self.free()
        self.tasks.append(task)
        self.submitted.append(task.group[0].config.n_batch)

    def as_completed(self):
        if self.tasks:
            task = self.tasks.pop(0)
            yield (
                task,
                self.outcomes.pop(0)
                if self.outcomes
                else task.perform(DatasetCache(None), lambda _: None, lambda: None),
            )

    def abandon(self, task):
        self.abandoned.append(task)

    def close(self):
        self.closed = True

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


@pytest.fixture
def dispatched(sweep_file, runs_dir):
    """Run a sweep of three groups by an executor; gives what became of each group."""

    def run(executor, **options):
        sweep = read_sweep(sweep_file({"n_batch": [10, 20, 30]}))
        ended = []
        listener = SweepListener(
            lambda *_: None,
            lambda _: None,
            lambda group, outcome: ended.append((group[0].config.n_batch, outcome)),
            lambda: None,
        )
        folder = SweepFolder(runs_dir / "grid")
        rows = run_sweep(sweep, folder, DatasetCache(None), listener, several=executor, **options)
        return ended, rows

    return run


def test_any_executor_will_do(dispatched):
    """Groups are handed over as there is room, each once; the executor is closed."""
    executor = Fake()
    ended, rows = dispatched(executor)
    assert executor.submitted == [10, 20, 30]
    assert [outcome.kind for _, outcome in ended] == ["trained"] * 3
    assert rows[0].selected
    assert executor.closed


def test_a_group_whose_worker_died_is_handed_over_again(dispatched):
    executor = Fake(Outcome("lost", "its workers died"))
    ended, _ = dispatched(executor)
    assert sorted(executor.submitted) == [10, 10, 20, 30]
    assert sorted(n_batch for n_batch, _ in ended) == [10, 20, 30]


def test_a_group_that_kills_its_workers_is_given_up(dispatched, runs_dir):
    """After three attempts; the others are trained."""
    executor = Fake(*[Outcome("lost", "its workers died")] * 3, room=1)
    ended, rows = dispatched(executor)
    assert executor.submitted == [10, 10, 10, 20, 30]
    assert ended[0] == (10, Outcome("failed", "3 attempts: its workers died"))
    assert [row.status for row in rows] == ["finished", "finished", "missing"]
    assert not any(row.test for row in rows)
    assert len(folders(runs_dir)) == 2


def test_a_group_that_another_process_has_waits_for_it(dispatched, monkeypatch):
    monkeypatch.setattr("cifar_linear.sweep.dispatch._LOOK_UP", 0.0)
    executor = Fake(Outcome("busy", "process 1 on far"), room=1)
    ended, _ = dispatched(executor)
    assert sorted(executor.submitted) == [10, 10, 20, 30]
    assert sorted(n_batch for n_batch, _ in ended) == [10, 20, 30]


def test_a_failure_is_told_and_the_rest_is_trained(dispatched):
    executor = Fake(Outcome("failed", "RunError: /full/model.npz: cannot be written: No space left on device"))
    ended, _ = dispatched(executor)
    assert ended[0] == (10, Outcome("failed", "RunError: /full/model.npz: cannot be written: No space left on device"))
    assert [outcome.kind for _, outcome in ended[1:]] == ["trained", "trained"]


def test_what_interrupts_a_sweep_closes_the_executor(sweep_file, runs_dir):
    def interrupt():
        raise KeyboardInterrupt

    executor = Fake()
    listener = SweepListener(lambda *_: None, lambda _: None, lambda *_: None, interrupt)
    sweep = read_sweep(sweep_file({"eta": [0.1]}))
    with pytest.raises(KeyboardInterrupt):
        run_sweep(sweep, SweepFolder(runs_dir / "grid"), DatasetCache(None), listener, several=executor)
    assert executor.closed


def test_a_task_is_read_back_from_its_line(sweep_file, runs_dir, tmp_path):
    """With values of every kind: the same cells, by the same names."""
    path = sweep_file({"lambda": [0, 0.1], "decay": [{"kind": "cosine"}, {"kind": "none"}], "momentum": [0, 0.9]})
    (group,) = groups_of(read_sweep(path).cells, DatasetCache(None))
    task = Task(group, runs_dir / "grid", [runs_dir / "grid" / "one"], tmp_path, retry_failed=True)
    text = task.to_json()
    again = Task.of_json(text)
    assert "\n" not in text
    assert [(cell.name, cell.config) for cell in again.group] == [(cell.name, cell.config) for cell in group]
    assert (again.folder, again.folders, again.data_dir) == (task.folder, task.folders, task.data_dir)
    assert again.retry_failed
    assert SweepFolder(runs_dir).claim(again.group).path == SweepFolder(runs_dir).claim(group).path


def leave_behind(claim):
    """Leave a claim as a process of this machine does that is killed."""
    if not claim.path.exists():
        dead = subprocess.Popen([sys.executable, "-c", ""])
        dead.wait()
        assert claim.acquire()
        text = claim.path.read_text()
        claim.release()
        claim.path.write_text(re.sub(r"start=\d+\n", "", re.sub(r"pid=\d+", f"pid={dead.pid}", text)))


def test_a_silent_group_is_taken_from_its_executor(sweep_file, runs_dir, monkeypatch):
    """Its claim can be taken although it has not finished; it is trained again, elsewhere."""
    monkeypatch.setattr("cifar_linear.sweep.dispatch._LOOK_UP", 0.0)
    sweep = read_sweep(sweep_file({"n_batch": [10]}))
    folder = SweepFolder(runs_dir / "grid")
    folder.create()
    groups = groups_of(sweep.cells, DatasetCache(None))

    class Hanging(Fake):
        """Its first process dies without a word, and leaves its claim."""

        def as_completed(self):
            if self.abandoned:
                yield from super().as_completed()
            else:
                leave_behind(folder.claim(groups[0]))

        def abandon(self, task):
            super().abandon(task)
            self.tasks.remove(task)

    executor, ended = Hanging(), []
    Dispatch(
        folder,
        {},
        executor,
        lambda group: Task(group, folder.path),
        False,
        lambda _, outcome: ended.append(outcome.kind),
        lambda: None,
    ).train(groups, until_the_end=True)
    assert len(executor.abandoned) == 1
    assert ended == ["trained"]
