"""The beginning of a report: which run, how sure, why; and the order of what follows."""

import re
from dataclasses import replace

import numpy as np
import pytest

from cifar_linear.config.datasets import Cifar10Data
from cifar_linear.report.collecting import Collection, collect
from cifar_linear.report.curves import curves_of_one
from cifar_linear.report.naming import spoken
from cifar_linear.report.settings import by_data, in_order_of_settings, labelled, ordered_looks
from cifar_linear.report.summary import heading, outcome_of_one, subject, summaries
from cifar_linear.report.tables import ANSWERS, details, results, settings_table
from cifar_linear.report.writing import write_report
from cifar_linear.runs.folder import RunFolder


@pytest.fixture(scope="module")
def four(four_runs):
    """The runs by their labels, in the order of their settings."""
    return in_order_of_settings(labelled(collect([four_runs]).runs))


def changed(run, **rows):
    """A run whose evaluation points have other values in some columns."""
    return replace(run, rows=[row | {key: value(i) for key, value in rows.items()} for i, row in enumerate(run.rows)])


def test_the_best_by_validation_is_named_with_wilsons_interval(four):
    (summary,) = summaries(four)
    best = max(four, key=lambda label: four[label].outcome("validation"))
    assert summary.which == spoken(best)
    assert summary.accuracy.startswith(f"{100 * four[best].outcome('validation'):.2f} % of the validation images are")
    assert [bar.value for bar in summary.bars] == sorted((bar.value for bar in summary.bars), reverse=True)
    assert all(bar.low < bar.value < bar.high for bar in summary.bars)
    places = [place for bar in summary.bars for place in bar.places]
    assert 0 < min(places) < max(places) < 100  # no bar touches an end of the scale
    assert len(summary.ticks) > 1
    assert all(0 <= place <= 100 for _, place in summary.ticks)


def test_every_other_run_is_either_worse_or_may_differ_by_chance(four):
    (summary,) = summaries(four)
    leaders = [bar.label for bar in summary.bars if bar.leads]
    assert all((spoken(label) in summary.which) == (label in leaders) for label in four)
    assert all((spoken(label) in summary.sure) == (label not in leaders) for label in four)
    assert "Each is one run with one seed: train with --seeds 5" in summary.sure


def with_accuracy(run, accuracy, seed=None, right=None):
    """A run with another validation accuracy, another seed, or other test images that it classifies correctly."""
    record, predictions = run.record, None
    validation = record.outcome["validation"].model_copy(update={"accuracy": accuracy})
    config = record.config if seed is None else record.config.model_copy(update={"seed": seed})
    images = {**record.data.images, "validation": 10_000}
    if right is not None:
        labels = run.predictions.labels
        predicted = np.where(np.arange(len(labels)) < right, labels, (labels + 1) % 10)
        predictions = run.predictions._replace(predicted=predicted)
    changes = {
        "config": config,
        "metrics": {**record.metrics, "validation": validation},
        "data": record.data.model_copy(update={"images": images}),
    }
    return replace(run, record=record.model_copy(update=changes), predictions=predictions)


def test_a_tie_is_in_the_headline_and_what_is_worse_is_not(four):
    """Test images that two runs share decide; what the settings have in common is said once."""
    labels = ["lambda 0, eta 0.003", "lambda 0.3, eta 0.003", "lambda 1, eta 0.003"]
    runs = dict(
        zip(
            labels,
            (
                with_accuracy(four[label], accuracy, right=right)
                for label, accuracy, right in zip(labels, (0.4, 0.399, 0.3), (60, 58, 20), strict=True)
            ),
            strict=True,
        )
    )
    (summary,) = summaries(runs)
    assert summary.which == "lambda 0 or lambda 0.3, with eta 0.003: a tie"
    assert summary.accuracy.startswith("40.00 and 39.90 % of the validation images are classified correctly")
    assert "the difference of the two may be chance (McNemar's test, p = 0.5)" in summary.sure
    assert "Worse by more than chance: lambda 1 with eta 0.003 (p < 0.001)." in summary.sure
    assert [bar.leads for bar in summary.bars] == [True, True, False]


def test_without_shared_test_images_intervals_that_overlap_are_a_tie(four):
    first, second, third, _ = four
    accuracies = {first: 0.4, second: 0.395, third: 0.3}
    (summary,) = summaries({label: with_accuracy(four[label], of) for label, of in accuracies.items()})
    assert summary.which.endswith(": a tie")
    assert "the intervals overlap, and no test on shared test images separates them" in summary.sure
    assert f"that do not overlap: {spoken(third)}" in summary.sure


