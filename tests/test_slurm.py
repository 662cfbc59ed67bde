"""The script of ``sweep --sbatch``, run by bash with a stand-in for SLURM."""

import os
import re
import shutil
import signal
import subprocess
import time

import pytest
from folders import BASE, folders

from cifar_linear.sweep.plan import Plan
from cifar_linear.sweep.slurm import array_script

pytestmark = pytest.mark.skipif(not shutil.which("bash"), reason="no bash")
ARRAY = {"SLURM_ARRAY_TASK_MIN": "1", "SLURM_ARRAY_TASK_COUNT": "1", "SLURM_ARRAY_TASK_ID": "1"}


def headers(script):
    return dict(re.findall(r"^#SBATCH --([a-z-]+)=(.*)$", script, re.MULTILINE))


@pytest.fixture
def job(tmp_path):
    """Start a script as a job; what it asks of scontrol is written to a file."""
    (tmp_path / "bin").mkdir()
    scontrol = tmp_path / "bin" / "scontrol"
    scontrol.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/asked\n')
    scontrol.chmod(0o755)

    def start(script):
        path = f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}"
        environment = {**os.environ, **ARRAY, "PATH": path, "SLURM_ARRAY_JOB_ID": "77", "OPENBLAS_NUM_THREADS": "1"}
        return subprocess.Popen(
            ["bash", "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
        )

    return start


def test_a_job_trains_the_sweep_and_is_not_queued_again(sweep, sweep_file, runs_dir, job, tmp_path):
    script = sweep(sweep_file({"n_batch": [20, 30]}), "--sbatch", "--set", "seed=3").stdout
    assert not runs_dir.exists()
    process = job(script)
    stdout, stderr = process.communicate(timeout=60)
    assert process.returncode == 0, stderr
    assert "selected by validation accuracy" in stdout
    assert {folder.read_record().config.seed for folder in folders(runs_dir) if folder.is_run()} == {3}
    assert (runs_dir / "grid" / "report" / "report.html").is_file()
    assert not (tmp_path / "asked").exists()


def test_a_job_at_its_time_limit_is_saved_and_queued_again(sweep, sweep_file, runs_dir, job, tmp_path):
    """The signal goes to the shell of the job alone, as with ``--signal=B:TERM@60``."""
    path = sweep_file({"eta": [0.01]}, BASE | {"epochs": 100_000})
    process = job(sweep(path, "--sbatch").stdout)
    for _ in range(600):
        if any(folder.is_run() for folder in (folders(runs_dir) if (runs_dir / "grid").exists() else ())):
            break
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == 143, stderr
    assert [folder.read_record().status for folder in folders(runs_dir)] == ["interrupted"]
    assert (tmp_path / "asked").read_text() == "requeue 77_1\n"


@pytest.mark.parametrize(
    ("groups", "seconds", "workers", "jobs", "limit"),
    [(100, 60, 1, 5, "00:50:00"), (3, 36_000, 1, 3, "20:10:00"), (8, 1, 1, 1, "00:30:00"), (100, 60, 4, 2, "00:35:00")],
)
def test_jobs_last_twenty_minutes_at_least_and_may_take_twice_the_estimate(
    tmp_path, groups, seconds, workers, jobs, limit
):
    plan = Plan(tmp_path / "grid", [([], float(seconds))] * groups, 0)
    found = headers(array_script(plan, ["cifar-linear"], workers))
    assert (found["array"], found["time"]) == (f"1-{jobs}", limit)
    assert found["job-name"] == "grid"


def test_standard_input_cannot_be_read_by_every_job(run):
    result = run("sweep", "-", "--sbatch")
    assert result.exit_code == 2
    assert "--sbatch needs a file" in result.stderr
