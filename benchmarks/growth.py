"""How the cost grows with images, cells and batches: a table and a figure of the measurements."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from matplotlib.figure import Figure

COLOURS = {"ours": "#0072B2", "pytorch_tensors": "#D55E00", "jax_vmap": "#009E73"}


def table(found: Mapping[str, Any], names: Mapping[str, str]) -> Iterator[str]:
    """List the seconds by what grows; ``names`` are those of the programs."""
    yield "Whole processes of 10 epochs. One size grows; the others stay at 10 000 images, one setting, n_batch 100."
    yield ""
    yield "![Seconds over images, cells and n_batch](../figures/performance.png)"
    yield ""
    yield "Made with `make bench`."
    yield ""
    programs = list(next(iter(next(iter(found.values())).values())))
    yield f"| | {' | '.join(names[program] for program in programs)} |"
    yield f"| --- |{' ---: |' * len(programs)}"
    for what, sizes in found.items():
        for size, seconds in sizes.items():
            cells = [f"{what} {_thousands(int(size))}", *(f"{seconds[program]:.2f} s" for program in programs)]
            yield f"| {' | '.join(cells)} |"


def _thousands(size: int) -> str:
    return f"{size:,}".replace(",", " ")


def figure(found: Mapping[str, Any], names: Mapping[str, str]) -> Figure:
    """Draw the same."""
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
