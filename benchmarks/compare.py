"""Compares cifar-linear with other libraries on the same work, and writes docs/explanation/performance.md.

The programs run as whole processes and take turns, so that a slow moment of the machine affects all of them. This needs
CIFAR-10 in the folder named by CIFAR_LINEAR_DATA, and the extra ``bench``.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import anatomy
import estimators
import growth
import networks
import page
from processes import Cost, measured
from work import (
    EVERYTHING,
    FOUR,
    LOGISTIC,
    NINE,
    ONE,
    Work,
    disagreements,
    our_command,
    our_metrics,
    peer_command,
    peer_metrics,
)

HERE = Path(__file__).parent
PEERS: Mapping[str, Sequence[str]] = {
    "a": ("pytorch_tensors", "pytorch_dataloader", "jax_jit"),
    "b": ("pytorch_tensors", "pytorch_dataloader", "jax_jit", "jax_vmap"),
    "c": ("pytorch_tensors", "jax_jit", "jax_vmap"),
    "d": ("pytorch_tensors", "pytorch_dataloader", "jax_jit"),
    "e": ("sklearn_sgd",),
}
MORE = ("growth", "anatomy", "network step", "estimators")
OURS, WITH_FIGURES = "ours", "ours, with figures"


@dataclass
class Row:
    """The costs of one program for one workload, by repetition, and where its results differ from ours."""

    work: str
    program: str
    costs: list[Cost]
    disagreements: Sequence[str] = ()

    def to_tree(self) -> dict[str, Any]:
        """Return the row as plain data for JSON."""
        return asdict(self) | {"costs": [cost._asdict() for cost in self.costs]}


def main() -> None:
    """Measure and write the page, or only write it."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--repeat", type=int, default=5, help="repetitions of each program and workload (default: 5)")
    parser.add_argument(
        "--only",
        nargs="*",
        choices=[*PEERS, *networks.WORKS, *MORE],
        help="measure only these again; without a name, only write the page",
    )
    parser.add_argument("--epochs", type=int, help="epochs instead of 40, for a quick try")
    parser.add_argument("--results", type=Path, default=HERE / "results.json", help="file of the measurements")
    page_file = HERE.parent / "docs" / "explanation" / "performance.md"
    parser.add_argument("--page", type=Path, default=page_file, help="the page to write")
    options = parser.parse_args()
    wanted = [*PEERS, *networks.WORKS, *MORE] if options.only is None else options.only
    if wanted and "CIFAR_LINEAR_DATA" not in os.environ:
        parser.error("needs CIFAR-10: set CIFAR_LINEAR_DATA to the folder that holds cifar-10-batches-py")
    known = json.loads(options.results.read_text()) if options.only is not None and options.results.exists() else {}
    with tempfile.TemporaryDirectory() as scratch:
        data = Path(os.environ["CIFAR_LINEAR_DATA"]) if wanted else Path()
        for work in (ONE, FOUR, NINE, EVERYTHING, LOGISTIC):
            if work.name in wanted:
                shorter = replace(work, epochs=options.epochs or work.epochs)
                known[work.name] = [row.to_tree() for row in _compared(shorter, data, Path(scratch), options.repeat)]
                _keep(known, options.results)
        for name in networks.WORKS:
            if name in wanted:
                known[name] = networks.compared(name, data, Path(scratch), (options.repeat + 1) // 2)
                _keep(known, options.results)
        if "network step" in wanted:
            known["network step"] = {name: networks.step(name, data) for name in networks.WORKS}
        if "growth" in wanted:
            known["growth"] = growth.measurements(data, Path(scratch), (options.repeat + 1) // 2)
        if "anatomy" in wanted:
            known["anatomy"] = _anatomy(data, Path(scratch))
        if "estimators" in wanted:
            known["estimators"] = estimators.compared((options.repeat + 1) // 2)
    if wanted:
        _keep(known, options.results)
    print(page.write(known, options.page))


def _keep(known: dict[str, Any], results: Path) -> None:
    machine = {"system": f"{platform.system()} {platform.release()}", "processor": _processor()}
    known["about"] = {
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
        "machine": machine | {"cores": os.cpu_count()},
        "versions": {"Python": platform.python_version(), **anatomy.versions()},
    }
    results.write_text(json.dumps(known, indent=1) + "\n")


def _processor() -> str:
    """The name of the processor, if the system knows it."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    return next((line.partition(": ")[2] for line in lines if line.startswith("model name")), platform.processor())


def _compared(work: Work, data: Path, scratch: Path, repeat: int) -> list[Row]:
    """Measure one workload with every program, in turns."""
    programs = [OURS, *([WITH_FIGURES] if work.name == "a" else []), *PEERS[work.name]]
    rows = {program: Row(work.name, program, []) for program in programs}
    for turn in range(repeat):
        ours: list[dict[str, float]] = []
        for program in programs:
            with tempfile.TemporaryDirectory(dir=scratch) as folder:
                command, results = _program(program, work, data, Path(folder))
                rows[program].costs.append(measured(command))
                theirs = results()
            ours = ours or theirs
            rows[program].disagreements = disagreements(work, ours, theirs)
            print(f"({work.name}) {program}, {turn + 1} of {repeat}: {rows[program].costs[-1].wall:.2f} s", flush=True)
    return list(rows.values())


def _program(
    program: str, work: Work, data: Path, folder: Path
) -> tuple[list[str], Callable[[], list[dict[str, float]]]]:
    """The command of a program, and a function that reads its results."""
    if program in (OURS, WITH_FIGURES):
        command = our_command(work, data, folder, figures=program == WITH_FIGURES)
        return command, lambda: our_metrics(work, folder)
    return peer_command(program, work, data, folder), lambda: peer_metrics(work, folder)


def _anatomy(data: Path, scratch: Path) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(dir=scratch) as folder:
        around = anatomy.around_the_loop(our_command(ONE, data, Path(folder)), data)
    return {
        "parts": anatomy.parts_of_a_step(ONE, data),
        "products": anatomy.products_alone(),
        "side by side": {work.name: anatomy.side_by_side(work, data) for work in (ONE, FOUR, NINE)},
        "around": around,
        "gemm": {threads: anatomy.gemm_peak(threads) for threads in (1, 2)},
        "bandwidth": anatomy.bandwidth(),
    }


if __name__ == "__main__":
    main()
