import re
from typing import get_args

import pytest

from cifar_linear.config.figure_names import FigureName
from cifar_linear.errors import RunError
from cifar_linear.report.sections import SECTIONS, SHEETS
from cifar_linear.runs.discovery import newest_runs
from cifar_linear.runs.folder import RunFolder
from cifar_linear.runs.report_files import drawn_in


def test_questions_are_answered_by_the_newest_runs_of_their_names(run, tmp_path):
    """A section for each, with its table, its figures and nothing else; a sweep's cell by its name."""
    base = "data: {dataset: synthetic, images_per_batch: 300, classes: [1, 2]}\nlambda: 0\nn_batch: 20\nepochs: 2\n"
    options = "eta: 0.01\nloss: logistic\nevaluate: {per_epoch: 3}\nrecord_steps: true\n"
    (tmp_path / "pair.yaml").write_text(base + options)
    (tmp_path / "lambdas.yaml").write_text("base: pair.yaml\ngrid: {lambda: [0, 1]}\n")
    (tmp_path / "questions.yaml").write_text(
        "title: Two shapes\n"
        "questions:\n"
        "  - {question: 'What is learned?', runs: [pair], figures: [cost, templates], ylim: {cost: [0, 1]}}\n"
        "  - {question: 'What does lambda do?', runs: [lambdas], figures: [norms], answer: Look.}\n"
        "  - {question: 'And one alone?', runs: [lambdas/lambda-1], figures: [accuracy]}\n"
    )
    common = ("--runs-dir", tmp_path / "runs", "--no-figures")
    for seed in (1, 2):
        run("train", "--config", tmp_path / "pair.yaml", "--set", f"seed={seed}", *common)
    run("sweep", "--config", tmp_path / "lambdas.yaml", *common)
    arguments = ("report", "--questions", tmp_path / "questions.yaml", "--runs-dir", tmp_path / "runs", "-o", tmp_path)
    result = run(*arguments)
    assert result.exit_code == 0, result.stderr
    text = (tmp_path / "report.md").read_text()
    assert re.findall("^#+ (.+)$", text, re.MULTILINE) == [
        "Two shapes", "What is learned?", "What does lambda do?", "And one alone?",
    ]  # fmt: skip
    captions = [
        "Loss and cost",
        "Class templates: their patterns",
        "What lambda leaves of the weights",
        "Accuracy",
    ]
    assert re.findall(r"^\*\*Figure \d\. (.+)\.\*\* .+", text, re.MULTILINE) == captions
    named = re.findall(r"\]\((figures/.+)\)", text)
    assert named == [f"figures/{name}.png" for name in ("1-cost", "1-templates", "2-norms", "3-accuracy")]
    assert all((tmp_path / name).is_file() for name in named)
    assert re.search(r"^lambda from 0 to 1: (test|validation) accuracy", text, re.MULTILINE)
    page = (tmp_path / "report.html").read_text()
    assert page.count("<figure ") == 4
    folder = RunFolder(newest_runs(tmp_path / "runs", "pair")[0])
    assert folder.read_record().config.seed == 2
    assert len(folder.read_steps()) == 2 * 3
    (tmp_path / "questions.yaml").write_text("title: x\nquestions: [{question: y, runs: [nobody], figures: [cots]}]\n")
    result = run(*arguments)
    assert result.exit_code == 2
    assert "questions.0.figures.0: must be 'grid', 'parallel'" in result.stderr


def test_ends_of_an_axis_that_show_nothing_are_refused(run, tmp_path):
    for ends in (("accuracy", "90", "100"), ("accuracy", "1", "0"), ("cost", "nan", "1")):
        result = run("report", tmp_path, "--ylim", *ends)
        assert result.exit_code == 2
        assert "error: invalid value for --ylim" in result.stderr
    (tmp_path / "q.yaml").write_text(
        "title: x\nquestions: [{question: y, runs: [a, b/c], figures: [cost], ylim: {accuracy: [1, 0]}, anser: z}]\n"
    )
    result = run("report", "--questions", tmp_path / "q.yaml")
    assert result.exit_code == 2
    assert "questions.0.ylim: accuracy from 1 to 0: two numbers, the lower one first" in result.stderr
    assert "questions.0.anser: unknown key; did you mean 'questions.answer'?" in result.stderr


def test_all_missing_runs_of_all_questions_are_told(run, tmp_path):
    (tmp_path / "q.yaml").write_text(
        "title: x\nquestions: [{question: y, runs: [a, b/c], figures: []}, {question: z, runs: [d], figures: []}]\n"
    )
    result = run("report", "--questions", tmp_path / "q.yaml", "--runs-dir", tmp_path)
    assert result.exit_code == 1
    assert len(re.findall(r"questions\.(0|1)\.runs: \S+: no run or sweep has this name", result.stderr)) == 3


def test_a_question_about_runs_that_are_not_there_is_told(tmp_path):
    with pytest.raises(RunError, match="no run or sweep has this name; train it first"):
        newest_runs(tmp_path, "nobody")


def test_every_figure_that_a_report_has_can_be_asked_for():
    """It stands in a section, and a report that is written again finds its old file."""
    sections = [name for section in SECTIONS for name in section.figures]
    assert sorted(sections) == sorted(get_args(FigureName))
    assert set(SHEETS) <= set(sections)


def test_figures_of_the_folder_of_a_report_are_known_by_their_names(tmp_path):
    figures = ["parallel.png", "reliability.pdf", "templates-common-scale-2.svg", "maps-1.png", "filters.png"]
    others = ["grid-2.png", "my-cost.png", "cost.txt"]
    for name in figures + others:
        (tmp_path / name).touch()
    assert sorted(path.name for path in drawn_in(tmp_path)) == sorted(figures)
