"""How the cost grows with images, cells, batches, filters, and on fewer or older processors."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import networks
from matplotlib.figure import Figure
from processes import measured
from work import FOUR, GROWTH, NINE, ONE, Work, our_command, peer_command

COLOURS = {"ours": "#0072B2", "pytorch_tensors": "#D55E00", "jax_vmap": "#009E73"}
_PROGRAMS = ("ours", "pytorch_tensors", "jax_vmap")
_NETWORK_PROGRAMS = ("ours", "pytorch_network", "pytorch_channels_last")
_PROCESSORS: Mapping[str, tuple[Sequence[str], Sequence[str]]] = {
    "as it is": ((), ()),
    "one core": ((), ("taskset", "--cpu-list", "0")),
    "without AVX-512": (("OPENBLAS_CORETYPE=Haswell",), ()),
    "without AVX2": (("OPENBLAS_CORETYPE=Sandybridge",), ()),
}
"""Variables and programs that take something from a processor, by what is left."""
Command = Callable[[Path], list[str]]
"""The command for a folder of its own."""


def measurements(data: Path, scratch: Path, repeat: int) -> dict[str, Any]:
    """Return median seconds by model, by the quantity that grows, its size and the program."""

    def seconds(commands: Mapping[str, Command], *before: str) -> dict[str, float]:
        times: dict[str, list[float]] = {program: [] for program in commands}
        for _ in range(repeat):
            for program, command in commands.items():
                with tempfile.TemporaryDirectory(dir=scratch) as folder:
                    times[program].append(measured([*before, *command(Path(folder))]).wall)
        medians = {program: median(of_program) for program, of_program in times.items()}
        print(medians, flush=True)
        return medians

    ours = {
        **{work.name: _linear(work, data, ["ours"])["ours"] for work in (ONE, FOUR, NINE)},
        **{name: _network(work, data, ["ours"])["ours"] for name, work in networks.WORKS.items()},
    }
    return {
        "linear": {
            what: {size: seconds(_linear(work, data, _PROGRAMS)) for size, work in works.items()}
            for what, works in GROWTH.items()
        },
        "filters": {
            filters: seconds(_network(work, data, _NETWORK_PROGRAMS)) for filters, work in networks.GROWTH.items()
        },
        "processors": {
            name: {
                about: seconds({"ours": command}, "env", *variables, *program)["ours"]
                for about, (variables, program) in _PROCESSORS.items()
            }
            for name, command in ours.items()
        },
    }


def _linear(work: Work, data: Path, programs: Iterable[str]) -> dict[str, Command]:
    def command(program: str) -> Command:
        if program == "ours":
            return lambda folder: our_command(work, data, folder)
        return lambda folder: peer_command(program, work, data, folder)

    return {program: command(program) for program in programs}


def _network(work: networks.NetworkWork, data: Path, programs: Iterable[str]) -> dict[str, Command]:
    def command(program: str) -> Command:
        return lambda folder: networks.command(program, work, data, folder)

    return {program: command(program) for program in programs}


def tables(found: Mapping[str, Any], names: Mapping[str, str], peak: float) -> Iterator[str]:
    """List the seconds by what grows.

    Args:
        found: what `measurements` returned, read from JSON.
        names: those of the programs.
        peak: operations in a second of large products on all cores.
    """
    yield (
        "Whole processes of 10 epochs. One size grows; the others stay at 10 000 images, one setting, n_batch 100. The "
        "limit is the time of the products alone, at the rate of large ones on both cores."
    )
    yield ""
    yield "![Seconds over images, cells and n_batch](../figures/performance.png)"
    yield ""
    yield "Made with `make bench`."
    yield ""
    rows = [
        (f"{what} {_thousands(int(size))}", GROWTH[what][int(size)].operations / peak, seconds)
        for what, sizes in found["linear"].items()
        for size, seconds in sizes.items()
    ]
    yield from _table(rows, names)
    yield ""
    yield "The course's network on MNIST, 1000 steps of 16 images, with more and fewer filters in both convolutions:"
    yield ""
    yield from _table(
        [
            (f"filters {filters}", networks.operations(networks.GROWTH[int(filters)]) / peak, seconds)
            for filters, seconds in found["filters"].items()
        ],
        names,
    )
    yield ""
    yield (
        "On other processors: seconds of the workloads above with one core, and with the products that OpenBLAS has "
        "for older processors (`OPENBLAS_CORETYPE`). More than two cores were not there to measure. A linear model "
        "needs two: one for the products of training, one for evaluation. A network shares the parts of a batch among "
        "all cores; a batch of n images has n / 16 of them, and at least two."
    )
    yield ""
    yield f"| work | {' | '.join(_PROCESSORS)} |"
    yield f"| --- |{' ---: |' * len(_PROCESSORS)}"
    for work, seconds in found["processors"].items():
        yield f"| ({work}) | {' | '.join(f'{seconds[about]:.1f}' for about in _PROCESSORS)} |"


def _table(rows: Iterable[tuple[str, float, Mapping[str, float]]], names: Mapping[str, str]) -> Iterator[str]:
    """A table of sizes, their limits in seconds, and the seconds of each program."""
    rows = list(rows)
    programs = list(rows[0][2])
    yield f"| | {' | '.join(names[program] for program in programs)} | limit |"
    yield f"| --- |{' ---: |' * (len(programs) + 1)}"
    for size, limit, seconds in rows:
        yield f"| {size} | {' | '.join(f'{seconds[program]:.2f} s' for program in programs)} | {limit:.2f} s |"


def _thousands(size: int) -> str:
    return f"{size:,}".replace(",", " ")


def figure(found: Mapping[str, Any], names: Mapping[str, str]) -> Figure:
    """Draw the seconds of linear models, by what grows, its size and the program."""
    drawn = Figure(figsize=(9, 3.3), layout="constrained")
    for axes, (what, sizes) in zip(drawn.subplots(1, len(found)), found.items(), strict=True):
        at = [int(size) for size in sizes]
        for program in next(iter(sizes.values())):
            seconds = [of_size[program] for of_size in sizes.values()]
            axes.plot(at, seconds, marker="o", color=COLOURS[program], label=names[program])
        axes.set(xlabel=what, ylim=(0, None))
        axes.margins(x=0.1)
        if what == "n_batch":
            axes.set_xscale("log")
        axes.set_xticks(at, [_thousands(size) for size in at])
        axes.minorticks_off()
        axes.spines[["top", "right"]].set_visible(False)
    drawn.axes[0].set_ylabel("seconds")
    drawn.legend(*drawn.axes[0].get_legend_handles_labels(), loc="outside upper center", ncols=3, frameon=False)
    return drawn