@pytest.fixture
def seeded(four):
    """Three settings with three seeds each: the first two are alike, the third is worse for every seed."""
    accuracies = {"lambda 0": (0.40, 0.41, 0.42), "lambda 0.3": (0.405, 0.404, 0.419), "lambda 1": (0.38, 0.391, 0.399)}
    return {
        f"{lam}, seed {seed}": with_accuracy(four[f"{lam}, eta 0.003"], accuracy, seed, right=10 * seed)
        for lam, found in accuracies.items()
        for seed, accuracy in enumerate(found)
    }


def test_with_seeds_the_differences_seed_by_seed_decide(seeded):
    """Whose intervals overlap may still be worse for every seed; no test on test images of one seed says more."""
    (summary,) = summaries(seeded)
    assert summary.which == "lambda 0 or lambda 0.3: a tie"
    assert "of the validation images are classified correctly" in summary.accuracy
    assert "(means of 3 seeds with 95 % intervals)" in summary.accuracy
    assert summary.sure.startswith(
        "Seed by seed, on validation images, the difference of the two may be chance (0.07 ±"
    )
    assert "Worse by more than chance: lambda 1 (by 2.00 ± 0.25 points)." in summary.sure
    assert "McNemar" not in summary.sure
    assert [bar.label for bar in summary.bars if bar.leads] == ["lambda 0", "lambda 0.3"]


def test_with_seeds_the_settings_that_are_worse_have_a_reason(seeded):
    """From means over their seeds; one that may be as good has none."""
    low = {"train_accuracy": lambda _: 0.2, "validation_accuracy": lambda _: 0.19}
    high = {"train_accuracy": lambda _: 0.5, "validation_accuracy": lambda _: 0.4}
    runs = {label: changed(run, **(low if "lambda 1" in label else high)) for label, run in seeded.items()}
    (summary,) = summaries(runs)
    assert len(summary.why) == 1
    assert summary.why[0].startswith("lambda 1: under-fitting. 30.00 points fewer on training images than lambda 0; ")


def test_settings_without_common_seeds_are_not_compared(seeded):
    """They are neither called worse nor a tie."""
    others = {
        f"{label}0": with_accuracy(run, run.outcome("validation"), seed=int(label[-1]) + 10)
        for label, run in seeded.items()
        if label.startswith("lambda 1")
    }
    (summary,) = summaries({label: run for label, run in seeded.items() if "lambda 0," in label} | others)
    assert summary.which == "lambda 0"
    assert summary.sure == "Not compared with lambda 1: that takes two seeds that both have."


def test_a_run_that_diverged_is_among_the_reasons(four):
    """It is no reason for silence that nothing is left to compare."""
    first, second, *_ = four
    record = four[second].record.model_copy(update={"status": "diverged", "diverged_at": 4})
    (summary,) = summaries({first: four[first], second: replace(four[second], record=record)})
    assert summary.which == spoken(first)
    assert summary.sure == "There is no other finished run to compare it with."
    assert summary.why == [f"{spoken(second)}: diverged at step 4."]
    (summary,) = summaries({second: replace(four[second], record=record)})
    assert summary.which == "No run has finished"
    (summary,) = summaries({first: four[first]})
    assert summary.why == []


def test_a_reason_is_given_only_where_the_numbers_show_one(four):
    """Steps that are too long, over-fitting, under-fitting; nothing for a run that differs by chance alone."""
    first, *others = four
    good = {"train_accuracy": lambda _: 0.5, "validation_accuracy": lambda _: 0.45, "train_cost": lambda i: 2 - 0.1 * i}
    best = changed(four[first], **good)
    outcome = best.record.outcome["validation"].model_copy(update={"accuracy": 1.0})
    metrics = {**best.record.metrics, "validation": outcome}
    best = replace(best, record=best.record.model_copy(update={"metrics": metrics}), predictions=None)
    cases = {
        "restless": good | {"train_cost": lambda i: 2.0 + i},
        "over": good | {"train_accuracy": lambda _: 0.9, "validation_accuracy": lambda _: 0.2},
        "under": good | {"train_accuracy": lambda _: 0.21, "validation_accuracy": lambda _: 0.2},
        "chance": good | {"validation_accuracy": lambda _: 0.449},
    }
    said = {}
    for name, rows in cases.items():
        (summary,) = summaries({"best": best, name: changed(four[others[0]], **rows)})
        assert summary.which == "best"
        said[name] = " ".join(summary.why)
    assert said["restless"].startswith("restless: the steps are too long: in the second half")
    assert said["over"].startswith("over: over-fitting. 40.00 points more on training images than best, 25.00 fewer")
    assert said["under"].startswith("under: under-fitting. 29.00 points fewer on training images than best; ")
    assert said["chance"] == ""


