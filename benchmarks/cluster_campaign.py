"""Disturbs sweeps of real processes on the loopback interface, and measures what a cluster costs.

It prints the table of docs/explanation/reliability.md. Without words all parts are run, which takes about an hour.
"""

import argparse
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from threading import Event, Thread

import yaml
from distributed import Client, LocalCluster

from cifar_linear.runs.folder import RunFolder

BASE = {
    "data": {"dataset": "synthetic", "images_per_batch": 500},
    "lambda": 0.01,
    "eta": 0.003,
    "n_batch": 100,
    "repro": "strict",
    "augmentation": {"flip": 0.5},
}
Process = subprocess.Popen[str]


def main() -> None:
    """Run the parts that are asked for."""
    parts: dict[str, Callable[[Path, argparse.Namespace], None]] = {
        "workers": _kill_workers,
        "shards": _kill_shards,
        "overhead": _overhead,
        "limits": _limits,
    }
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("parts", nargs="*", help="which parts; all without")
    parser.add_argument("--groups", type=int, default=200, help="groups of a disturbed sweep")
    parser.add_argument("--epochs", type=int, default=40, help="epochs of each of its runs")
    parser.add_argument("--short", type=int, default=1000, help="groups of the sweep with the shortest ones")
    parser.add_argument("--long", type=int, default=20, help="groups of the sweep with those of three seconds")
    asked = parser.parse_args()
    print("| disturbance | times | cells in the same bits | remarks |\n| --- | --- | --- | --- |")
    with tempfile.TemporaryDirectory() as scratch:
        for name in asked.parts or parts:
            parts[name](Path(scratch), asked)


def _kill_workers(root: Path, asked: argparse.Namespace) -> None:
    """Kill one of two dask workers every few seconds while they train."""
    rng, whole, path = random.Random(0), root / "whole", _grid(root, asked.groups, asked.epochs)  # noqa: S311  # moments
    _ended(_sweep(path, whole, "--workers", "2"))
    kills, changed = 0, Watched(root / "disturbed")
    with LocalCluster(n_workers=0, dashboard_address=None) as cluster:
        workers = [_worker(cluster.scheduler_address, root) for _ in range(2)]
        cluster.wait_for_workers(2)
        started = time.perf_counter()
        client = _sweep(path, root / "disturbed", "--scheduler", cluster.scheduler_address)
        while client.poll() is None:
            time.sleep(rng.uniform(2, 5))
            killed = rng.randrange(2)
            workers[killed].kill()
            workers[killed].wait()
            workers[killed] = _worker(cluster.scheduler_address, root)
            kills += 1
        _ended(client)
        seconds = time.perf_counter() - started
        for worker in workers:
            worker.kill()
            worker.wait()
    remarks = f"{changed.end()} finished runs trained again; {seconds:.0f} s"
    print(f"| SIGKILL of dask workers, 2 at work | {kills} | {_compared(root / 'disturbed', whole)} | {remarks} |")


def _worker(address: str, root: Path) -> subprocess.Popen[bytes]:
    """Start a dask worker without a nanny, which would restart it when it dies."""
    words = ["worker", address, "--no-nanny", "--nthreads", "1", "--memory-limit", "0", "--no-dashboard"]
    words += ["--local-directory", str(root)]
    return subprocess.Popen(  # noqa: S603  # our own words
        [str(Path(sys.executable).with_name("dask")), *words], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )


