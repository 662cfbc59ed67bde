"""Runs by their names, wherever a command takes a run."""

import json
import shutil
from datetime import UTC, datetime

import pytest
from folders import folders

from cifar_linear.errors import RunError
from cifar_linear.runs.discovery import find, find_run, named, newest_runs
from cifar_linear.runs.folder import RunFolder
from cifar_linear.runs.places import made_name, names, parsed_name


@pytest.fixture(scope="module")
def trained(tmp_path_factory, make_four_runs):
    """Runs called run-0 to run-3, and a sweep called grid with one run called lambda-0."""
    runs_dir = make_four_runs(tmp_path_factory.mktemp("names"))
    first = min(runs_dir.iterdir())
    (runs_dir / "grid").mkdir()
    shutil.copytree(first, runs_dir / "grid" / first.name.replace("run-0", "lambda-0"))
    record = RunFolder(first).read_record()
    base = record.config.to_tree()
    (runs_dir / "grid" / "sweep.yaml").write_text(json.dumps({"base": base, "grid": {"lambda": [0.0]}}))
    return runs_dir


@pytest.fixture
def runs(trained, tmp_path):
    """A copy that a test may change."""
    return shutil.copytree(trained, tmp_path / "runs")


def of_name(runs, name):
    return max(path for path in runs.iterdir() if path.name.endswith(name))


@pytest.mark.parametrize("name", ["lambda-0", "a_1_b", "twice_2"])
@pytest.mark.parametrize("count", [1, 2, 10])
def test_the_name_of_a_folder_can_be_read_again(name, count):
    """A number at its end may be the run's own."""
    made = parsed_name(made_name(datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC), name, count))
    assert made.when == "20260304T050607Z"
    assert made.numbers[name] == count
    assert made.numbers[made.name] == 1


def test_other_names_are_of_no_made_folder():
    assert [parsed_name(name) for name in ("grid", "20260304T050607Z", "20260304_a", "20260304T050607Z_")] == [None] * 4


@pytest.mark.parametrize(
    "command",
    [("evaluate",), ("verify", "--quiet"), ("predict", "--json"), ("train", "--quiet", "--no-figures", "--resume")],
    ids=lambda words: words[0],
)
def test_every_command_takes_the_name_of_a_run(run, runs, tmp_path, command):
    """Also that of a run of a sweep, and last; in the folder of --runs-dir, or of the variable."""
    more = ["--set", "epochs=5"] if "--resume" in command else []
    if command[0] == "predict":
        run("data", "show", "--count", 1, "-o", tmp_path / "image.png")
        more = [tmp_path / "image.png"]
    for name in ("run-2", "grid/lambda-0", "last"):
        result = run(*command, name, *more, "--runs-dir", runs)
        assert result.exit_code == 0, result.stderr


def test_a_report_takes_names_of_runs_and_sweeps(run, runs, monkeypatch):
    """The pages are not written, only what would be on them is looked at."""
    reported = []
    for module in ("sweep.reporting", "report.writing"):  # The first is not to import the second one patched.
        patched = f"cifar_linear.{module}.write_report"
        monkeypatch.setattr(patched, lambda found, *_: reported.append([run.name[17:] for run in found.runs]))
    monkeypatch.setenv("CIFAR_LINEAR_RUNS", str(runs))
    for words in (("run-1", "run-3"), ("grid",), ("last",), ("grid/lambda-0", of_name(runs, "run-2"))):
        result = run("report", *words)
        assert result.exit_code == 0, result.stderr
    assert reported == [["run-1", "run-3"], ["lambda-0"], ["run-3"], ["lambda-0", "run-2"]]


