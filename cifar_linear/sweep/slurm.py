"""A script for SLURM: an array of jobs that train a sweep together."""

from __future__ import annotations

import math
import shlex
from collections.abc import Sequence

from cifar_linear.sweep.plan import Plan

_SHORTEST = 20 * 60.0
"""Seconds that a job should last at least: shorter ones are a burden for the batch system."""
_SPARE = 2.0
"""How many times the estimated time a job may take."""
_SCRIPT = """\
#!/bin/bash
# {groups} groups of a sweep, estimated at {minutes} min on the machine that printed this.
# Each job begins with its share and then helps the others; the last one evaluates and writes the report.
# A job near its time limit, or on a node that fails, is saved and queued again.
#SBATCH --job-name={name}
#SBATCH --array=1-{tasks}
#SBATCH --cpus-per-task={cores}
#SBATCH --time={limit}
#SBATCH --signal=B:TERM@60
#SBATCH --requeue
#SBATCH --open-mode=append

stopped=
trap 'stopped=yes; kill -TERM "$training"' TERM
{command} --shard auto &
training=$!
wait "$training"; status=$?
while kill -0 "$training" 2> /dev/null; do wait "$training"; status=$?; done
if [ "$stopped" ] && [ "$status" = 143 ]; then
    scontrol requeue "${{SLURM_ARRAY_JOB_ID}}_${{SLURM_ARRAY_TASK_ID}}"
fi
exit "$status"
"""


def array_script(plan: Plan, words: Sequence[str], workers: int) -> str:
    """Return a script for sbatch that trains what is left of a sweep.

    Args:
        plan: the groups that are left, with their estimated seconds.
        words: the command that trains the sweep, without a share.
        workers: how many groups each job trains at once.
    """
    seconds = sum(estimate for _, estimate in plan.groups)
    longest = max((estimate for _, estimate in plan.groups), default=0.0)
    tasks = max(1, min(len(plan.groups), math.ceil(seconds / workers / _SHORTEST)))
    limit = max(_SPARE * max(longest, seconds / workers / tasks), _SHORTEST)
    hours, minutes = divmod(math.ceil(limit / 60) + 10, 60)
    return _SCRIPT.format(
        groups=len(plan.groups),
        minutes=math.ceil(seconds / 60),
        name=plan.folder.name,
        tasks=tasks,
        cores=max(2, workers),
        limit=f"{hours:02d}:{minutes:02d}:00",
        command=shlex.join(words),
    )
