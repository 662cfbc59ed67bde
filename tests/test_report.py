import json
import re
from base64 import b64decode
from html.parser import HTMLParser

import numpy as np
import pytest

from cifar_linear.config.datasets import Cifar10Data
from cifar_linear.errors import RunError
from cifar_linear.report.collecting import collect
from cifar_linear.report.pages import markdown
from cifar_linear.report.writing import write_report
from cifar_linear.runs.folder import RunFolder


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


def test_four_runs_are_laid_side_by_side(run, four_runs, tmp_path):
    """Best run and table first, then figures of each run, curves, templates and histograms; differences after them."""
    result = run("report", "--runs-dir", four_runs, "-o", tmp_path)
    assert result.exit_code == 0, result.stderr
    assert result.stdout == f"report: {tmp_path / 'report.html'}\n"
    text = (tmp_path / "report.md").read_text()
    assert "| run | lambda | eta |\n| --- | --- | --- |\n| lambda 0, eta 0.003 | 0 | 0.003 |" in text
    for found in collect([four_runs]).runs:
        assert f"| {100 * found.outcome('test'):.2f} % | {100 * found.last['validation_accuracy']:.2f} % |" in text
    named = re.findall(r"!\[.+\]\((.+)\)", text)
    names = ("cost", "accuracy", "norms", "templates", "templates-common-scale", "probabilities", "reliability")
    assert named == [f"figures/{name}.png" for name in names]
    assert all((tmp_path / name).read_bytes().startswith(b"\x89PNG") for name in named)
    assert "synthetic" in text


def test_page_is_one_file_with_alt_texts(four_runs, tmp_path):
    """Every address is inside the page, and every picture is a whole PNG that says what it shows."""
    page = Page(write_report(collect([four_runs]), tmp_path).read_text())
    assert all(address.startswith(("data:", "#")) for address in page.addresses)
    described = [image for image in page.images if image["alt"]]
    assert len(described) == 7
    assert all(len(image["alt"]) > 40 for image in described)
    # The ink of a sheet of images is an image of its own, which says nothing more.
    assert len(page.images) == 7 + 2
    for image in page.images:
        assert b64decode(image["src"].partition(",")[2]).startswith(b"\x89PNG")


def test_one_run_is_reported_into_its_folder(run, own_runs):
    path = sorted(own_runs.iterdir())[0]
    assert run("report", path).stdout == f"report: {path / 'report.html'}\n"
    text = (path / "report.md").read_text()
    assert "What differs" not in text
    assert "| lambda | 0 |" in text
    figures = RunFolder(path).read_record().metrics["test"]
    assert f"| test | {figures.loss:.4f} | {figures.cost:.4f} | {100 * figures.accuracy:.2f} % |" in text
    assert len(list((path / "figures").iterdir())) == 9


@pytest.mark.parametrize(("form", "start"), [("pdf", b"%PDF"), ("svg", b"<?xml")])
def test_figures_come_as_files_of_the_wanted_format(run, four_runs, tmp_path, form, start):
    run("report", "--runs-dir", four_runs, "-o", tmp_path, "--format", form)
    assert (tmp_path / "figures" / f"cost.{form}").read_bytes().startswith(start)
    assert (tmp_path / "figures" / "cost.png").exists()


def test_what_cannot_be_reported_is_a_line_and_the_rest_is_reported(run, own_runs, tmp_path):
    """An older version, a damaged file, a killed run; a folder that is nothing of the kind has no line."""
    first, second, third, fourth = (RunFolder(path) for path in sorted(own_runs.iterdir()))
    (own_runs / "holiday").mkdir()
    tree = first.read_record().to_tree()
    (first.path / "run.json").write_text(json.dumps(tree | {"format": 0}))
    (second.path / "model.npz").write_bytes(b"PK")
    third.write_record(third.read_record().model_copy(update={"status": "running"}))
    result = run("report", "--runs-dir", own_runs, "-o", tmp_path)
    assert result.exit_code == 0
    notes = result.stderr.splitlines()
    assert len(notes) == 3
    assert "written by another version (format 0, this one reads 1 and 2)" in notes[0]
    assert "model.npz: damaged, or not a file of this program" in notes[1]
    assert f"{third.path.name}: killed after epoch 4: its process is gone; train --resume continues it" in notes[2]
    text = (tmp_path / "report.md").read_text()
    assert all(f"- {markdown(note)}" in text for note in notes)
    assert "lambda 1, eta 0.003" in text
    assert markdown(fourth.path.name) in text


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
    assert "diverged after epoch 4: training diverged at step 7" in text  # a record of an earlier version
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