def _kill_shards(root: Path, asked: argparse.Namespace) -> None:
    """Kill eight shards at random, and start each again."""
    rng, whole, path = random.Random(1), root / "whole8", _grid(root, asked.groups // 2, asked.epochs)  # noqa: S311  # moments
    _ended(_sweep(path, whole, "--workers", "2"))
    kills, changed, numbers = 0, Watched(root / "shards"), range(1, 9)
    shards = [_sweep(path, root / "shards", "--shard", f"{number}/8") for number in numbers]
    started = time.perf_counter()
    while any(shard.poll() is None for shard in shards) and kills < 40:
        time.sleep(rng.uniform(0.2, 2))
        killed = rng.choice(numbers) - 1
        shards[killed].kill()
        shards[killed].communicate()
        shards[killed] = _sweep(path, root / "shards", "--shard", f"{killed + 1}/8")
        kills += 1
    for shard in shards:
        _ended(shard)
    remarks = f"{changed.end()} finished runs trained again; {time.perf_counter() - started:.0f} s"
    print(f"| SIGKILL of shards, 8 at work | {kills} | {_compared(root / 'shards', whole)} | {remarks} |")


def _overhead(root: Path, asked: argparse.Namespace) -> None:
    """Compare a local cluster with the same number of processes without dask."""
    _ended(_sweep(_grid(root, 1, 100), root / "first"))
    (first,) = (root / "first").glob("grid/*/run.json")
    epoch = RunFolder(first.parent).read_record().seconds / 100
    for groups, wanted in ((asked.long, 3.0), (asked.short, 0.1)):
        path = _grid(root, groups, max(1, round(wanted / epoch)))
        seconds = []
        for number, how in enumerate((["--workers", "2"], ["--scheduler", "local", "--workers", "2"])):
            started = time.perf_counter()
            _ended(_sweep(path, root / f"overhead{groups}-{number}", *how))
            seconds.append(time.perf_counter() - started)
        more = 100 * (seconds[1] / seconds[0] - 1)
        trained = [_seconds(root / f"overhead{groups}-{number}") for number in (0, 1)]
        print(
            f"{groups} groups: {seconds[0]:.1f} s with --workers 2 ({trained[0]:.2f} s of training each), "
            f"{seconds[1]:.1f} s with --scheduler local ({trained[1]:.2f} s each), {more:+.1f} %",
            flush=True,
        )


def _seconds(runs_dir: Path) -> float:
    """The mean time of training a run."""
    runs = [RunFolder(file.parent).read_record().seconds for file in runs_dir.glob("grid/*/run.json")]
    return sum(runs) / len(runs)


def _limits(root: Path, _asked: argparse.Namespace) -> None:
    """Measure what a scheduler, a disk and a connection can do."""
    with (
        LocalCluster(n_workers=2, threads_per_worker=1, memory_limit=0, dashboard_address=None) as cluster,
        Client(cluster, set_as_default=False) as client,
    ):
        tasks = 2000
        started = time.perf_counter()
        client.gather(client.map(abs, range(tasks), pure=False))
        each = (time.perf_counter() - started) / tasks
        print(f"scheduler: {1e3 * each:.2f} ms for each task")
        content = os.urandom(100 * 2**20)
        started = time.perf_counter()
        client.run(len, content, workers=[next(iter(client.nthreads()))])
        print(f"connection: {100 * 1.048576 / (time.perf_counter() - started):.0f} MB/s on the loopback interface")
    _ended(_sweep(_grid(root, 1, 1), root / "disk"))
    (run,) = {file.parent for file in (root / "disk").glob("grid/*/run.json")}
    print(f"disk: {sum(file.stat().st_size for file in run.iterdir()) / 1e6:.2f} MB for each run")


class Watched:
    """Counts how often the model of a run changes after its record has said that it is finished."""

    def __init__(self, runs_dir: Path) -> None:
        self._runs_dir, self._ended, self._changed = runs_dir, Event(), 0
        self._thread = Thread(target=self._watch)
        self._thread.start()

    def end(self) -> int:
        """Return the number of changes."""
        self._ended.set()
        self._thread.join()
        return self._changed

    def _watch(self) -> None:
        finished: dict[Path, int] = {}
        while not self._ended.wait(0.5):
            for record in self._runs_dir.glob("grid/*/run.json"):
                model = record.with_name("model.npz")
                if record in finished:
                    self._changed += model.stat().st_mtime_ns != finished[record]
                    finished[record] = model.stat().st_mtime_ns
                elif '"status": "finished"' in record.read_text():
                    finished[record] = model.stat().st_mtime_ns


def _grid(root: Path, groups: int, epochs: int) -> Path:
    """Write a sweep in which every cell is a group of its own."""
    path = root / f"{groups}-{epochs}" / "grid.yaml"
    path.parent.mkdir(exist_ok=True)
    path.write_text(yaml.safe_dump({"base": {**BASE, "epochs": epochs}, "grid": {"seed": [*range(1, groups + 1)]}}))
    return path


def _sweep(path: Path, runs_dir: Path, *more: str) -> Process:
    words = [sys.executable, "-m", "cifar_linear", "sweep", str(path), "--runs-dir", str(runs_dir), "--no-figures"]
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}
    return subprocess.Popen(  # noqa: S603  # our own words
        [*words, *more], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=environment
    )


def _ended(process: Process) -> None:
    stderr = process.communicate()[1]
    if process.returncode:
        sys.exit(stderr)


def _compared(ours: Path, theirs: Path) -> str:
    """How many cells have the weights of the undisturbed sweep."""
    models = [_models(runs_dir) for runs_dir in (ours, theirs)]
    same = sum(models[0].get(seed) == model for seed, model in models[1].items())
    return f"{same} of {len(models[1])}"


def _models(runs_dir: Path) -> dict[int, bytes]:
    folders = [RunFolder(file.parent) for file in runs_dir.glob("grid/*/run.json")]
    return {folder.read_record().config.seed: folder.read_model().W.tobytes() for folder in folders}


if __name__ == "__main__":
    main()
