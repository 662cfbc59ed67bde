import re
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from cifar_linear.config.models import Config
from cifar_linear.experiments.assembly import load_dataset
from cifar_linear.experiments.run import run_group
from cifar_linear.report.collecting import collect, labelled
from cifar_linear.report.comparing import changes, losses_compared, paired, repeated
from cifar_linear.report.effects import effects
from cifar_linear.report.statistics import Interval, mcnemar
from cifar_linear.report.writing import write_report
from cifar_linear.runs.folder import RunFolder


def stub(lam, eta, test, gap, norm, **more):
    """A run of which only the figures that effects look at exist."""
    status = "diverged" if test is None else "finished"
    record = SimpleNamespace(config=SimpleNamespace(lam=lam, eta=eta), status=status)
    settings = {"lambda": f"{lam:g}", "eta": f"{eta:g}", **more}
    return SimpleNamespace(record=record, settings=settings, outcome=lambda _: test, gap=gap, weight_norm=norm)


def test_effects_are_computed_from_the_runs():
    """Which way and by how much, at the same other settings, with a detour named."""
    runs = [stub(0, 0.1, 0.39, 0.07, 2), stub(0.1, 0.1, 0.40, 0.06, 1), stub(1, 0.1, 0.37, 0.04, 0.5)]
    assert effects(runs) == [
        "lambda from 0 to 1, 3 runs: "
        "test accuracy fell by 2.00 points, from 39.00 % to 37.00 %, highest 40.00 % at 0.1; "
        "the gap between training and validation accuracy narrowed by 3.00 points, from 7.00 to 4.00; "
        "|W| shrank from 2.00 to 0.50."
    ]


def test_effects_keep_apart_what_else_differs_and_average_what_does_not():
    runs = [
        stub(0, 0.1, 0.30, 0, 1, loss="softmax"), stub(0, 0.1, 0.32, 0, 1, loss="softmax"),
        stub(1, 0.1, 0.35, 0, 1, loss="softmax"), stub(1, 0.1, 0.99, 0, 1, loss="sigmoid_bce"),
    ]  # fmt: skip
    (paragraph,) = effects(runs)
    assert paragraph.startswith("lambda from 0 to 1 (at loss softmax), 3 runs: test accuracy rose by 4.00 points")


@pytest.mark.parametrize(
    "runs",
    [
        [stub(0, 0.1, 0.3, 0, 1)],
        [stub(0, 0.1, 0.3, 0, 1), stub(0, 0.1, 0.4, 0, 1)],
        [stub(0, 0.1, 0.3, 0, 1), stub(1, 0.2, 0.4, 0, 1)],
        [stub(0, 0.1, 0.3, 0, 1), stub(1, 0.1, None, 0, 1)],
    ],
    ids=["one run", "one setting", "two things differ", "one diverged"],
)
def test_effects_are_silent_where_the_runs_cannot_show_them(runs):
    assert effects(runs) == []


@pytest.fixture(scope="module")
def grid(tmp_path_factory):
    """Finished runs of a grid of lambda and loss with three seeds each; all of them have met the test images."""
    root = tmp_path_factory.mktemp("grid")
    data = {"dataset": "synthetic", "images_per_batch": 100}
    configs = [
        Config.model_validate(
            {"data": data, "lambda": lam, "eta": 0.01, "n_batch": 20, "epochs": 3, "loss": loss, "seed": seed}
        )
        for lam in (0, 0.3)
        for loss in ("softmax", "sigmoid_bce")
        for seed in (1, 2, 3)
    ]
    for config in configs:
        run_group([config], [RunFolder.create(root, "cell")], load_dataset(config), lambda _: None)
    return collect([root])


