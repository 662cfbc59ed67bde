import json
import re
import shutil
from base64 import b64decode
from dataclasses import replace
from html.parser import HTMLParser
from types import SimpleNamespace

import numpy as np
import pytest

from cifar_linear.config.models import Cifar10Data, Config
from cifar_linear.experiment import run_group
from cifar_linear.intervals import Interval, mcnemar
from cifar_linear.report.collecting import Run, collect, differences, factors, in_order, labelled
from cifar_linear.report.comparing import changes, losses_compared, paired, repeated
from cifar_linear.report.effects import effects
from cifar_linear.report.writing import _markdown, write_report
from cifar_linear.runs import RunFolder
from cifar_linear.unpacking import load_dataset


@pytest.fixture(scope="module")
def runs_dir(tmp_path_factory, make_four_runs):
    return make_four_runs(tmp_path_factory.mktemp("report"))


@pytest.fixture
def own_runs(runs_dir, tmp_path):
    """A copy of the runs that a test may damage."""
    return shutil.copytree(runs_dir, tmp_path / "runs")


class Page(HTMLParser):
    """The parts of a page that the tests ask for."""

    def __init__(self, text):
        super().__init__()
        self.images, self.addresses, self.text = [], [], ""
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        named = dict(attributes)
        if tag == "img":
            self.images.append(named)
        self.addresses += [named[key] for key in ("src", "href") if key in named]

    def handle_data(self, data):
        self.text += data


def test_four_runs_are_laid_side_by_side(run, runs_dir, tmp_path):
    """Differences first, then figures of each run, curves, templates and histograms."""
    result = run("report", "--runs-dir", runs_dir, "-o", tmp_path)
    assert result.exit_code == 0, result.stderr
    assert result.stdout == f"report: {tmp_path / 'report.html'}\n"
    text = (tmp_path / "report.md").read_text()
    assert "| run | lambda | eta |\n| --- | --- | --- |\n| lambda 0, eta 0.003 | 0 | 0.003 |" in text
    for found in collect([runs_dir]).runs:
        assert f"| {100 * found.test_accuracy:.2f} % | {100 * found.last['validation_accuracy']:.2f} % |" in text
    named = re.findall(r"!\[.+\]\((.+)\)", text)
    names = ("cost", "accuracy", "templates", "templates-common-scale", "norms", "probabilities")
    assert named == [f"figures/{name}.png" for name in names]
    assert all((tmp_path / name).read_bytes().startswith(b"\x89PNG") for name in named)
    assert "synthetic" in text


def test_page_is_one_file_with_alt_texts(runs_dir, tmp_path):
    """Every address is inside the page, and every picture is a whole PNG that says what it shows."""
    page = Page(write_report(collect([runs_dir]), tmp_path).read_text())
    assert all(address.startswith("data:") for address in page.addresses)
    assert len(page.images) == 6
    for image in page.images:
        assert len(image["alt"]) > 40
        assert b64decode(image["src"].partition(",")[2]).startswith(b"\x89PNG")


def test_one_run_is_reported_into_its_folder(run, own_runs):
    path = sorted(own_runs.iterdir())[0]
    assert run("report", path).stdout == f"report: {path / 'report.html'}\n"
    text = (path / "report.md").read_text()
    assert "What differs" not in text
    assert "| lambda | 0 |" in text
    figures = RunFolder(path).read_record().metrics["test"]
    assert f"| test | {figures.loss:.4f} | {figures.cost:.4f} | {100 * figures.accuracy:.2f} % |" in text
    assert len(list((path / "figures").iterdir())) == 7


@pytest.mark.parametrize(("form", "start"), [("pdf", b"%PDF"), ("svg", b"<?xml")])
def test_figures_come_as_files_of_the_wanted_format(run, runs_dir, tmp_path, form, start):
    run("report", "--runs-dir", runs_dir, "-o", tmp_path, "--format", form)
    assert (tmp_path / "figures" / f"cost.{form}").read_bytes().startswith(start)
    assert (tmp_path / "figures" / "cost.png").exists()


