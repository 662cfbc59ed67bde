import re
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from folders import finished_run

from cifar_linear.config.models import AugmentationConfig, Config
from cifar_linear.report.collecting import collect
from cifar_linear.report.comparing import changes, paired, repeated
from cifar_linear.report.drawing import draw_several
from cifar_linear.report.effects import effects
from cifar_linear.report.notes import notes
from cifar_linear.report.settings import by_setting, drawn, labelled
from cifar_linear.report.statistics import Interval, mcnemar
from cifar_linear.report.writing import write_report


def stub(lam, accuracy, seed=1, gap=0.0, norm=1.0, right=None, **more):
    """A run of which only what effects look at exists; ``right`` are the test images that it classifies correctly."""
    predictions = None
    if right is not None:
        correct = np.isin(np.arange(200), list(right))
        predictions = SimpleNamespace(correct=correct, labels=np.zeros(200, int))
    return SimpleNamespace(
        record=SimpleNamespace(data=SimpleNamespace(sha256={"test": "same"})),
        finished=accuracy is not None,
        given_name=f"run {lam:g}",
        settings={"lambda": f"{lam:g}", "eta": "0.1", "seed": str(seed), **more},
        outcome=lambda _: accuracy,
        gap=gap,
        weight_norm=norm,
        predictions=predictions,
    )


def test_a_change_that_test_images_support_is_claimed_with_its_p_value():
    """Between the smallest and the largest value; gap and |W| are facts of these runs."""
    runs = [
        stub(0, 0.40, gap=0.07, norm=2, right=range(80)),
        stub(0.1, 0.45, gap=0.06, norm=1, right=range(90)),
        stub(1, 0.35, gap=0.04, norm=0.5, right=range(70)),
    ]
    assert effects(runs) == [
        "lambda from 0 to 1: test accuracy fell by 5.00 points (40.00 % and 35.00 %), more than chance by McNemar's "
        "test; in between 45.00 % at 0.1; the accuracy gap falls from 7.00 to 4.00 points, |W| falls from 2.00 to 0.50."
    ]


def test_a_change_within_the_chance_of_the_test_images_is_not_claimed():
    """Twenty images more and nineteen fewer are no difference."""
    (sentence,) = effects([stub(0, 0.4, right=range(80)), stub(1, 0.405, right=[*range(61), *range(80, 100)])])
    assert "test accuracy 40.00 % and 40.50 %, a difference that may be chance on these test images;" in sentence
    assert "rose" not in sentence


def test_p_values_are_corrected_for_the_number_of_sentences():
    """One pair alone: 6 images against none, p = 0.03; two such pairs: 0.06, which is not enough."""
    pair = [stub(0, 0.40, right=range(80), loss="softmax"), stub(1, 0.43, right=range(86), loss="softmax")]
    other = [stub(0, 0.40, right=range(80), loss="logistic"), stub(1, 0.43, right=range(86), loss="logistic")]
    assert "more than chance by McNemar's test" in effects(pair)[0]
    assert all("may be chance on these test images" in sentence for sentence in effects(pair + other))


def test_seeds_that_both_values_have_decide_whether_a_change_is_claimed():
    """A seed that only one of them has counts on neither side."""
    before = [stub(0, accuracy, seed) for seed, accuracy in enumerate((0.300, 0.310, 0.320))]
    after = [stub(1, accuracy, seed) for seed, accuracy in enumerate((0.350, 0.361, 0.369))]
    (sentence,) = effects([*before, *after, stub(1, 0.99, 7)])
    assert sentence.startswith(
        "lambda from 0 to 1, means of 3 seeds: test accuracy rose by 5.00 ± 0.25 points (31.00 % and 36.00 %);"
    )
    noisy = [stub(1, accuracy, seed) for seed, accuracy in enumerate((0.30, 0.36, 0.30))]
    (sentence,) = effects([*before, *noisy])
    assert "test accuracy 31.00 % and 32.00 %, a difference that may be chance with 3 seeds;" in sentence


def test_effects_keep_apart_what_else_differs():
    runs = [
        stub(0, 0.3, right=range(60), loss="softmax"),
        stub(1, 0.4, right=range(80), loss="softmax"),
        stub(1, 0.9, right=range(180), loss="sigmoid_bce"),
    ]
    (sentence,) = effects(runs)
    assert sentence.startswith("lambda from 0 to 1 (loss softmax): test accuracy rose by 10.00 points")


def test_among_runs_that_differ_in_many_settings_a_sentence_names_two_runs():
    many = {f"setting{i}": "value" for i in range(9)}
    runs = [stub(0, 0.3, right=range(60)), stub(1, 0.4, right=range(80)), stub(1, 0.5, right=range(100), **many)]
    (sentence,) = effects(runs)
    assert sentence.startswith("lambda from 0 to 1 (run 0 and run 1): test accuracy rose by 10.00 points")