def test_runs_on_other_images_have_a_summary_of_their_own(four):
    """They share no scale, so one best of all would compare what cannot be compared."""
    first, *others = four
    run = four[first]
    names = tuple(f"class {i}" for i in range(10))
    other = replace(run, model=run.model._replace(class_names=names))
    mixed = {first: other} | {label: four[label] for label in others}
    assert [list(of) for of in by_data(mixed).values()] == [[first], others]
    assert [len(summary.bars) for summary in summaries(mixed)] == [1, 3]


def test_runs_that_differ_in_an_ordered_setting_share_a_hue_that_darkens_with_it(four):
    looks = ordered_looks(four)
    of_lambda = [looks[f"lambda {lam}, eta 0.003"] for lam in ("0", "0.3", "1")]
    assert len({look.hue for look in of_lambda}) == 1
    assert [look.shade for look in of_lambda] == [1, 0, -1]
    assert looks["lambda 0, eta 0.05"].hue != of_lambda[0].hue
    assert len({look.dash for look in looks.values()}) == 4


def test_more_settings_than_runs_are_rows(four):
    """So that a page of unlike runs has a table that fits; few settings are columns."""
    runs = dict(list(four.items())[:2])
    assert settings_table(runs, ["lambda"], 8).head == "run"
    table = settings_table(runs, ["lambda", "eta", "n_batch"], 8)
    assert (table.head, table.columns) == ("setting", list(runs))
    assert table.rows["eta"] == tuple(run.settings["eta"] for run in runs.values())


def test_pages_of_runs_and_sweeps_link_to_each_other(run, sweep, sweep_file, runs_dir):
    """Where the other page is there; a run that has none has no link."""
    assert sweep(sweep_file({"lambda": [0, 1]})).exit_code == 0
    grid = runs_dir / "grid"
    first, second = sorted(path.parent for path in grid.glob("*/run.json"))
    assert run("report", first).exit_code == 0
    assert run("report", grid).exit_code == 0
    page = (grid / "report" / "report.html").read_text()
    assert f'<a href="../{first.name}/report.html">' in page
    assert f'<a href="../{second.name}' not in page
    assert run("report", first).exit_code == 0
    assert '<a href="../report/report.html">a sweep</a>' in (first / "report.html").read_text()


def test_links_lead_from_where_the_page_will_be(run, own_runs, tmp_path):
    """As those of a page that is written elsewhere first and then moved."""
    first = sorted(own_runs.iterdir())[0]
    assert run("report", first).exit_code == 0
    page = write_report(collect([own_runs]), tmp_path / "elsewhere" / "deep", place=own_runs.parent)
    assert f'<a href="{own_runs.name}/{first.name}/report.html">' in page.read_text()


def test_a_page_of_eight_runs_is_small(four_runs, tmp_path):
    runs = collect([four_runs]).runs
    page = write_report(Collection(runs * 2), tmp_path)
    assert page.stat().st_size < 3_000_000


def test_the_page_begins_with_the_summary_and_ends_with_provenance_and_notes(four_runs, tmp_path):
    """Its contents list links to every section, and the figures are numbered in their order."""
    page = write_report(collect([four_runs]), tmp_path).read_text()
    headings = re.findall(r'<h2 id="(\w+)">', page)
    assert headings == [
        "results", "curves", "weights", "probabilities", "calibration", "settings", "provenance", "notes",
    ][: len(headings)]  # fmt: skip
    assert re.findall(r'<li><a href="#(\w+)">', page) == headings
    assert page.index("How sure") < page.index('id="results"')
    numbers = re.findall(r"<figcaption><b>Figure (\d+)\.", page)
    assert numbers == [str(i + 1) for i in range(len(numbers))]
    text = (tmp_path / "report.md").read_text()
    assert "\n\n\n" not in text
    assert re.findall(r"^\*\*Figure (\d+)\.", text, re.MULTILINE) == numbers


def test_evaluations_within_an_epoch_are_named_by_their_steps(four):
    """In captions, the summary, the table and which weights are meant; whole epochs are named as such."""
    run = next(iter(four.values()))
    lowest = {"validation_loss": lambda i: 1.0 if i == 2 else 2.0}
    within = changed(run, epoch=lambda i: float(min(i, 1)), step=lambda i: 500.0 * i, **lowest)
    for case, unit, place in ((within, "steps", "step 1000"), (changed(run, **lowest), "epochs", "epoch 2")):
        said = [text for drawing in curves_of_one(case, {}) for text in (drawing.caption, drawing.alt)]
        said += [answer for _, answer in outcome_of_one(case)]
        assert sum(f"lowest after {place} (1.000)" in text for text in said) == 2
        assert sum(f"over {2000 if case is within else 4} {unit}: " in text for text in said) == 2
        assert details(case)["lowest validation loss"].text == place
        assert results({"run": case}, ANSWERS).rows["run"][-2].text == ("2000 steps" if case is within else "4 epochs")
        assert case.weights == ("last, step 2000" if case is within else "last, epoch 4")
        assert not any(("epoch" in text) == (case is within) for text in said if "after " in text)


