import json
import re
from base64 import b64decode
from html.parser import HTMLParser

import pytest

from cifar_linear.config.models import Cifar10Data
from cifar_linear.report.collecting import collect
from cifar_linear.report.writing import _markdown, write_report
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
    """Differences first, then figures of each run, curves, templates and histograms."""
    result = run("report", "--runs-dir", four_runs, "-o", tmp_path)
    assert result.exit_code == 0, result.stderr
    assert result.stdout == f"report: {tmp_path / 'report.html'}\n"
    text = (tmp_path / "report.md").read_text()
    assert "| run | lambda | eta |\n| --- | --- | --- |\n| lambda 0, eta 0.003 | 0 | 0.003 |" in text
    for found in collect([four_runs]).runs:
        assert f"| {100 * found.test_accuracy:.2f} % | {100 * found.last['validation_accuracy']:.2f} % |" in text
    named = re.findall(r"!\[.+\]\((.+)\)", text)
    names = ("cost", "accuracy", "templates", "templates-common-scale", "norms", "probabilities")
    assert named == [f"figures/{name}.png" for name in names]
    assert all((tmp_path / name).read_bytes().startswith(b"\x89PNG") for name in named)
    assert "synthetic" in text


def test_page_is_one_file_with_alt_texts(four_runs, tmp_path):
    """Every address is inside the page, and every picture is a whole PNG that says what it shows."""
    page = Page(write_report(collect([four_runs]), tmp_path).read_text())
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
    assert "written by another version (format 0, this one reads 1)" in notes[0]
    assert "model.npz: damaged, or not a file of this program" in notes[1]
    assert f"{third.path.name}: killed after epoch 4: its process is gone; train --resume goes on with it" in notes[2]
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
    run("report", path, *sorted(four_runs.iterdir())[:1], "-o", tmp_path / "page")
    assert "test accuracy, best weights" in (tmp_path / "page" / "report.md").read_text()