def test_without_shared_test_images_nothing_is_claimed():
    (sentence,) = effects([stub(0, 0.3), stub(1, 0.4)])
    assert "30.00 % and 40.00 %, untested: that takes shared test images or several seeds" in sentence


@pytest.mark.parametrize(
    "runs",
    [
        [stub(0, 0.3)],
        [stub(0, 0.3), stub(0, 0.4)],
        [stub(0, 0.3, loss="softmax"), stub(1, 0.4, loss="logistic")],
        [stub(0, 0.3), stub(1, None)],
        [stub(0, 0.3, 1), stub(1, 0.4, 2)],
    ],
    ids=["one run", "one setting", "two things differ", "one diverged", "no common seed"],
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
        finished_run(config, root, "cell")
    return collect([root])


def test_changes_are_means_over_pairs_that_differ_in_one_setting(grid):
    """Six pairs for each of the two settings, the same seed on both sides."""
    found = {change.key: change for change in changes(grid.runs)}
    assert {(change.key, change.before, change.after, change.pairs) for change in found.values()} == {
        ("lambda", "0", "0.3", 6),
        ("loss", "softmax", "sigmoid_bce", 6),
    }
    accuracy = {
        (run.record.config.lam, run.record.config.loss, run.record.config.seed): run.outcome("test")
        for run in grid.runs
    }
    gains = [
        100 * (accuracy[0.3, loss, seed] - accuracy[0, loss, seed]) for loss, seed in {key[1:] for key in accuracy}
    ]
    assert found["lambda"].test == pytest.approx((np.mean(gains), min(gains), max(gains)))
    assert changes(grid.runs)[0].validation[0] >= changes(grid.runs)[1].validation[0]


def test_seeds_of_a_setting_are_put_together(grid):
    rows = repeated(labelled(grid.runs))
    assert [row.seeds for row in rows] == [3, 3, 3, 3]
    row = next(row for row in rows if row.setting == "loss softmax, lambda 0")
    tests = [
        run.outcome("test") for run in grid.runs if (run.record.config.loss, run.record.config.lam) == ("softmax", 0)
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
        assert pair.points == pytest.approx(100 * (runs[pair.label].outcome("test") - best.outcome("test")))
        assert pair.p >= mcnemar(pair.only_here, pair.only_reference)
        if pair.only_here == pair.only_reference:
            assert pair.verdict == "may be chance"


def test_runs_on_other_test_images_are_not_compared(own_runs):
    """McNemar's test needs the same images in the same order."""
    runs = collect([own_runs]).runs[:2]
    other = runs[1].record.data.model_copy(update={"sha256": {**runs[1].record.data.sha256, "test": "0" * 64}})
    changed = replace(runs[1], record=runs[1].record.model_copy(update={"data": other}))
    assert paired(labelled(runs)) is not None
    assert paired(labelled([runs[0], changed])) is None


def test_a_large_collection_is_ranked_and_its_best_are_drawn(grid, tmp_path):
    text = write_report(grid, tmp_path).with_suffix(".md").read_text()
    shown = [float(row) for row in re.findall(r"\| [\d.]+ % \| ([\d.]+) % \| [\d.]+ % \|", text)]
    assert len(shown) == 12
    assert shown == sorted(shown, reverse=True)
    assert "with the highest validation accuracy and the" not in text  # four settings are all drawn
    for section in (
        "Over seeds",
        "One setting changed",
        "What the settings did",
    ):
        assert f"\n### {section}\n" in text
    assert "](figures/grid.png)" in text
    assert not re.search(r"\bratios?\b", text)


def numbers_of(drawings, name):
    """The lines of the figure with this name."""
    return next(drawing for drawing in drawings if drawing.name == name).chart.series


def test_settings_are_drawn_and_not_their_best_seeds(grid):
    """Of twelve runs every setting has one line, the mean of its seeds, between the lowest and the highest of them."""
    runs = labelled(grid.runs)
    drawings = list(draw_several(runs))
    names = {
        "loss softmax, lambda 0",
        "loss softmax, lambda 0.3",
        "loss sigmoid_bce, lambda 0",
        "loss sigmoid_bce, lambda 0.3",
    }
    (line,) = (
        series
        for series in numbers_of(drawings, "accuracy")
        if (series.panel, series.name) == ("validation", "loss softmax, lambda 0")
    )
    seeds = [run for label, run in runs.items() if label.startswith("loss softmax, lambda 0, ")]
    ends = [100 * run.last["validation_accuracy"] for run in seeds]
    assert len(ends) == 3
    assert line.points[-1] == pytest.approx((3, np.mean(ends), min(ends), max(ends)))
    for name in ("cost", "accuracy", "probabilities", "reliability"):
        found = {part.name if name in ("cost", "accuracy") else part.panel for part in numbers_of(drawings, name)}
        assert found == names
    captions = {drawing.name: drawing.caption for drawing in drawings}
    assert "Means over seeds; bands reach from the lowest seed to the highest." in captions["cost"]
    for name in ("templates", "probabilities", "reliability"):
        assert captions[name].endswith("Of each setting one run is shown, with seed 1.")


def test_of_many_settings_those_with_the_best_and_the_worst_means_are_drawn(grid):
    """A single lucky seed does not bring its setting among the best."""
    lambdas = [0.1 * i for i in range(12)]
    first = [run for run in grid.runs if run.record.config.lam == 0 and run.record.config.loss == "softmax"][:2]
    runs = [
        moved(run, lam, accuracy)
        for i, lam in enumerate(lambdas)
        for run, accuracy in zip(first, (0.5 - 0.01 * i, 0.5 + 0.03 * (i == 8) - 0.01 * i), strict=True)
    ]
    shown = drawn(labelled(runs))
    assert [len(group) for group in shown.values()] == [2] * 8
    assert list(shown) == [f"lambda {lambdas[i]:g}" for i in (0, 1, 2, 3, 4, 9, 10, 11)]
    assert any("the 5 settings with the highest" in note for note in notes(labelled(runs)))


def moved(run, lam, accuracy):
    """A run with another lambda and validation accuracy."""
    record = run.record
    validation = record.metrics["validation"].model_copy(update={"accuracy": accuracy})
    config = record.config.model_copy(update={"lam": round(lam, 1)})
    metrics = {**record.metrics, "validation": validation}
    return replace(run, record=record.model_copy(update={"config": config, "metrics": metrics}))


def test_single_runs_have_no_bands(four_runs):
    drawings = list(draw_several(labelled(collect([four_runs]).runs)))
    assert all(len(point) == 2 for series in numbers_of(drawings, "cost") for point in series.points)
    assert not any("seed" in drawing.caption for drawing in drawings)


def test_seeds_decide_where_there_are_some_and_no_single_seed_is_a_reference(grid, tmp_path):
    """McNemar's test compares classifiers; the page of settings with seeds has means and no such table."""
    text = write_report(grid, tmp_path).with_suffix(".md").read_text()
    assert "### Over seeds" in text
    assert "McNemar" not in text


def test_figures_of_test_images_name_the_settings_that_have_some(four_runs):
    """In a sweep only the selected setting is evaluated on them; a figure of one run has its name nowhere else."""
    first, *others = collect([four_runs]).runs
    runs = labelled([first, *(replace(run, predictions=None, calibration=None) for run in others)])
    captions = {drawing.name: drawing.caption for drawing in draw_several(runs)}
    said = f"Shown: {next(iter(runs))}; the others were not evaluated on the test set."
    assert [name for name, caption in captions.items() if said in caption] == ["probabilities", "reliability"]
    complete = draw_several(labelled(collect([four_runs]).runs))
    assert not any("not evaluated" in drawing.caption for drawing in complete)


def test_an_equal_run_is_no_seed(grid):
    """Two runs that differ in nothing stay apart, and no mean is taken."""
    runs = labelled([grid.runs[0], grid.runs[0], grid.runs[1]])
    assert [len(group) for group in by_setting(runs).values()] == [1, 1, 1]
    assert repeated(runs) == []


def test_the_figure_of_norms_names_its_lines_by_what_sets_them_apart(grid):
    """Not by what other runs of the report differ in; the title says which runs have a line."""
    other = replace(grid.runs[0], record=grid.runs[0].record.model_copy(update={"config": make_other(grid)}))
    (drawing,) = (found for found in draw_several(labelled([*grid.runs, other])) if found.name == "norms")
    assert drawing.caption.endswith(" Of the runs with several lambdas in 2 settings.")
    assert [text.get_text() for text in drawing.draw().axes[0].texts] == ["loss softmax", "loss sigmoid_bce"]
    (drawing,) = (found for found in draw_several(labelled(grid.runs)) if found.name == "norms")
    assert " Of " not in drawing.caption


def test_the_figure_of_norms_says_which_runs_have_a_line(four_runs):
    (drawing,) = (found for found in draw_several(labelled(collect([four_runs]).runs)) if found.name == "norms")
    assert drawing.caption.endswith(" Of the runs with eta 0.003.")


def test_of_many_values_in_between_the_highest_is_named():
    runs = [stub(0.1 * i, 0.4 + 0.01 * (i == 3), right=range(80)) for i in range(9)]
    assert "; in between at most 41.00 %, at 0.3; " in effects(runs)[0]
    assert "in between" not in effects([runs[0], runs[-1]])[0]


def make_other(grid):
    """A config that differs from those of the grid in many settings."""
    changes = {"augmentation": AugmentationConfig(flip=0.5), "n_batch": 5, "epochs": 9, "init_std": 0.1, "lam": 0.5}
    return grid.runs[0].record.config.model_copy(update=changes)
