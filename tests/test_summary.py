"""The beginning of a report: which run, how sure, why; and the order of what follows."""

import re
from dataclasses import replace

import pytest

from cifar_linear.report.collecting import Collection, collect
from cifar_linear.report.settings import by_data, in_order_of_settings, labelled, ordered_looks
from cifar_linear.report.summary import summaries
from cifar_linear.report.tables import settings_table
from cifar_linear.report.writing import write_report


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
    assert summary.which.startswith(f"{best}: {100 * four[best].outcome('validation'):.2f} % of the")
    assert [bar.value for bar in summary.bars] == sorted((bar.value for bar in summary.bars), reverse=True)
    assert all(bar.low < bar.value < bar.high for bar in summary.bars)
    assert min(bar.places[1] for bar in summary.bars) == 0
    assert max(bar.places[2] for bar in summary.bars) == 100


def test_every_other_run_is_either_worse_or_may_differ_by_chance(four):
    (summary,) = summaries(four)
    said = re.search(r"better than (.*?) \(McNemar", summary.sure)
    chance = re.search(r"The difference from (.*) may be chance", summary.sure)
    named = [label for found in (said, chance) if found for label in found[1].split("; ")]
    assert sorted(named) == sorted(label for label in four if label != summary.bars[0].label)


def test_a_reason_is_given_only_where_the_numbers_show_one(four):
    """Steps that are too long, over-fitting, under-fitting; nothing for a run that differs by chance alone."""
    first, *others = four
    good = {"train_accuracy": lambda _: 0.5, "validation_accuracy": lambda _: 0.45, "train_cost": lambda i: 2 - 0.1 * i}
    best = changed(four[first], **good)
    outcome = best.record.outcome["validation"].model_copy(update={"accuracy": 1.0})
    metrics = {**best.record.metrics, "validation": outcome}
    best = replace(best, record=best.record.model_copy(update={"metrics": metrics}))
    cases = {
        "restless": good | {"train_cost": lambda i: 2.0 + i},
        "over": good | {"train_accuracy": lambda _: 0.9, "validation_accuracy": lambda _: 0.2},
        "under": good | {"train_accuracy": lambda _: 0.21, "validation_accuracy": lambda _: 0.2},
        "chance": good | {"validation_accuracy": lambda _: 0.449},
    }
    said = {}
    for name, rows in cases.items():
        (summary,) = summaries({"best": best, name: changed(four[others[0]], **rows)})
        assert summary.which.startswith("best: ")
        said[name] = " ".join(summary.why)
    assert said["restless"].startswith("restless: the steps are too long: in the second half")
    assert said["over"].startswith("over: over-fitting. 40.00 points more on training images, 25.00 fewer")
    assert said["under"].startswith("under: under-fitting. 29.00 points fewer on training images already")
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
