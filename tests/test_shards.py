"""Several processes on one sweep, on one machine and on several."""

import os
import random
import re
import signal
import subprocess
import sys
import time

import other_host
import pytest
import yaml
from folders import BASE, assert_same_cells, by_cell, folders, same, table_rows

from cifar_linear.config.sweeps import read_sweep
from cifar_linear.errors import ConfigError, LeaseLostError, RunError
from cifar_linear.experiments.dataset_cache import DatasetCache
from cifar_linear.runs.folder import RunFolder
from cifar_linear.storage import leases
from cifar_linear.storage.leases import Lease
from cifar_linear.sweep.folder import SweepFolder
from cifar_linear.sweep.groups import groups_of
from cifar_linear.sweep.shards import Shard, read_shard

GRID = {"n_batch": [10, 15, 20, 25, 30, 40], "lambda": [0, 0.1]}
# A group takes about half a second.
LONG = BASE | {"epochs": 100, "data": {"dataset": "synthetic", "images_per_batch": 200}, "augmentation": {"flip": 0.5}}


def start(words, *command):
    words = [*command, *map(str, words), "--no-figures"]
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}
    return subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)


def on_host(host, ahead, *words, lease=2):
    return start(words, sys.executable, other_host.__file__, host, str(ahead), str(lease))


def here(*words):
    return start(words, sys.executable, "-m", "cifar_linear")


def ended(process):
    stdout, stderr = process.communicate(timeout=60)
    assert process.returncode == 0, stderr
    return stdout


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """A sweep by one process: its file, its table and its runs."""
    root = tmp_path_factory.mktemp("undisturbed")
    (root / "grid.yaml").write_text(yaml.safe_dump({"base": LONG, "grid": GRID}, sort_keys=False))
    stdout = ended(here("sweep", root / "grid.yaml", "--runs-dir", root / "runs"))
    return root / "grid.yaml", table_rows(stdout), by_cell(root / "runs")


