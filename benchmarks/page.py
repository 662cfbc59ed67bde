"""docs/performance.md and its figure, from what was measured."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from matplotlib.figure import Figure

NAMES = {
    "ours": "cifar-linear",
    "ours, with figures": "cifar-linear, with all figures",
    "pytorch_tensors": "PyTorch, tensors in memory",
    "pytorch_dataloader": "PyTorch, DataLoader",
    "jax_jit": "JAX, jit",
    "jax_vmap": "JAX, vmap over the settings",
    "sklearn_sgd": "scikit-learn, SGDClassifier",
}
WORKS = {
    "a": "(a) One required setting: lambda 0.1, eta 0.001, 10 000 images, 40 epochs",
    "b": "(b) The four required settings",
    "c": "(c) Nine cells: lambda 0.1, 0.01, 0.001 by eta 0.001, 0.005, 0.01",
    "d": "(d) All data: 49 000 images, 40 epochs, half of the images flipped",
    "e": "(e) K logistic losses: what scikit-learn can do as well",
}
TARGETS: Mapping[str, Mapping[str, Mapping[str, float]]] = {
    "a": {
        "ours": {"pytorch_tensors": 0.45, "pytorch_dataloader": 0.45, "jax_jit": 0.35},
        "ours, with figures": {"pytorch_tensors": 0.9, "pytorch_dataloader": 0.9, "jax_jit": 0.8},
    },
    "b": {"ours": {"pytorch_tensors": 0.3, "pytorch_dataloader": 0.3, "jax_jit": 0.35, "jax_vmap": 0.5}},
    "c": {"ours": {"pytorch_tensors": 0.25, "jax_jit": 0.4, "jax_vmap": 0.7}},
    "d": {"ours": {"pytorch_tensors": 0.5, "pytorch_dataloader": 0.5, "jax_jit": 0.8}},
}
COLOURS = {"ours": "#0072B2", "pytorch_tensors": "#D55E00", "jax_vmap": "#009E73"}


def write(known: Mapping[str, Any], path: Path) -> None:
    """The page, and beside it the figure in ``figures/``."""
    text = path.with_suffix(".in.md").read_text() if path.with_suffix(".in.md").exists() else ""
    lines = [*_head(known["about"])]
    for work, title in WORKS.items():
        if work in known:
            lines += ["", f"## {title}", "", *_table(work, known[work])]
    if "growth" in known:
        _growth_figure(known["growth"]).savefig(path.parent / "figures" / "performance.png", dpi=160)
        lines += ["", "## How the cost grows", "", *_growth(known["growth"])]
    if "anatomy" in known:
        lines += ["", "## Where the time goes", "", *_anatomy(known["anatomy"])]
    path.write_text("\n".join([*lines, *([text] if text else [])]) + "\n")


def _head(about: Mapping[str, Any]) -> Iterator[str]:
    machine = about["machine"]
    yield "# How fast it is"
    yield ""
    yield "<!-- Written by `make bench`; change benchmarks/page.py instead. -->"
    yield ""
    yield (
        f"Measured on {about['date']}: {machine['system']}, {machine['cores']} cores of an {machine['processor']}; "
        + ", ".join(f"{name} {version}" for name, version in about["versions"].items())
        + "."
    )
    yield ""
    yield (
        "Every program is a whole process from its start to its end, in float32, on the CPU, with two threads. All read "
        "the same files, and give loss, cost and accuracy on training and validation images after each epoch, the test "
        "accuracy, and the weights; ours writes its run folders besides. They run in turns, so that a slow moment of the "
        "machine meets all of them. A row counts only if all accuracies agree with ours to within a point. "
        "`benchmarks/peers/` has the programs: each as a good user of its library would write it, the DataLoader one as "
        "the tutorials do. A ratio is our median time divided by theirs; beside it stands what we wanted to reach."
    )


def _table(work: str, rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    wall = {row["program"]: median(cost["wall"] for cost in row["costs"]) for row in rows}
    ours = [name for name in ("ours", "ours, with figures") if name in wall]
    titles = {"ours": "ratio", "ours, with figures": "ratio with figures"}
    yield (
        f"| program | seconds (least to most of {len(rows[0]['costs'])}) | CPU seconds | peak memory | "
        + " | ".join(titles[name] for name in ours)
        + " |"
    )
    yield "| --- | ---: | ---: | ---: |" + " ---: |" * len(ours)
    for row in rows:
        program, times = row["program"], [cost["wall"] for cost in row["costs"]]
        work_seconds = median(cost["work"] for cost in row["costs"])
        memory = median(cost["memory"] for cost in row["costs"]) / 1e6
        cells = [
            NAMES[program],
            f"{wall[program]:.2f} ({min(times):.2f} to {max(times):.2f})",
            f"{work_seconds:.1f}",
            f"{memory:.0f} MB",
        ]
        for name in ours:
            cells.append(_ratio(work, name, program, wall, row["disagreements"]))
        yield f"| {' | '.join(cells)} |"


def _ratio(work: str, ours: str, theirs: str, wall: Mapping[str, float], disagreements: Sequence[str]) -> str:
    if theirs in ("ours", "ours, with figures"):
        return ""
    if disagreements:
        return f"void: {'; '.join(disagreements)}"
    ratio, target = wall[ours] / wall[theirs], TARGETS.get(work, {}).get(ours, {}).get(theirs)
    if target is None:
        return f"{ratio:.2f}"
    return f"**{ratio:.2f}** (wanted {target:g})" if ratio <= target else f"{ratio:.2f} (missed {target:g})"


def _growth(growth: Mapping[str, Any]) -> Iterator[str]:
    yield "Whole processes, 10 epochs; one thing grows, the others stay at 10 000 images, one setting, n_batch 100."
    yield ""
    yield "![Seconds over images, cells and n_batch](figures/performance.png)"
    yield ""
    programs = list(next(iter(next(iter(growth.values())).values())))
    yield f"| | {' | '.join(NAMES[program] for program in programs)} |"
    yield f"| --- |{' ---: |' * len(programs)}"
    for what, sizes in growth.items():
        for size, seconds in sizes.items():
            yield f"| {what} {int(size):,} | {' | '.join(f'{seconds[program]:.2f} s' for program in programs)} |".replace(
                ",", " "
            )


def _growth_figure(growth: Mapping[str, Any]) -> Figure:
    figure = Figure(figsize=(9, 3), layout="constrained")
    for axes, (what, sizes) in zip(figure.subplots(1, len(growth)), growth.items(), strict=True):
        at = [int(size) for size in sizes]
        for program in next(iter(sizes.values())):
            seconds = [of_size[program] for of_size in sizes.values()]
            axes.plot(at, seconds, marker="o", color=COLOURS[program], label=NAMES[program])
        axes.set(xlabel=what, ylim=(0, None))
        if what == "n_batch":
            axes.set_xscale("log")
        axes.set_xticks(at, [f"{size:,}".replace(",", " ") for size in at])
        axes.minorticks_off()
        axes.spines[["top", "right"]].set_visible(False)
    figure.axes[0].set_ylabel("seconds")
    figure.axes[0].legend(frameon=False, fontsize=8)
    return figure


def _anatomy(found: Mapping[str, Any]) -> Iterator[str]:
    parts = dict(found["parts"])
    whole, evaluation = parts.pop("whole step"), parts.pop("evaluation")
    flops = 2 * 2 * 100 * 3072 * 10
    yield "A training step of workload (a), 100 images, one setting, one thread (medians):"
    yield ""
    yield "| part | microseconds | share |"
    yield "| --- | ---: | ---: |"
    for name, seconds in parts.items():
        yield f"| {name} | {1e6 * seconds:.0f} | {100 * seconds / whole:.0f} % |"
    yield f"| the whole step | {1e6 * whole:.0f} | 100 % |"
    yield ""
    products = found["products"]
    yield "The two matrix products alone, on the same shapes:"
    yield ""
    yield "| products | microseconds | step / products |"
    yield "| --- | ---: | ---: |"
    for name, seconds in products.items():
        yield f"| {name} | {1e6 * seconds:.0f} | {whole / seconds:.2f} |"
    yield ""
    peak, blocks = found["gemm"]["1"] if "1" in found["gemm"] else found["gemm"][1], products["in blocks, 1 thread"]
    both = found["gemm"]["2"] if "2" in found["gemm"] else found["gemm"][2]
    bytes_moved = 100 * 3072 * (1 + 1 + 1 + 4)
    yield (
        f"The processor multiplies large float32 matrices at {peak / 1e9:.0f} GFLOP/s with one thread and "
        f"{both / 1e9:.0f} with two; the products in blocks reach {flops / blocks / 1e9:.0f} with one. It copies "
        f"{found['bandwidth'] / 1e9:.1f} GB/s (read and written) where no cache helps; gathering and casting a batch moves "
        f"{bytes_moved / 1e6:.2f} MB at {bytes_moved / parts['gather and cast'] / 1e9:.1f} GB/s."
    )
    yield ""
    yield (
        f"An epoch's 100 steps take {1e5 * whole:.0f} ms, its evaluation on 20 000 images {1e3 * evaluation:.0f} ms, in a "
        "thread of its own meanwhile."
    )
    around = found["around"]
    yield ""
    yield "| around the loop | seconds |"
    yield "| --- | ---: |"
    labels = {
        "Python itself": "starting Python",
        "import": "importing ours, NumPy and pydantic",
        "load": "reading three batches, checked",
        "--help": "all of `cifar-linear --help` (wanted: under 0.2)",
        "first step": "from calling `train` to its first step (wanted: under 1)",
    }
    for name, label in labels.items():
        yield f"| {label} | {around[name]:.2f} |"
