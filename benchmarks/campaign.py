"""Kills and interrupts real processes, fills their disk, starts many at once, and checks that the results are the same.

It prints the table of docs/explanation/reliability.md. The full disk is a small tmpfs, which needs root on Linux.
"""

import argparse
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

from cifar_linear.runs.folder import RunFolder

CONFIG = """\
data: {dataset: synthetic, images_per_batch: 1000}
lambda: 0.01
eta: 0.003
n_batch: 100
epochs: 100
repro: strict
augmentation: {flip: 0.5, shift: 2}
decay: {kind: plateau, patience: 20, factor: 0.5}
averaging: {from_epoch: 30}
early_stopping: {patience: 1000}
evaluate: {per_epoch: 2}
record_steps: true
"""


def main() -> None:
    """Run the campaign and print its results."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--interrupts", type=int, default=20)
    parser.add_argument("--starts", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0, help="seed of the moments")
    asked = parser.parse_args()
    signal.signal(
        signal.SIGINT, signal.default_int_handler
    )  # A shell starts background jobs with SIGINT ignored, and children inherit that.
    rng = random.Random(asked.seed)  # noqa: S311  # moments, not secrets
    with tempfile.TemporaryDirectory() as scratch:
        root = Path(scratch)
        (root / "config.yaml").write_text(CONFIG)
        begun = time.perf_counter()
        _ended(_train(root, root / "whole"))
        seconds = time.perf_counter() - begun
        (whole,) = _runs(root / "whole")
        print(f"uninterrupted run: {seconds:.1f} s")
        print("| disturbance | times | ended in the same bits | remarks |\n| --- | --- | --- | --- |")
        _kills(root, whole, [rng.uniform(0.3, seconds) for _ in range(asked.kills)])
        _interrupts(root, whole, [rng.uniform(0.8, seconds * 0.9) for _ in range(asked.interrupts)])
        _full_disks(root, whole)
        _starts(root, asked.starts)


def _kills(root: Path, whole: RunFolder, moments: list[float]) -> None:
    """Kill each run at a random moment and resume it to its end, if it had begun."""
    same, unbegun, lost = 0, 0, []
    for kill, moment in enumerate(moments):
        runs_dir = root / f"killed{kill}"
        process = _train(root, runs_dir)
        time.sleep(moment)
        process.kill()
        process.wait()
        begun = _runs(runs_dir)
        if not begun:
            unbegun += 1
            continue
        rows = checkpoint.rows if (checkpoint := begun[0].read_checkpoint()) else []
        lost.append(moment - rows[-1]["seconds"] if rows else moment)
        same += _goes_on(begun[0], whole)
        shutil.rmtree(runs_dir)
    remarks = (
        f"{unbegun} before the first record; the others lost at most {max(lost):.1f} s, including the start of Python"
    )
    print(f"| SIGKILL | {len(moments)} | {same} of {len(moments) - unbegun} | {remarks} |")


def _interrupts(root: Path, whole: RunFolder, moments: list[float]) -> None:
    """Interrupt each run, which must save and exit, and resume it to its end."""
    same, ends, codes = 0, [], set()
    for count, moment in enumerate(moments):
        number = (signal.SIGINT, signal.SIGTERM)[count % 2]
        runs_dir = root / f"interrupted{count}"
        process = _train(root, runs_dir)
        time.sleep(moment)
        process.send_signal(number)
        sent = time.perf_counter()
        codes.add((number, process.wait()))
        ends.append(time.perf_counter() - sent)
        (folder,) = _runs(runs_dir)
        same += folder.read_record().status == "interrupted" and _goes_on(folder, whole)
        shutil.rmtree(runs_dir)
    exits = ", ".join(sorted(f"{number.name} {code}" for number, code in codes))
    remarks = f"ended after {median(ends):.2f} s (median), {max(ends):.2f} s (longest); exit codes {exits}"
    print(f"| SIGINT, SIGTERM | {len(moments)} | {same} of {len(moments)} | {remarks} |")


def _full_disks(root: Path, whole: RunFolder) -> None:
    """Fill disks of many sizes; copy the run to another disk and resume it there."""
    same, begun, named, tried = 0, 0, 0, 0
    for kilobytes in range(4, 2000, 64):
        runs_dir = root / f"disk{kilobytes}"
        with _tmpfs(runs_dir, kilobytes) as mounted:
            if not mounted:
                print("| full disk | 0 | - | no tmpfs can be mounted here |")
                return
            process = _train(root, runs_dir)
            stderr = process.communicate()[1]
            if process.returncode == 0:
                break
            tried += 1
            named += str(runs_dir) in stderr and "No space left on device" in stderr
            found = _runs(runs_dir)
            begun += bool(found)
            copies = [shutil.copytree(folder.path, root / f"copy{kilobytes}") for folder in found]
        same += any(_goes_on(RunFolder(copy), whole) for copy in copies)
    remarks = f"{named} messages name path and cause; disks of 4 to {kilobytes} kB"
    print(f"| full disk | {tried} | {same} of {begun} | {remarks} |")


def _starts(root: Path, starts: int) -> None:
    """Start many short trainings at the same time."""
    short = ("--set", "epochs=1", "--set", "averaging=null", "--set", "data.images_per_batch=100")
    begun = time.perf_counter()
    processes = [_train(root, root / "many", *short) for _ in range(starts)]
    codes = [process.wait() for process in processes]
    seconds = time.perf_counter() - begun
    folders = _runs(root / "many")
    complete = [folder for folder in folders if folder.read_record().status == "finished"]
    weights = {folder.read_model().W.tobytes() for folder in complete}
    names = {folder.path.name[:16] for folder in folders}
    same = len(complete) if len(weights) == 1 else 0
    remarks = f"{len(complete)} complete folders, {len(set(names))} different seconds in their names, {seconds:.0f} s"
    print(f"| simultaneous starts | {starts} | {same} of {codes.count(0)} | {remarks} |")


def _goes_on(folder: RunFolder, whole: RunFolder) -> bool:
    """Whether the run, resumed to its end, has the weights and metrics of the uninterrupted one."""
    if folder.read_record().status != "finished" or "test" not in folder.read_record().metrics:
        words = [sys.executable, "-m", "cifar_linear", "train", "--resume", str(folder.path), "--quiet", "--no-figures"]
        subprocess.run(words, check=True, capture_output=True)  # noqa: S603  # our own words
    rows = [[{**row, "seconds": 0} for row in each.read_metrics()] for each in (folder, whole)]
    models = [
        [part.tobytes() for part in each.read_model(best)[:4]] for each in (folder, whole) for best in (False, True)
    ]
    steps = [each.read_steps() for each in (folder, whole)]
    metrics = [each.read_record().metrics for each in (folder, whole)]
    return rows[0] == rows[1] and models[:2] == models[2:] and steps[0] == steps[1] and metrics[0] == metrics[1]


def _train(root: Path, runs_dir: Path, *more: str) -> subprocess.Popen[str]:
    words = ["train", "--config", str(root / "config.yaml"), "--runs-dir", str(runs_dir), "--quiet", "--no-figures"]
    return subprocess.Popen(  # noqa: S603  # our own words
        [sys.executable, "-m", "cifar_linear", *words, *more],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
    )


def _ended(process: subprocess.Popen[str]) -> None:
    stderr = process.communicate()[1]
    if process.returncode:
        sys.exit(stderr)


def _runs(runs_dir: Path) -> list[RunFolder]:
    return [folder for path in sorted(runs_dir.glob("*")) if (folder := RunFolder(path)).is_run()]


@contextmanager
def _tmpfs(path: Path, kilobytes: int) -> Iterator[bool]:
    """Mount a disk of this size; yields False if that is impossible."""
    path.mkdir()
    words = ["mount", "-t", "tmpfs", "-o", f"size={kilobytes}k", "tmpfs", str(path)]
    mounted = shutil.which("mount") is not None
    if mounted:
        mounted = subprocess.run(words, capture_output=True, check=False).returncode == 0  # noqa: S603  # our own words
    try:
        yield mounted
    finally:
        if mounted:
            subprocess.run(["umount", str(path)], check=True)  # noqa: S603, S607  # our own words


if __name__ == "__main__":
    main()