def test_what_cannot_be_reported_is_a_line_and_the_rest_is_reported(run, own_runs, tmp_path):
    """A foreign folder, an older version, a damaged file, a run under way, one that was broken off."""
    first, second, third, fourth = (RunFolder(path) for path in sorted(own_runs.iterdir()))
    (own_runs / "holiday").mkdir()
    tree = first.read_record().to_tree()
    (first.path / "run.json").write_text(json.dumps(tree | {"format": 0}))
    (second.path / "model.npz").write_bytes(b"PK")
    third.write_record(third.read_record().model_copy(update={"status": "running"}))
    result = run("report", "--runs-dir", own_runs, "-o", tmp_path)
    assert result.exit_code == 0
    notes = result.stderr.splitlines()
    assert len(notes) == 4
    assert "written by another version (format 0, this one reads 1)" in notes[0]
    assert "model.npz: not a file of this program" in notes[1]
    assert f"{third.path.name}: running after epoch 4: broken off, or still under way" in notes[2]
    assert f"{own_runs / 'holiday'}: not a run folder" in notes[3]
    text = (tmp_path / "report.md").read_text()
    assert all(f"- {_markdown(note)}" in text for note in notes)
    assert "lambda 1, eta 0.003" in text
    assert _markdown(fourth.path.name) in text


def test_run_without_test_figures_is_drawn_without_them(own_runs, tmp_path):
    """As diverged and interrupted runs are: no histogram, no confusion matrix, a dash in the table."""
    path = sorted(own_runs.iterdir())[0]
    folder = RunFolder(path)
    record = folder.read_record()
    metrics = {split: record.metrics[split] for split in ("train", "validation")}
    changes = {"metrics": metrics, "status": "diverged", "error": "training diverged at step 7"}
    folder.write_record(record.model_copy(update=changes))
    (path / "predictions.npz").unlink()
    write_report(collect([path]), tmp_path)
    text = (tmp_path / "report.md").read_text()
    assert "diverged after epoch 4: training diverged at step 7" in text
    assert re.findall(r"^\| (train|validation|test) \|", text, re.MULTILINE) == ["train", "validation"]
    assert not (tmp_path / "figures" / "confusion.png").exists()


@pytest.mark.parametrize("content", ["nothing", "empty", "foreign"])
def test_nothing_to_report_is_an_error(run, tmp_path, content):
    path = tmp_path / "runs"
    if content != "nothing":
        path.mkdir()
    if content == "foreign":
        (path / "x").mkdir()
    result = run("report", path)
    assert result.exit_code == 1
    assert str(path) in result.stderr


def test_names_from_outside_are_escaped_in_both_forms(own_runs, tmp_path):
    """Of folders and of errors, in HTML and in Markdown."""
    path = sorted(own_runs.iterdir())[0].rename(own_runs / "<img src=x>|pipe*[a](b)")
    folder = RunFolder(path)
    failed = {"status": "failed", "error": "<script>alert(1)</script>"}
    folder.write_record(folder.read_record().model_copy(update=failed))
    page = write_report(collect([path]), tmp_path).read_text()
    assert "&lt;script&gt;alert(1)" in page
    assert "<script>alert" not in page
    assert "<img src=x>" not in page
    text = (tmp_path / "report.md").read_text()
    assert "# \\<img src=x\\>\\|pipe\\*\\[a\\](b)" in text
    assert "\\<script\\>" in text


def test_labels_are_what_sets_runs_apart_or_their_folders(runs_dir):
    runs = collect([runs_dir]).runs
    assert differences(runs) == ["lambda", "eta"]
    settings = ((0, 0.003), (0.3, 0.003), (1, 0.003), (0, 0.05))
    assert list(labelled(runs)) == [f"lambda {lam}, eta {eta}" for lam, eta in settings]
    assert list(labelled(runs[:1])) == ["run-0"]


def test_runs_of_one_name_are_all_reported_and_one_run_named_twice_is_reported_once(own_runs, tmp_path):
    path = sorted(own_runs.iterdir())[0]
    twin = shutil.copytree(path, tmp_path / "elsewhere" / path.name)
    runs = collect([path, twin, path.parent / "." / path.name]).runs
    assert len(runs) == 2
    assert list(labelled(runs)) == ["run 1", "run 2"]


def test_settings_that_differ_a_little_do_not_read_alike(own_runs):
    first, second = (RunFolder(path) for path in sorted(own_runs.iterdir())[:2])
    record = first.read_record()
    second.write_record(record.model_copy(update={"config": record.config.model_copy(update={"eta": 0.0030000001})}))
    runs = [Run.read(folder.path) for folder in (first, second)]
    assert list(labelled(runs)) == ["eta 0.003", "eta 0.0030000001"]