def test_figures_of_an_earlier_report_do_not_stay_beside_another(four_runs, tmp_path):
    write_report(collect([sorted(four_runs.iterdir())[0]]), tmp_path)
    assert (tmp_path / "figures" / "confusion.png").exists()
    own = [tmp_path / "figures" / name for name in ("mine.png", "confusion.tex", "templates-of-mine.png")]
    for path in own:
        path.touch()
    write_report(collect([four_runs]), tmp_path)
    assert not (tmp_path / "figures" / "confusion.png").exists()
    assert all(path.exists() for path in own)


@pytest.mark.parametrize("name", ["run.json", "metrics.csv", "model.npz", "predictions.npz"])
def test_a_run_with_a_damaged_file_does_not_spoil_the_report(run, own_runs, tmp_path, name):
    (sorted(own_runs.iterdir())[1] / name).write_bytes(b"{}")
    result = run("report", own_runs, "-o", tmp_path)
    assert result.exit_code == 0
    assert len(result.stderr.splitlines()) == 1
    assert "3 runs" in (tmp_path / "report.md").read_text()


def test_early_stopping_is_told_with_both_sets_of_figures(run, small_config, four_runs, tmp_path):
    options = ("--set", "epochs=200", "--set", "eta=0.1", "--set", "early_stopping={patience: 4}")
    run("train", "--config", small_config, "--runs-dir", tmp_path / "runs", *options)
    (path,) = (tmp_path / "runs").iterdir()
    record, text = RunFolder(path).read_record(), (path / "report.md").read_text()
    assert f"stopped early after epoch {record.epoch} of 200" in text
    assert f"the validation loss was lowest after epoch {record.best.epoch}" in text
    for metrics, name in ((record.metrics, "test"), (record.best.metrics, "test, best weights")):
        figures = metrics["test"]
        assert f"| {name} | {figures.loss:.4f} | {figures.cost:.4f} | {100 * figures.accuracy:.2f} % |" in text


@pytest.fixture
def stopped(run, small_config, tmp_path):
    """A run with early stopping, whose best weights differ from its last."""
    options = ("--set", "epochs=200", "--set", "eta=0.1", "--set", "early_stopping={patience: 4}", "--no-figures")
    run("train", "--config", small_config, "--runs-dir", tmp_path / "stopped", *options)
    (path,) = (tmp_path / "stopped").iterdir()
    return RunFolder(path)


def results_in(text):
    """The rows of the table of results in Markdown, each by the titles of its columns."""
    section = text.partition("## Results")[2].partition("\n##")[0].replace(r"\|", "/")
    head, _, *rows = (
        [cell.strip() for cell in line.split("|")[1:-1]] for line in section.splitlines() if line.startswith("|")
    )
    return [dict(zip(head, row, strict=True)) for row in rows]


def test_every_number_of_a_run_with_early_stopping_is_of_its_best_weights(run, stopped, four_runs, tmp_path):
    """Accuracies, cost, gap and |W|; a column names the weights of each run."""
    record, model = stopped.read_record(), stopped.read_model(best=True)
    best = record.best.metrics
    run("report", stopped.path, *sorted(four_runs.iterdir())[:1], "-o", tmp_path)
    values, other = results_in((tmp_path / "report.md").read_text())
    assert values["weights"] == f"best, epoch {record.best.epoch}"
    assert other["weights"] == "last, epoch 4"
    for name, split in (("test", "test"), ("validation", "validation"), ("training", "train")):
        assert values[f"{name} accuracy"] == f"{100 * best[split].accuracy:.2f} %"
    assert values["training cost"] == f"{best['train'].cost:.4f}"
    gap = 100 * (best["train"].accuracy - best["validation"].accuracy)
    assert values["gap in points"] == f"{gap:.2f}"
    assert values["lowest validation loss"] == f"epoch {record.best.epoch}"
    assert values["/W/"] == f"{np.linalg.norm(model.W.astype(float)):.3f}"
    assert not np.array_equal(model.W, stopped.read_model().W)