def test_changes_are_means_over_pairs_that_differ_in_one_setting(grid):
    """Six pairs for each of the two settings, the same seed on both sides."""
    found = {change.key: change for change in changes(grid.runs)}
    assert {(change.key, change.before, change.after, change.pairs) for change in found.values()} == {
        ("lambda", "0", "0.3", 6),
        ("loss", "softmax", "sigmoid_bce", 6),
    }
    accuracy = {
        (run.record.config.lam, run.record.config.loss, run.record.config.seed): run.test_accuracy for run in grid.runs
    }
    gains = [
        100 * (accuracy[0.3, loss, seed] - accuracy[0, loss, seed]) for loss, seed in {key[1:] for key in accuracy}
    ]
    assert found["lambda"].test == pytest.approx((np.mean(gains), min(gains), max(gains)))
    assert changes(grid.runs)[0].validation[0] >= changes(grid.runs)[1].validation[0]


def test_seeds_of_a_setting_are_put_together(grid):
    rows = repeated(grid.runs)
    assert [row.seeds for row in rows] == [3, 3, 3, 3]
    row = next(row for row in rows if row.setting == "loss softmax, lambda 0")
    tests = [
        run.test_accuracy for run in grid.runs if (run.record.config.loss, run.record.config.lam) == ("softmax", 0)
    ]
    assert row.test == Interval.of(tests)
    assert rows == sorted(rows, key=lambda row: -row.validation.mean)


def test_paired_counts_add_up_to_the_difference(grid):
    """What only one of two runs has right, counted image by image, makes the difference of their accuracies."""
    runs = labelled(grid.runs)
    found = paired(runs)
    best = runs[found.reference]
    assert best.last["validation_accuracy"] == max(run.last["validation_accuracy"] for run in grid.runs)
    assert len(found.pairs) == 11
    for pair in found.pairs:
        assert pair.points == pytest.approx(100 * (runs[pair.label].test_accuracy - best.test_accuracy))
        assert pair.p >= mcnemar(pair.only_here, pair.only_reference)
        if pair.only_here == pair.only_reference:
            assert pair.verdict == "these test images cannot tell them apart"


def test_runs_on_other_test_images_are_not_compared(own_runs):
    """McNemar's test needs the same images in the same order."""
    runs = collect([own_runs]).runs[:2]
    other = runs[1].record.data.model_copy(update={"sha256": {**runs[1].record.data.sha256, "test": "0" * 64}})
    changed = replace(runs[1], record=runs[1].record.model_copy(update={"data": other}))
    assert paired(labelled(runs)) is not None
    assert paired(labelled([runs[0], changed])) is None


def test_softmax_and_sigmoid_are_compared_where_all_but_rate_and_penalty_is_equal(grid):
    (sentence,) = losses_compared(labelled(grid.runs))
    by_accuracy = sorted(grid.runs, key=lambda run: -run.last["validation_accuracy"])
    best = {
        loss: next(run for run in by_accuracy if run.record.config.loss == loss) for loss in ("softmax", "sigmoid_bce")
    }
    for loss, run in best.items():
        ratio = run.last["validation_loss"] / run.last["train_loss"]
        assert f"{loss} (" in sentence
        assert f"test accuracy {100 * run.test_accuracy:.2f} %, accuracy gap {100 * run.gap:.2f} points" in sentence
        assert f"validation loss {ratio:.3f} times the training loss" in sentence


def test_a_large_collection_is_ranked_and_its_best_are_drawn(grid, tmp_path):
    text = write_report(grid, tmp_path).with_suffix(".md").read_text()
    shown = [float(row) for row in re.findall(r"\| [\d.]+ % \| ([\d.]+) % \| [\d.]+ % \|", text)]
    assert len(shown) == 12
    assert shown == sorted(shown, reverse=True)
    assert "the 8 runs with the highest validation accuracy" in text
    for section in (
        "Over seeds",
        "What each change brought",
        "Can the test images tell them apart?",
        "What the settings did",
    ):
        assert f"\n## {section}\n" in text
    assert "](figures/grid.png)" in text
    assert "all runs" in text