def test_runs_on_other_kinds_of_images_have_templates_of_their_own(own_runs, tmp_path):
    """And the warning about synthetic images names the runs that it is about."""
    folder = RunFolder(sorted(own_runs.iterdir())[0])
    record, model = folder.read_record(), folder.read_model()
    config = record.config.model_copy(update={"data": Cifar10Data(dataset="cifar10")})
    data = record.data.model_copy(update={"dataset": "cifar10", "synthetic": False})
    folder.write_record(record.model_copy(update={"config": config, "data": data}))
    folder.write_model(model._replace(class_names=tuple("abcdefghij")))
    write_report(collect([own_runs]), tmp_path)
    names = {path.name for path in (tmp_path / "figures").iterdir()}
    assert {"templates-1.png", "templates-2.png"} <= names
    text = (tmp_path / "report.md").read_text()
    (note,) = [line for line in text.splitlines() if line.startswith("Trained on synthetic images")]
    assert "run-0" not in note
    assert note.count(";") == 2
    assert "None" not in text


def test_figures_of_an_earlier_report_do_not_stay_beside_another(runs_dir, tmp_path):
    write_report(collect([sorted(runs_dir.iterdir())[0]]), tmp_path)
    assert (tmp_path / "figures" / "confusion.png").exists()
    own = [tmp_path / "figures" / name for name in ("mine.png", "confusion.tex", "templates-of-mine.png")]
    for path in own:
        path.touch()
    write_report(collect([runs_dir]), tmp_path)
    assert not (tmp_path / "figures" / "confusion.png").exists()
    assert all(path.exists() for path in own)


@pytest.mark.parametrize("name", ["run.json", "metrics.csv", "model.npz", "predictions.npz"])
def test_a_run_with_a_damaged_file_does_not_spoil_the_report(run, own_runs, tmp_path, name):
    (sorted(own_runs.iterdir())[1] / name).write_bytes(b"{}")
    result = run("report", own_runs, "-o", tmp_path)
    assert result.exit_code == 0
    assert len(result.stderr.splitlines()) == 1
    assert "3 runs" in (tmp_path / "report.md").read_text()


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


def test_figures_of_a_run_follow_from_its_files(runs_dir):
    run = Run.read(sorted(runs_dir.iterdir())[0])
    accuracies = [row["validation_accuracy"] for row in run.rows]
    assert accuracies[run.best_epoch] == max(accuracies)
    metrics = run.record.metrics
    assert run.gap == metrics["train"].accuracy - metrics["validation"].accuracy
    assert run.test_accuracy == metrics["test"].accuracy
    assert run.weight_norm == pytest.approx(np.sqrt(np.sum(run.model.W.astype(float) ** 2)))


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


def test_early_stopping_is_told_with_both_sets_of_figures(run, small_config, runs_dir, tmp_path):
    options = ("--set", "epochs=200", "--set", "eta=0.1", "--set", "early_stopping={patience: 4}")
    run("train", "--config", small_config, "--runs-dir", tmp_path / "runs", *options)
    (path,) = (tmp_path / "runs").iterdir()
    record, text = RunFolder(path).read_record(), (path / "report.md").read_text()
    assert f"stopped early after epoch {record.epoch} of 200" in text
    assert f"the validation loss was lowest after epoch {record.best.epoch}" in text
    for metrics, name in ((record.metrics, "test"), (record.best.metrics, "test, best weights")):
        figures = metrics["test"]
        assert f"| {name} | {figures.loss:.4f} | {figures.cost:.4f} | {100 * figures.accuracy:.2f} % |" in text
    run("report", path, *sorted(runs_dir.iterdir())[:1], "-o", tmp_path / "page")
    assert "test accuracy, best weights" in (tmp_path / "page" / "report.md").read_text()


def test_parts_of_a_setting_stand_for_themselves_unless_they_belong_together():
    """A shift is a number; a decay is all that is said of it; what a run lacks is none."""
    settings = (
        {"augmentation.shift": "0", "decay.kind": "none"},
        {"augmentation.shift": "10", "decay.kind": "step", "decay.every": "5"},
        {"augmentation.shift": "2", "decay.kind": "cosine", "averaging.from_epoch": "3"},
    )
    found = factors([SimpleNamespace(settings=of_run) for of_run in settings])
    assert [of_run["augmentation.shift"] for of_run in found] == ["0", "10", "2"]
    assert [of_run["decay"] for of_run in found] == ["none", "step, every 5", "cosine"]
    assert [of_run["averaging"] for of_run in found] == ["none", "none", "from_epoch 3"]
    assert in_order(["10", "none", "2", "0"]) == ["none", "0", "2", "10"]
    assert in_order(["step, every 5", "cosine", "none"]) == ["none", "cosine", "step, every 5"]