@pytest.mark.parametrize(("count", "shares"), [(6, 2), (7, 3), (2, 5), (0, 3), (100, 7)])
def test_shares_are_disjoint_and_everyone_comes_to_everything(count, shares):
    items = list(range(count))
    orders = [Shard(number, shares).ordered(items) for number in range(1, shares + 1)]
    assert all(sorted(order) == items for order in orders)
    sizes = [(number + 1) * count // shares - number * count // shares for number in range(shares)]
    own = [order[:size] for order, size in zip(orders, sizes, strict=True)]
    assert [item for share in own for item in share] == items


@pytest.mark.parametrize(
    ("text", "environment", "expected"),
    [
        ("2/8", {}, (2, 8)),
        ("auto", {"SLURM_ARRAY_TASK_ID": "0", "SLURM_ARRAY_TASK_MIN": "0", "SLURM_ARRAY_TASK_COUNT": "4"}, (1, 4)),
        (
            "auto",
            {
                "SLURM_ARRAY_TASK_ID": "17",
                "SLURM_ARRAY_TASK_MIN": "5",
                "SLURM_ARRAY_TASK_COUNT": "4",
                "SLURM_ARRAY_TASK_STEP": "6",
            },
            (3, 4),
        ),
    ],
)
def test_a_share_is_given_or_the_place_in_a_slurm_array(text, environment, expected):
    assert read_shard(text, environment) == expected


@pytest.mark.parametrize("text", ["0/8", "9/8", "8", "a/b", "1/0", "-1/3", "1/8/2", "", "auto"])
def test_a_share_outside_its_range_is_refused(text):
    with pytest.raises(ConfigError, match="--shard"):
        read_shard(text, {})


def test_a_wrong_share_is_a_wrong_use(sweep, sweep_file, runs_dir):
    result = sweep(sweep_file({"eta": [0.1]}), "--shard", "9/8")
    assert result.exit_code == 2
    assert result.stderr == "error: --shard: must be i/n with i from 1 to n, such as 1/8, or auto, found 9/8\n"
    assert not runs_dir.exists()


def test_two_hosts_share_a_sweep_on_a_disk_without_locks(undisturbed, tmp_path):
    """Their clocks are a minute apart; each trains some groups, none is trained twice, and the last one evaluates."""
    path, table, expected = undisturbed
    words = ("sweep", path, "--runs-dir", tmp_path, "--shard")
    both = [on_host("near", 0, *words, "1/2"), on_host("far", 60, *words, "2/2")]
    outputs = [table_rows(ended(process)) for process in both]
    assert table in outputs
    found = by_cell(tmp_path)
    assert_same_cells(found, expected)
    assert {folder.read_record().environment.host for folder in found.values()} == {"near", "far"}
    assert not [file.name for file in (tmp_path / "grid").iterdir() if file.is_file() and file.name != "sweep.yaml"]


def running(runs_dir):
    """The first run that is under way, once there is one with a checkpoint."""
    for _ in range(600):
        for path in sorted(runs_dir.glob("grid/*/checkpoint.npz")):
            folder = RunFolder(path.parent)
            if folder.read_record().status == "running":
                return folder
        time.sleep(0.05)
    raise AssertionError("no run began")


def contents(runs_dir):
    return {path: path.read_bytes() for path in runs_dir.glob("grid/*/*") if path.is_file()}


def test_the_group_of_a_silent_host_is_taken_over_and_what_it_writes_late_spoils_nothing(tmp_path):
    """A host is stopped in the middle of a group for longer than its lease; then it goes on and finds all done."""
    path = tmp_path / "grid.yaml"
    path.write_text(yaml.safe_dump({"base": LONG | {"epochs": 500}, "grid": {"lambda": [0, 0.1]}}, sort_keys=False))
    ended(here("sweep", path, "--runs-dir", tmp_path / "whole"))
    words = ("sweep", path, "--runs-dir", tmp_path / "runs")
    silent = on_host("near", 0, *words)
    folder = running(tmp_path / "runs")
    silent.send_signal(signal.SIGSTOP)
    table = ended(on_host("far", 60, *words))
    assert folder.read_record().environment.host == "far"
    before = contents(tmp_path / "runs")
    silent.send_signal(signal.SIGCONT)
    assert table_rows(ended(silent)) == table_rows(table)
    assert contents(tmp_path / "runs") == before
    assert_same_cells(by_cell(tmp_path / "runs"), by_cell(tmp_path / "whole"))


@pytest.mark.parametrize("seed", range(2))
def test_shards_killed_at_random_come_to_the_same_table(undisturbed, tmp_path, seed):
    """Started again until one gets through; every cell has one folder, with the bits of the undisturbed sweep."""
    path, table, expected = undisturbed
    rng = random.Random(seed)

    def shard(number):
        return here("sweep", path, "--runs-dir", tmp_path, "--shard", f"{number}/4")

    shards = [shard(number) for number in (1, 2, 3, 4)]
    for _ in range(6):
        time.sleep(rng.uniform(0.1, 0.6))
        number = rng.randrange(4)
        shards[number].kill()
        shards[number].communicate()
        shards[number] = shard(number + 1)
    outputs = [table_rows(ended(process)) for process in shards]
    assert table in outputs
    assert_same_cells(by_cell(tmp_path), expected)


def test_a_second_call_is_told_who_works_and_waits_for_the_end(undisturbed, tmp_path):
    path, table, _ = undisturbed
    words = ("sweep", path, "--runs-dir", tmp_path)
    first = here(*words)
    running_on = running_claim(tmp_path / "grid")
    second = here(*words)
    stdout, stderr = second.communicate(timeout=60)
    assert second.returncode == 0, stderr
    assert re.search(rf"^process {first.pid} on \S+ is at work on this sweep as well$", stderr, re.MULTILINE)
    assert str(first.pid) in running_on
    assert table_rows(stdout) == table == table_rows(ended(first))


def running_claim(folder):
    for _ in range(600):
        if others := SweepFolder(folder).others():
            return others[0]
        time.sleep(0.02)
    raise AssertionError("no group was claimed")


def test_another_grid_is_refused_while_somebody_trains_the_first(sweep, sweep_file, runs_dir, monkeypatch):
    path = sweep_file({"eta": [0.1]})
    assert sweep(path).exit_code == 0
    monkeypatch.setattr(Lease, "is_ours", lambda _: False)
    folder = SweepFolder(runs_dir / "grid")
    claim = folder.claim(groups_of(read_sweep(path).cells, DatasetCache(None))[0])
    before = (folder.path / "sweep.yaml").read_bytes()
    assert claim.acquire()
    try:
        result = sweep(sweep_file({"eta": [0.2]}))
    finally:
        claim.release()
    assert result.exit_code == 1
    assert f"process {os.getpid()} on " in result.stderr
    assert "trains another grid in it; wait, or use --name" in result.stderr
    assert (folder.path / "sweep.yaml").read_bytes() == before


def test_a_group_killed_while_its_runs_were_noted_as_finished_keeps_its_bits(sweep, sweep_file, runs_dir):
    """The run that was not noted goes on with the others: alone, its sums would be rounded in another order."""
    path = sweep_file({"lambda": [0, 0.1, 1]})
    assert sweep(path).exit_code == 0
    before = contents(runs_dir)
    last = folders(runs_dir)[-1]
    last.write_record(last.read_record().model_copy(update={"status": "running"}))
    assert sweep(path).exit_code == 0
    models = {path for path in before if path.name == "model.npz"}
    assert all(path.read_bytes() == before[path] for path in models)
    assert [folder.read_record().status for folder in folders(runs_dir)] == ["finished"] * 3
    assert {folder.read_record().runs_in_pass for folder in folders(runs_dir)} == {3}


def test_a_holder_that_has_lost_its_lease_does_not_write(tmp_path, small_config, run):
    """What it had prepared is dropped just before it would replace the file."""
    run("train", "--config", small_config, "--runs-dir", tmp_path / "runs", "--no-figures")
    (path,) = (tmp_path / "runs").iterdir()
    folder = RunFolder(path)
    record, before = folder.read_record(), (path / "run.json").read_bytes()
    with folder.locked() as lease:
        lease.path.unlink()
        with pytest.raises(LeaseLostError, match="another process has taken over"):
            folder.write_record(record.model_copy(update={"seconds": 0}))
        with pytest.raises(LeaseLostError):
            lease.confirm()
    assert (path / "run.json").read_bytes() == before
    assert not list(path.glob(".*.new"))


def test_a_run_under_way_on_another_host_is_not_resumed_here(small_config, tmp_path):
    """Until that host has been silent for longer than its lease; then the run goes on to the same bits."""
    overrides = ("--set", "epochs=1500", "--set", "data.images_per_batch=200")
    new = ("train", "--config", small_config, *overrides, "--runs-dir")
    ended(here(*new, tmp_path / "whole"))
    silent = on_host("near", 0, *new, tmp_path / "grid")
    folder = running(tmp_path)
    refused = on_host("far", 60, "train", "--resume", folder.path)
    _, stderr = refused.communicate(timeout=60)
    assert refused.returncode == 1
    assert (
        stderr == f"error: {folder.path}: still running (process {silent.pid} on near); wait for it or stop it first\n"
    )
    silent.send_signal(signal.SIGSTOP)
    # Beyond the lease and the minute by which clocks may differ.
    os.utime(folder.path / leases.LEASE, (time.time() - 1000,) * 2)
    ended(on_host("far", 60, "train", "--resume", folder.path))
    before = contents(tmp_path)
    silent.send_signal(signal.SIGCONT)
    _, stderr = silent.communicate(timeout=60)
    assert silent.returncode == 1
    assert "has taken over, since this one was silent" in stderr
    assert contents(tmp_path) == before
    (whole,) = (tmp_path / "whole").iterdir()
    same(folder, RunFolder(whole))


def test_a_cell_that_another_host_trains_is_shown_as_running(run, sweep, sweep_file, runs_dir, monkeypatch):
    """By the claim on its group; without one, or with one of another process, it was killed."""
    path = sweep_file({"eta": [0.1]})
    assert sweep(path).exit_code == 0
    (folder,) = folders(runs_dir)
    environment = folder.read_record().environment.model_copy(update={"host": "far"})
    folder.write_record(folder.read_record().model_copy(update={"status": "running", "environment": environment}))
    claim = SweepFolder(runs_dir / "grid").claim(groups_of(read_sweep(path).cells, DatasetCache(None))[0])
    assert folder.status(folder.read_record()) == "killed"
    with monkeypatch.context() as patch:
        patch.setattr("socket.gethostname", lambda: "far")  # as filelock asks for it
        assert claim.acquire()
    try:
        assert folder.status(folder.read_record()) == "running"
        with pytest.raises(RunError, match="still running"), folder.locked():
            pass
        os.utime(claim.path, (0, 0))
        assert folder.status(folder.read_record()) == "killed"
    finally:
        claim.release()