def test_a_loss_that_never_fell_below_its_start_is_said_to_be_lowest_there(four):
    run = changed(next(iter(four.values())), validation_loss=lambda i: 1.0 + i)
    assert details(run)["lowest validation loss"].text == "the start"
    assert dict(outcome_of_one(run))["Training"].startswith(
        "The validation loss is lowest before the first update (1.000)"
    )


def test_the_heading_says_what_is_compared_on_which_images(four):
    assert heading(four) == "lambda and eta on synthetic images: 4 runs"
    first, *_ = four
    assert heading({first: four[first]}) == four[first].given_name
    config = four[first].record.config.model_copy(update={"n_batch": 5, "loss": "sigmoid_bce"})
    other = replace(four[first], record=four[first].record.model_copy(update={"config": config}))
    assert heading({**four, "other": other}) == "5 runs"  # too many settings for a heading


def test_published_data_sets_have_their_names(four):
    first, *_ = four
    config = four[first].record.config.model_copy(update={"data": Cifar10Data(dataset="cifar10")})
    data = four[first].record.data.model_copy(update={"images": {"train": 50_000, "validation": 100, "test": 100}})
    run = replace(four[first], record=four[first].record.model_copy(update={"config": config, "data": data}))
    assert subject({first: run}) == "A linear classifier with softmax loss on CIFAR-10 (50\u00a0000 training images)."


def test_a_few_notes_are_on_the_first_screen_and_many_are_counted_there(own_runs, four_runs, tmp_path):
    for path in own_runs.iterdir():
        folder = RunFolder(path)
        folder.write_record(folder.read_record().model_copy(update={"status": "interrupted"}))
    page = write_report(collect([own_runs]), tmp_path / "many").read_text()
    assert "4 notes on what limits these numbers: see" in page
    (own_runs / "run-4").mkdir()
    few = collect([sorted(own_runs.iterdir())[0], *sorted(four_runs.iterdir())[1:]])
    page = write_report(few, tmp_path / "few").read_text()
    screen = page.partition("</header>")[0]
    assert all(note in screen for note in few.notes)
    assert "see <a" not in screen


def test_results_are_sorted_and_the_leaders_are_bold(four_runs, tmp_path):
    """The same rows in both forms; those that are known to be worse are not."""
    runs = in_order_of_settings(labelled(collect([four_runs]).runs))
    (summary,) = summaries(runs)
    page = write_report(collect([four_runs]), tmp_path).read_text()
    rows = re.findall(r'<tr( class="leads")?><th scope="row" data-key="([^"]+)">', page)
    leaders = [bar.label for bar in summary.bars if bar.leads]
    assert [label for leads, label in rows if leads] == leaders
    assert [label for _, label in rows] == [bar.label for bar in summary.bars]
    text = (tmp_path / "report.md").read_text()
    assert re.findall(r"^\| \*\*(.+?)\*\* \|", text, re.MULTILINE) == leaders


def test_seeds_that_diverged_are_counted_in_a_line_for_their_setting(seeded):
    """A setting keeps its name where only one is left."""

    def lost(run):
        return replace(run, record=run.record.model_copy(update={"status": "diverged", "diverged_at": 4}))

    runs = {label: lost(run) if label.startswith(("lambda 0.3", "lambda 1")) else run for label, run in seeded.items()}
    (summary,) = summaries(runs)
    assert summary.which == "lambda 0"
    assert summary.why == [
        "lambda 0.3 (3 of 3 seeds): diverged at step 4.",
        "lambda 1 (3 of 3 seeds): diverged at step 4.",
    ]


def test_as_good_on_training_images_is_no_over_fitting(four):
    """Where two settings have all training images right, one of them does not have "0.00 points more"."""
    first, second, *_ = four
    same = {"train_accuracy": lambda _: 1.0, "train_cost": lambda i: 2 - 0.1 * i}
    best = changed(with_accuracy(four[first], 0.5), validation_accuracy=lambda _: 0.5, **same)
    other = changed(with_accuracy(four[second], 0.4), validation_accuracy=lambda _: 0.4, **same)
    (summary,) = summaries({"best": best, "other": other})
    assert summary.why == ["other: as good on training images as best, 10.00 points fewer on validation images."]


def test_the_page_of_a_run_that_diverged_begins_with_that(four):
    """Its accuracy is of the weights before, and reads as nothing else."""
    run = next(iter(four.values()))
    lost = replace(run, record=run.record.model_copy(update={"status": "diverged", "diverged_at": 4}))
    said, complete = (dict(outcome_of_one(one))["Result"] for one in (lost, run))
    assert said == f"Not finished: diverged at step 4. Before: {complete}"
    assert not complete.startswith("Not finished")
