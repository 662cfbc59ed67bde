"""Writes docs/explanation/performance.md and its figure from the measurements."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import estimators
import growth
from work import CLASSES, EVERYTHING, FOUR, NINE, ONE, PIXELS

NAMES = {
    "ours": "cifar-linear",
    "ours, with figures": "cifar-linear, with all figures",
    "pytorch_tensors": "PyTorch, tensors in memory",
    "pytorch_dataloader": "PyTorch, DataLoader",
    "jax_jit": "JAX, jit",
    "jax_vmap": "JAX, vmap over the settings",
    "sklearn_sgd": "scikit-learn, SGDClassifier",
    "pytorch_network": "PyTorch, eager",
    "pytorch_channels_last": "PyTorch, eager, channels last",
    "jax_network": "JAX, jit",
}
WORKS = {
    "a": "(a) One required setting: lambda 0.1, eta 0.001, 10 000 images, 40 epochs",
    "b": "(b) The four required settings",
    "c": "(c) Nine cells: lambda 0.1, 0.01, 0.001 by eta 0.001, 0.005, 0.01",
    "d": "(d) All data: 49 000 images, 40 epochs, half of the images flipped",
    "e": "(e) K logistic losses, which scikit-learn supports too",
    "f": "(f) The course's network on MNIST: 3000 steps of 16 images",
    "g": "(g) The course's network on CIFAR-10: 5000 steps of 16 images",
    "h": "(h) Three convolutions on CIFAR-10: an epoch of 48 000 images in batches of 64",
}
TARGETS: Mapping[str, Mapping[str, Mapping[str, float]]] = {
    "a": {
        "ours": {"pytorch_tensors": 0.25, "pytorch_dataloader": 0.25, "jax_jit": 0.42},
        "ours, with figures": {"pytorch_tensors": 0.9, "pytorch_dataloader": 0.9, "jax_jit": 0.8},
    },
    "b": {"ours": {"pytorch_tensors": 0.18, "pytorch_dataloader": 0.18, "jax_jit": 0.38, "jax_vmap": 0.55}},
    "c": {"ours": {"pytorch_tensors": 0.17, "jax_jit": 0.45, "jax_vmap": 0.8}},
    "d": {"ours": {"pytorch_tensors": 0.3, "pytorch_dataloader": 0.3, "jax_jit": 0.55}},
    "f": {"ours": {"pytorch_network": 0.7, "pytorch_channels_last": 0.7, "jax_network": 0.65}},
    "g": {"ours": {"pytorch_network": 0.95, "pytorch_channels_last": 0.95, "jax_network": 0.75}},
    "h": {"ours": {"pytorch_network": 1.5, "pytorch_channels_last": 1.5}},
}


def write(known: Mapping[str, Any], path: Path) -> str:
    """Write the page, and its figure in ``../figures/``; return the text of the page."""
    lines = [*_head(known["about"])]
    for work, title in WORKS.items():
        if work in known:
            lines += ["", f"## {title}", "", *_table(work, known[work])]
    if "anatomy" in known:
        lines += ["", "## Where the time goes", "", *_anatomy(known["anatomy"])]
        lines += ["", "## Missed targets, and why", "", *_missed(known)]
    if "network step" in known:
        lines += [
            "",
            "## Where the time of a network goes",
            "",
            *_network_step(known["network step"], known["anatomy"]["gemm"]),
        ]
    if "estimators" in known:
        lines += ["", "## With scikit-learn's interface", "", *_estimators(known["estimators"])]
    if "growth" in known:
        growth.figure(known["growth"]["linear"], NAMES).savefig(
            path.parent.parent / "figures" / "performance.png", dpi=160
        )
        peak = list(known["anatomy"]["gemm"].values())[-1]
        lines += ["", "## How the cost grows", "", *growth.tables(known["growth"], NAMES, peak)]
    text = "\n".join(lines) + "\n"
    path.write_text(text)
    return text


def _head(about: Mapping[str, Any]) -> Iterator[str]:
    machine = about["machine"]
    yield "# How fast it is"
    yield ""
    yield "<!-- Written by `make bench`; change benchmarks/page.py instead. -->"
    yield ""
    versions = ", ".join(f"{name} {version}" for name, version in about["versions"].items())
    computer = f"{machine['system']}, {machine['cores']} cores, {machine['processor']}"
    yield f"Measured on {about['date']}: {computer}; {versions}."
    yield ""
    yield (
        "Each program is timed as a whole process, from start to exit, in float32 on the CPU with two threads. All "
        "read the same files and report loss, cost and accuracy on training and validation images after each epoch, "
        "the test accuracy, and the weights; cifar-linear writes its run folders as well. The programs take turns, so "
        "that a slow moment of the machine affects all of them. A row counts only if its accuracies agree with those "
        "of cifar-linear to within one point; training and validation accuracies are means over the last ten epochs. "
        "The programs are in `benchmarks/peers/`, each written as an experienced user of its library would write it, "
        "except that the one with a DataLoader follows the tutorials. A ratio is the median time of cifar-linear "
        "divided by that of the other program, followed by the target. Networks are evaluated on 2000 training images "
        "and 2000 validation images; their test accuracies, of one seed, must agree to within five points. JAX is "
        "left out of (h), which it had not finished after six minutes."
    )
    yield ""
    yield (
        "`make bench` installs the other libraries and repeats the measurements. On Linux, "
        "`PIP_EXTRA_INDEX_URL=https://download.pytorch.org/whl/cpu` in front of it avoids downloading the gigabytes "
        "that PyTorch needs for GPUs."
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
        ratios = [_ratio(work, name, program, wall, row["disagreements"]) for name in ours]
        cells = [
            NAMES[program],
            f"{wall[program]:.2f} ({min(times):.2f} to {max(times):.2f})",
            f"{work_seconds:.1f}",
            f"{memory:.0f} MB",
            *ratios,
        ]
        yield f"| {' | '.join(cells)} |"


def _ratio(work: str, ours: str, theirs: str, wall: Mapping[str, float], disagreements: Sequence[str]) -> str:
    if theirs in ("ours", "ours, with figures"):
        return ""
    if disagreements:
        return f"void: {'; '.join(disagreements)}"
    ratio, target = wall[ours] / wall[theirs], TARGETS.get(work, {}).get(ours, {}).get(theirs)
    if target is None:
        return f"{ratio:.2f}"
    return f"**{ratio:.2f}** (target {target:g})" if ratio <= target else f"{ratio:.2f} (missed target {target:g})"


def _network_step(found: Mapping[str, Mapping[str, float]], gemm: Mapping[str, float]) -> Iterator[str]:
    """List how much of a step are products, and how fast these are, also against large matrices."""
    yield "Median times of a training step of a network with one thread, and with the threads of a training:"
    yield ""
    yield "| work | milliseconds, one thread | of these, products | their GFLOP/s | milliseconds, all threads |"
    yield "| --- | ---: | ---: | ---: | ---: |"
    for work, parts in found.items():
        yield (
            f"| ({work}) | {1e3 * parts['step']:.2f} | {100 * parts['share of products']:.0f} % | "
            f"{parts['rate'] / 1e9:.0f} | {1e3 * parts['threads']:.2f} |"
        )
    yield ""
    shares = [100 * parts["rate"] / next(iter(gemm.values())) for parts in found.values()]
    yield (
        f"The products have few rows, one for each filter: they reach {min(shares):.0f} to {max(shares):.0f} % of the "
        "rate at which one core multiplies large matrices. PyTorch calls a convolution written for the processor, "
        "which keeps both cores busy within each product. Here each thread has a share of the images, and each "
        "operation on arrays gives up Python's lock and takes it again: with few images in a batch, that costs much "
        "of what the second thread gains."
    )


def _estimators(found: Mapping[str, Any]) -> Iterator[str]:
    yield (
        f"Seconds of `fit` until the cost is at most {100 * estimators.GAP:g} % above its minimum, with lambda "
        f"{estimators.LAM:g} on all of MNIST and on 10 000 images of CIFAR-10, standardised with one number for all "
        "pixels: `LinearSGDClassifier` as it is by default, against `LogisticRegression` (lbfgs) for softmax and "
        "`SGDClassifier` (averaged) for K logistic losses. Each program has the fewest epochs or iterations that reach "
        "it; the minimum is that of a long run of lbfgs. Each fit is a process of its own. A ratio is the median time "
        "of cifar-linear divided by that of the other program."
    )
    yield ""
    yield from estimators.table(found)


def _anatomy(found: Mapping[str, Any]) -> Iterator[str]:
    parts = dict(found["parts"])
    whole = parts.pop("whole step")
    yield "Median times of a training step of workload (a), with 100 images, one setting and one thread:"
    yield ""
    yield "| part | microseconds | share |"
    yield "| --- | ---: | ---: |"
    for name, seconds in parts.items():
        yield f"| {name} | {1e6 * seconds:.0f} | {100 * seconds / whole:.0f} % |"
    yield f"| the whole step | {1e6 * whole:.0f} | 100 % |"
    yield ""
    products = found["products"]
    yield "The two matrix products alone, with the same shapes (target: a step takes at most 1.6 times as long):"
    yield ""
    yield "| products | microseconds | step / products |"
    yield "| --- | ---: | ---: |"
    for name, seconds in products.items():
        yield f"| {name} | {1e6 * seconds:.0f} | {whole / seconds:.2f} |"
    yield ""
    blocks, bytes_moved = products["in blocks, 1 thread"], 100 * PIXELS * (1 + 1 + 1 + 4)
    moving = parts["gather"] + parts["cast to floats"]
    one, two = found["gemm"].values()
    yield (
        f"The processor multiplies large float32 matrices at {one / 1e9:.0f} GFLOP/s with one thread and "
        f"{two / 1e9:.0f} with two; the products in blocks reach {400 * PIXELS * CLASSES / blocks / 1e9:.0f} with one. "
        f"It copies {found['bandwidth'] / 1e9:.1f} GB/s (read and written) outside its caches; gathering and casting "
        f"a batch moves {bytes_moved / 1e6:.2f} MB at {bytes_moved / moving / 1e9:.1f} GB/s."
    )
    yield ""
    yield "Milliseconds for an epoch of 100 steps, its evaluation on 20 000 images, and both at once in two threads:"
    yield ""
    yield "| work | training alone | evaluation alone | both at once |"
    yield "| --- | ---: | ---: | ---: |"
    for work, seconds in found["side by side"].items():
        yield f"| ({work}) | {' | '.join(f'{1e3 * value:.0f}' for value in seconds.values())} |"
    around = found["around"]
    yield ""
    yield "| around the loop | seconds |"
    yield "| --- | ---: |"
    labels = {
        "Python itself": "starting Python",
        "import": "importing cifar-linear, NumPy and pydantic",
        "load": "reading and checking three batches",
        "--help": "all of `cifar-linear --help` (target: under 0.2)",
        "first step": "from calling `train` to its first step (target: under 1)",
    }
    for name, label in labels.items():
        yield f"| {label} | {around[name]:.2f} |"


def _missed(known: Mapping[str, Any]) -> Iterator[str]:
    """List every target that was missed, and the share of the time that the multiplications need."""
    missed = []
    for work, targets in TARGETS.items():
        wall = {row["program"]: median(cost["wall"] for cost in row["costs"]) for row in known.get(work, ())}
        for ours, theirs in targets.items():
            for program, target in theirs.items():
                if program in wall and wall[ours] / wall[program] > target:
                    what = "with all figures, " if ours != "ours" else ""
                    ratio = wall[ours] / wall[program]
                    missed.append(f"- ({work}) {what}against {NAMES[program]}: {ratio:.2f} instead of {target:g}.")
    if not missed:
        yield "No target was missed."
        return
    yield from missed
    anatomy = known["anatomy"]
    one, peak = anatomy["gemm"].values()
    yield ""
    yield "| work | seconds of cifar-linear | multiplications alone, at the peak rate of two threads |"
    yield "| --- | ---: | ---: |"
    for work in (ONE, FOUR, NINE, EVERYTHING):
        if work.name in known:
            seconds = median(cost["wall"] for cost in known[work.name][0]["costs"])
            yield f"| ({work.name}) | {seconds:.2f} | {work.operations / peak:.2f} |"
    yield ""
    parts, around = anatomy["parts"], anatomy["around"]
    products = parts["forward product"] + parts["backward product"]
    yield (
        f"The two products take {100 * products / parts['whole step']:.0f} % of a step, and converting the images from "
        f"bytes to floats {100 * parts['cast to floats'] / parts['whole step']:.0f} %; JAX and PyTorch keep them as "
        "floats, which takes four times the memory. Folding the standardisation into the weights takes "
        f"{100 * parts['standardisation into the weights'] / parts['whole step']:.0f} %. Training weights for raw "
        "pixels would avoid it, but then the state would not hold the weights of the model. The first step begins "
        f"after {around['first step']:.2f} s, of which imports take {around['import']:.2f} s. With several settings, "
        "the weights, their gradients and the folded weights of all of them no longer fit in a core's own cache, and "
        "the two threads, training and evaluation, share the next level. Both at once therefore take longer than the "
        "longer of them alone; with two threads that only multiply, this machine does "
        f"{peak / one:.1f} times the work of one. "
        "NumPy makes one pass over the weights for each operation, while a compiler such as JAX's fuses them."
    )
