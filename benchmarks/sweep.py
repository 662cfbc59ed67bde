"""How much faster is a sweep than its runs one after another? Whole processes, interleaved; medians and their ratio.

Nine cells, lambda {.1, .01, .001} x eta {.001, .005, .01}, n_batch 100, one batch of 10 000 images, 40 epochs, without
figures. CIFAR-10 if CIFAR_LINEAR_DATA names its folder, else generated images of the same number and shape.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from itertools import product
from pathlib import Path
from statistics import median
from time import perf_counter

import yaml

LAMBDAS, ETAS = (0.1, 0.01, 0.001), (0.001, 0.005, 0.01)
REAL, GENERATED = {"dataset": "cifar10"}, {"dataset": "synthetic", "images_per_batch": 10_000}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--repeat", type=int, default=3, help="how often each side runs (default: 3)")
    repeat = parser.parse_args().repeat
    data = REAL if os.environ.get("CIFAR_LINEAR_DATA") else GENERATED
    base = {"data": data, "lambda": 0, "eta": 0.001, "n_batch": 100, "epochs": 40}
    with tempfile.TemporaryDirectory() as scratch:
        sweep, single = Path(scratch, "sweep.yaml"), Path(scratch, "single.yaml")
        sweep.write_text(yaml.safe_dump({"base": base, "grid": {"lambda": list(LAMBDAS), "eta": list(ETAS)}}))
        single.write_text(yaml.safe_dump(base))
        cells = [
            ["train", "--config", single, "--set", f"lambda={lam}", "--set", f"eta={eta}"]
            for lam, eta in product(LAMBDAS, ETAS)
        ]
        sides: dict[str, list[Sequence[object]]] = {"sweep": [["sweep", "--config", sweep]], "nine runs": list(cells)}
        seconds: dict[str, list[float]] = {name: [] for name in sides}
        for _ in range(repeat):
            for name, commands in sides.items():
                seconds[name].append(sum(_timed([*command], Path(scratch, "runs")) for command in commands))
    print(f"images: {data['dataset']}; {repeat} times each, interleaved")
    for name, found in seconds.items():
        print(f"{name:10} median {median(found):6.2f} s  ({min(found):.2f} to {max(found):.2f})")
    ratios = [runs / whole for whole, runs in zip(seconds["sweep"], seconds["nine runs"], strict=True)]
    print(f"nine runs / sweep: {median(seconds['nine runs']) / median(seconds['sweep']):.2f}", end=" ")
    print(f"(pair by pair {', '.join(f'{ratio:.2f}' for ratio in ratios)})")


def _timed(command: list[object], runs: Path) -> float:
    """Seconds of one process, from its start to its end, in an empty runs folder."""
    words = [*map(str, command), "--runs-dir", str(runs), "--no-figures", "--quiet"]
    started = perf_counter()
    subprocess.run([sys.executable, "-m", "cifar_linear", *words], check=True, capture_output=True)  # noqa: S603  # our own words
    seconds = perf_counter() - started
    shutil.rmtree(runs)
    return seconds


if __name__ == "__main__":
    main()