def test_a_run_whose_best_weights_are_gone_is_left_out_with_the_reason(run, stopped, own_runs, tmp_path):
    (stopped.path / "best_model.npz").unlink()
    result = run("report", stopped.path, own_runs, "-o", tmp_path)
    assert result.exit_code == 0
    assert f"left out: {stopped.path / 'best_model.npz'}: missing; copy it back, or train" in result.stderr


def test_class_names_may_hold_what_matplotlib_takes_for_mathematics(own_runs, tmp_path):
    """In figures of one run and of several, and in the page."""
    names = ("$x^$", "$a_$", r"\$5", "_hidden", *"efghij")
    for path in own_runs.iterdir():
        folder = RunFolder(path)
        folder.write_model(folder.read_model()._replace(class_names=names))
    first = sorted(own_runs.iterdir())[0].rename(own_runs / "$x^$")
    assert "$x^$" in write_report(collect([first]), tmp_path / "one").read_text()
    assert "$x^$" in write_report(collect([own_runs]), tmp_path / "all", title="$x^$").read_text()


def test_figures_are_not_written_through_a_link(run, own_runs, tmp_path):
    """A folder from somebody else may hold one; a folder of one's own that is a link itself is no matter."""
    path = sorted(own_runs.iterdir())[0]
    victim = tmp_path / "victim"
    victim.mkdir()
    (path / "figures").symlink_to(victim)
    result = run("report", path)
    assert result.exit_code == 1
    assert f"{path / 'figures'}: a symbolic link" in result.stderr
    assert not list(victim.iterdir())
    (tmp_path / "own").symlink_to(victim)
    assert run("report", path, "-o", tmp_path / "own").exit_code == 0
    assert (victim / "figures" / "cost.png").is_file()


def test_alt_texts_have_accuracies_in_percent(four_runs, tmp_path):
    text = write_report(collect([four_runs]), tmp_path / "all").with_suffix(".md").read_text()
    (alt,) = re.findall(r"!\[(Accuracy of .+)\]", text)
    assert len(re.findall(r"\d\d\.\d\d %", alt)) == 4
    assert not re.findall(r"0\.\d{3}[^.\d]*(;|\.$)", alt)
    (one,) = collect([sorted(four_runs.iterdir())[0]]).runs
    text = write_report(collect([one.folder.path]), tmp_path / "one").with_suffix(".md").read_text()
    last = one.rows[-1]["validation_accuracy"]
    assert f"to {100 * last:.2f} %." in re.findall(r"!\[(Accuracy .+)\]", text)[0]


def test_the_report_of_a_sweep_is_not_written_through_a_link(run, sweep, sweep_file, runs_dir, tmp_path):
    assert sweep(sweep_file({"lambda": [0, 1]})).exit_code == 0
    (tmp_path / "victim").mkdir()
    (runs_dir / "grid" / "report").symlink_to(tmp_path / "victim")
    result = run("report", runs_dir / "grid")
    assert result.exit_code == 1
    assert f"{runs_dir / 'grid' / 'report'}: a symbolic link" in result.stderr
    assert not list((tmp_path / "victim").iterdir())


def test_a_report_that_fails_after_training_does_not_make_the_run_look_lost(run, small_config, runs_dir, monkeypatch):
    """The message says that the run is saved, and the command that draws it."""

    def full(path, _content):
        raise RunError(f"{path}: cannot be written: No space left on device")

    monkeypatch.setattr("cifar_linear.report.pages.write_whole", full)
    result = run("train", "--config", small_config, "--runs-dir", runs_dir)
    (path,) = runs_dir.iterdir()
    assert result.exit_code == 1
    assert "cannot be written: No space left" in result.stderr
    assert f"the run itself is saved; to draw it again: cifar-linear report {path}\n" in result.stderr
    assert RunFolder(path).read_record().status == "finished"