def test_a_path_comes_before_a_name(runs, tmp_path, monkeypatch):
    """If it is that of a run; a folder that only has the name of one does not hide it."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "run-1").mkdir()
    assert find_run(runs, "run-1") == of_name(runs, "run-1")
    shutil.copytree(of_name(runs, "run-0"), tmp_path / "run-1", dirs_exist_ok=True)
    assert find_run(runs, "run-1").resolve() == tmp_path / "run-1"
    assert find_run(runs, str(of_name(runs, "run-2"))) == of_name(runs, "run-2")


def test_of_several_runs_of_one_name_the_newest_is_meant(runs):
    older, newer = runs / "20200101T000000Z_mine", runs / "20200101T000000Z_mine_2"
    for path in (older, newer):
        shutil.copytree(of_name(runs, "run-0"), path)
    assert named(runs, "mine") == newer
    (runs / "20300101T000000Z_mine").mkdir()  # In which nothing has begun.
    assert named(runs, "mine") == newer


def test_the_last_run_is_the_one_that_was_begun_last(runs):
    """Whatever it is called, and however often it was resumed; damaged ones are passed over."""
    path = of_name(runs, "run-1").rename(runs / "a-name-of-my-own")
    record = RunFolder(path).read_record()
    RunFolder(path).write_record(record.model_copy(update={"created": "2030-01-01T00:00:00+00:00"}))
    assert find_run(runs, "last") == path
    (path / "run.json").write_text("{")
    assert find_run(runs, "last") == of_name(runs, "run-3")


def test_a_name_that_is_not_there_is_told_with_those_near_it(run, runs):
    result = run("evaluate", "run-7", "--runs-dir", runs)
    assert result.exit_code == 1
    assert result.stderr == (
        f"error: {runs / 'run-7'}: no run or sweep has this name; near it: run-3, run-2, run-1, run-0; "
        "train it first, or choose another --runs-dir\n"
    )
    result = run("evaluate", "grid", "--runs-dir", runs)
    expected = "the folder of a sweep; name one of its runs; there are: grid/lambda-0"
    assert result.stderr == f"error: {runs / 'grid'}: {expected}\n"
    assert "grid/lambda-1: no run" in run("evaluate", "grid/lambda-1", "--runs-dir", runs).stderr
    result = run("train", "--resume", "last", "--runs-dir", runs / "none")
    assert (
        result.stderr
        == f"error: {runs / 'none'}: no runs in this folder; train one first, or choose another --runs-dir\n"
    )


def test_without_a_near_name_all_are_told(run, runs):
    said = run("evaluate", "zzz", "--runs-dir", runs).stderr
    assert "no run or sweep has this name; there are: " in said


def test_a_folder_without_its_record_is_called_damaged(run, runs):
    """By its name, by its path, and where all runs are reported."""
    path = of_name(runs, "run-1")
    (path / "run.json").unlink()
    said = f"{path}: damaged: there is no run.json; copy it back, or train again with the config.yaml in this folder"
    for words in (("evaluate", "run-1"), ("report", "run-1"), ("evaluate", path), ("report", path), ("report",)):
        assert said in run(*words, "--runs-dir", runs).stderr


def test_a_folder_above_the_runs_is_told_with_theirs(run, runs):
    result = run("report", runs.parent, "--runs-dir", runs)
    assert result.stderr == f"error: {runs.parent}: no runs in this folder; did you mean {runs}?\n"
    result = run("report", "--runs-dir", runs / "none")
    assert result.stderr.startswith(f"error: {runs / 'none'}: there is no such folder; train first, or name a run")


def test_a_name_that_two_have_is_told_with_both(runs):
    of_run = of_name(runs, "run-0").rename(runs / "20200101T000000Z_grid")
    with pytest.raises(RunError) as caught:
        newest_runs(runs, "grid")
    assert str(caught.value) == f"grid: there are {runs / 'grid'} and {of_run}; name one of them by its path"


@pytest.mark.parametrize("name", ["", ".", "..", "/", "/etc", "../runs", "grid/..", "a/b/c", "a//x", "a\0b", "a/"])
def test_what_is_no_name_does_not_lead_out_of_the_runs_folder(runs, name):
    """As in a file of questions, where no path can stand."""
    with pytest.raises(RunError, match="not the name of a run; use a name, or sweep/cell"):
        newest_runs(runs, name)


def test_a_question_about_no_name_is_refused(run, runs, tmp_path):
    (tmp_path / "q.yaml").write_text("title: x\nquestions: [{question: y, runs: ['', /etc], figures: []}]\n")
    result = run("report", "--questions", tmp_path / "q.yaml", "--runs-dir", runs)
    assert result.exit_code == 1
    assert "questions.0.runs: '': not the name of a run" in result.stderr
    assert "questions.0.runs: '/etc': not the name of a run" in result.stderr


def test_a_path_that_is_no_run_is_left_to_the_command(run, runs, tmp_path):
    """Which says what it lacks."""
    for path in (tmp_path, tmp_path / "none" / "deep"):
        assert find(runs, str(path)) == path
        assert "not a run folder: there is no run.json" in run("evaluate", path, "--runs-dir", runs).stderr
    assert run("evaluate", "x" * 300, "--runs-dir", runs).stderr.startswith(f"error: {runs}/xxx")


def test_names_are_those_without_times(runs):
    assert names(runs) == ["grid", "run-0", "run-1", "run-2", "run-3"]
    assert names(runs / "grid") == ["lambda-0"]
    assert names(runs / "none") == []
    assert len(folders(runs)) == 1
