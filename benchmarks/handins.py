"""A class on CIFAR-10 for ``course check``: honest hand-ins, most of them required settings, and all forgeries.

Honest runs are trained in turn with the BLAS kernels of three kinds of processors. What is missing in the folder is
made, then everything is checked. Ends with 1 if a forgery is not found by the check that is meant for it, or an honest
hand-in is flagged.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import yaml
from hand_ins import Class, forged_hand_ins, honest_hand_ins

ROOT = Path(__file__).parent.parent
REQUIRED = sorted((ROOT / "configs" / "required").glob("*.yaml"))
KERNELS = ("Prescott", "Sandybridge", "Haswell")
PLANTED = "planted.json"


def main() -> None:
    """Make the class and check it."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--data-dir", type=Path, default=os.environ.get("CIFAR_LINEAR_DATA"), required=False)
    parser.add_argument("--seeds", type=int, default=63, help="of each required setting")
    asked = parser.parse_args()
    for number in range(asked.seeds * len(REQUIRED)):
        train(asked.folder / "handins" / f"required-{number:03}", number, asked.data_dir)
    if not (asked.folder / PLANTED).exists():
        make_others(asked.folder, asked.data_dir)
    begun = time.perf_counter()
    rows = check(asked.folder, asked.data_dir)
    seconds = time.perf_counter() - begun
    sys.exit(judge(rows, json.loads((asked.folder / PLANTED).read_text()), seconds))


def train(path: Path, number: int, data_dir: Path) -> None:
    """Train a required setting with a seed of its own, unless that is done."""
    if path.exists():
        return
    seed, setting = divmod(number, len(REQUIRED))
    words = ["train", REQUIRED[setting], "--set", f"seed={10_000 + seed}", "--runs-dir", path, "--no-figures", "-q"]
    words += ["--data-dir", data_dir]
    environment = {**os.environ, "OPENBLAS_CORETYPE": KERNELS[number % len(KERNELS)]}
    command = [sys.executable, "-m", "cifar_linear", *map(str, words)]
    subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL)  # noqa: S603  # our own words


def make_others(folder: Path, data_dir: Path) -> None:
    """Make honest runs of other kinds, and the forgeries, for ten epochs."""
    config = yaml.safe_load(next(path for path in REQUIRED if "0.1_" in path.name).read_text())
    course = Class(folder / "handins", {**config, "epochs": 10}, data_dir)
    honest_hand_ins(course)
    planted = forged_hand_ins(course)
    (folder / "asked.yaml").write_text(yaml.safe_dump(course.base))
    (folder / PLANTED).write_text(json.dumps(planted))


def check(folder: Path, data_dir: Path) -> list[dict[str, Any]]:
    """Return the rows of a check of the folder."""
    words = ["course", "check", folder / "handins", "--data-dir", data_dir, "-o", folder / "page", "--json"]
    command = [sys.executable, "-m", "cifar_linear", *map(str, words), "--sample", "20", "--quiet"]
    result = subprocess.run(command, check=False, stdout=subprocess.PIPE, text=True)  # noqa: S603  # likewise
    rows: list[dict[str, Any]] = json.loads(result.stdout)["rows"]
    return rows


def judge(rows: list[dict[str, Any]], planted: dict[str, str], seconds: float) -> int:
    """Print what was found and what was missed; return 1 if anything is wrong.

    What only ``--asked`` can find, and what only training again can, if it was not drawn, is counted apart.
    """
    found: dict[str, set[str]] = {}
    for row in rows:
        found.setdefault(row["hand_in"], set()).update(flag["check"] for flag in row["flags"])
    # The run that was copied is honest, but no check can know which of two equal runs is the copy.
    honest = {name: checks for name, checks in found.items() if not name.startswith(("forged-", "victim"))}
    wrongly = {name: sorted(checks) for name, checks in honest.items() if checks}
    needs_more = [name for name, check in planted.items() if check in ("asked", "again")]
    missed = [
        name for name, check in planted.items() if check not in found[f"forged-{name}"] and name not in needs_more
    ]
    print(f"{len(found)} hand-ins, {len(rows)} runs, checked in {seconds:.0f} s")
    print(f"forgeries: {len(planted) - len(needs_more) - len(missed)} of {len(planted) - len(needs_more)} found")
    print(f"honest: {len(wrongly)} of {len(honest)} flagged")
    for name in missed:
        print(f"missed: {name}, by {planted[name]}; found by {sorted(found[f'forged-{name}'])}")
    for name, checks in wrongly.items():
        print(f"flagged: {name}: {checks}")
    return bool(missed or wrongly)


if __name__ == "__main__":
    main()
