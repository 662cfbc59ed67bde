"""Processes that are killed: nothing is lost that was saved."""

import random
import shutil
import time

import faults
from faults import brought_to_its_end
from folders import same


def test_whatever_file_operation_a_kill_comes_before_the_run_can_go_on(whole, tmp_path):
    """SIGKILL in place of every single one."""
    unbroken, operations = whole
    context, unbegun = faults.children(), 0
    for operation in range(1, operations + 1):
        runs_dir = tmp_path / str(operation)
        child = context.Process(target=faults.train_and_die, args=(runs_dir, operation))
        child.start()
        child.join()
        assert child.exitcode == -9
        folder = brought_to_its_end(runs_dir)
        if folder is None:
            unbegun += 1
        else:
            same(folder, unbroken)
            assert not list(runs_dir.rglob("*.new"))
        shutil.rmtree(runs_dir, ignore_errors=True)
    assert unbegun < 20  # Those of making the folder, its config and its first record.


def test_whenever_a_kill_comes_the_run_can_go_on(whole, tmp_path):
    """SIGKILL at fifty random moments."""
    unbroken, _ = whole
    context, rng, unbegun = faults.children(), random.Random(6), 0
    child = context.Process(target=faults.train, args=(tmp_path / "timed",))
    started = time.monotonic()
    child.start()
    child.join()
    seconds = time.monotonic() - started
    for kill in range(50):
        runs_dir = tmp_path / str(kill)
        child = context.Process(target=faults.train, args=(runs_dir,))
        child.start()
        time.sleep(rng.uniform(0, seconds))
        child.kill()
        child.join()
        folder = brought_to_its_end(runs_dir)
        if folder is None:
            unbegun += 1
        else:
            same(folder, unbroken)
    assert unbegun < 25  # Those before the first record; otherwise hardly anything is compared.
