"""``cifar-linear watch``: what is going on in a folder, from its files alone."""

import json
import os
import shutil
import subprocess
import sys
import time
from typing import get_args

import numpy as np
import pytest

from cifar_linear.cli.braille import curve
from cifar_linear.cli.watch_output import Screen
from cifar_linear.config.models import Config
from cifar_linear.errors import ConfigError, RunError
from cifar_linear.experiments.loading import load_dataset
from cifar_linear.experiments.run import run_group
from cifar_linear.runs.folder import RunFolder
from cifar_linear.runs.places import written_last
from cifar_linear.runs.record import Status
from cifar_linear.sweep import live_page
from cifar_linear.sweep.live_page import LivePage, reloading
from cifar_linear.sweep.watching import Watcher


@pytest.fixture
def swept(own_runs, sweep_file):
    """A sweep of six cells of four epochs; three of the four runs of the fixture are cells of it."""
    config = RunFolder(min(own_runs.iterdir())).read_record().config
    path = sweep_file({"lambda": [0, 0.3, 1], "eta": [0.003, 0.006]}, base=config.to_tree())
    shutil.copy(path, own_runs / "sweep.yaml")
    return own_runs


def change(path, **changes):
    """Write a run's record again with these changes."""
    folder = RunFolder(path)
    folder.write_record(folder.read_record().model_copy(update=changes))


def age(path, seconds=60):
    then = time.time() - seconds
    os.utime(path / "run.json", (then, then))


def test_a_finished_sweep_has_cells_that_wait(swept):
    """Three of the four runs are cells; the one with eta 0.05 is none."""
    snapshot = Watcher(swept).look()
    assert snapshot.cells == 6
    assert snapshot.counts == {"finished": 3, "waiting": 3}
    assert snapshot.progress == 3 / 6
    assert not snapshot.ended
    assert {run.label for run in snapshot.runs} == {f"lambda {lam}, eta 0.003" for lam in ("0", "0.3", "1")}


def test_speed_and_rest_are_those_of_the_records(swept):
    """A pass of three takes 6 s for two epochs: that is an epoch of one run a second, and 6 + 12 are left."""
    for path in swept.glob("2*"):
        change(path, status="running", epoch=2, seconds=6.0, runs_in_pass=3)
    snapshot = Watcher(swept).look()
    assert snapshot.counts == {"running": 3, "waiting": 3}
    assert snapshot.speed == pytest.approx(1)
    assert snapshot.rest == pytest.approx(3 * 2 + 3 * 4)
    assert snapshot.progress == 3 * 2 / (6 * 4)


def test_two_passes_at_once_are_twice_as_fast(swept):
    for path in swept.glob("2*"):
        change(path, status="running", epoch=2, seconds=6.0, runs_in_pass=1)
    assert Watcher(swept).look().speed == pytest.approx(3 * 2 / 18 * 3)


def test_the_rest_is_not_known_before_the_first_save(run, swept):
    for path in swept.glob("2*"):
        change(path, status="running", epoch=None, step=None, metrics={})
    snapshot = Watcher(swept).look()
    assert (snapshot.progress, snapshot.speed, snapshot.rest, snapshot.best) == (0, None, None, {})
    assert run("watch", swept).stdout.splitlines()[1:] == ["  6 cells: 3 running, 3 waiting", "  0 % done"]


def test_cells_that_wait_while_nothing_runs_are_not_promised_a_time(run, swept):
    assert "50 % done; nothing is running" in run("watch", swept).stdout


def test_a_run_that_ended_early_has_nothing_left_to_do(swept):
    change(min(swept.glob("2*")), epoch=1, early_stop=True)
    assert Watcher(swept).look().progress == 3 / 6


def test_a_run_that_no_process_trains_was_killed(swept):
    """Its lock is looked at only when it has not been written for some seconds."""
    first = min(swept.glob("2*"))
    change(first, status="running")
    assert Watcher(swept).look().counts["running"] == 1
    age(first)
    assert Watcher(swept).look().counts["killed"] == 1


def test_the_lock_of_a_run_that_is_being_written_is_left_alone(swept, monkeypatch):
    change(min(swept.glob("2*")), status="running")
    monkeypatch.setattr(RunFolder, "is_at_work", lambda self: pytest.fail("looked at the lock"))
    Watcher(swept).look()


def test_nothing_is_written(run, swept):
    before = {path: path.stat().st_mtime_ns for path in swept.rglob("*")}
    assert run("watch", swept).exit_code == 0
    assert {path: path.stat().st_mtime_ns for path in swept.rglob("*")} == before


def test_training_gives_the_same_bits_when_it_is_watched(make_config, tmp_path, trained):
    config, watcher = make_config(), Watcher(tmp_path / "watched")
    folder = RunFolder.create(tmp_path / "watched", "run")
    run_group([config], [folder], load_dataset(config), lambda _: watcher.look())
    assert (folder.path / "model.npz").read_bytes() == (trained().path / "model.npz").read_bytes()
    assert watcher.look().counts == {"finished": 1}


def test_a_run_is_read_again_only_when_it_was_written(swept, monkeypatch):
    watcher, read = Watcher(swept), []
    original = RunFolder.read_record
    monkeypatch.setattr(RunFolder, "read_record", lambda self: read.append(self.path) or original(self))
    watcher.look()
    assert len(read) == 4
    watcher.look()
    assert len(read) == 4
    os.utime(min(swept.glob("2*")) / "run.json", (0, 0))
    watcher.look()
    assert len(read) == 5


@pytest.mark.parametrize("content", ["", "{", '{"format": 9}', "[" * 10_000])
def test_a_damaged_run_is_a_line(run, swept, content):
    (min(swept.glob("2*")) / "run.json").write_text(content)
    result = run("watch", swept)
    assert result.exit_code == 0
    assert result.stdout.count("left out: ") == 1
    assert "6 cells: 2 finished, 4 waiting" in result.stdout


def test_many_damaged_runs_are_few_lines(run, swept):
    for path in swept.glob("2*"):
        (path / "run.json").write_text("{")
    assert run("watch", swept).stdout.splitlines()[-1] == "  and 1 more that cannot be read"


def test_a_folder_that_is_only_just_made_is_no_run_yet(swept):
    (swept / "20261121T053828Z_lambda-1").mkdir()
    assert Watcher(swept).look().notes == []


def test_a_folder_that_vanishes_is_one_line(run, swept, monkeypatch):
    watcher = Watcher(swept)
    watcher.look()
    shutil.rmtree(swept)
    with pytest.raises(RunError, match="there is no such folder"):
        watcher.look()
    result = run("watch", swept)
    assert (result.exit_code, result.stderr.count("\n")) == (1, 1)


def test_a_run_that_vanishes_is_gone(swept):
    watcher = Watcher(swept)
    watcher.look()
    shutil.rmtree(min(swept.glob("2*")))
    assert watcher.look().counts == {"finished": 2, "waiting": 4}


def test_a_damaged_file_of_a_sweep_is_an_error_with_its_line(run, swept):
    (swept / "sweep.yaml").write_text("grid: {eta: [0.1]}\nbase: {lambdda: 1}\n")
    with pytest.raises(ConfigError):
        Watcher(swept).look()
    assert run("watch", swept).exit_code == 2


def test_the_best_is_that_of_the_metric_of_the_sweep(swept):
    watcher = Watcher(swept)
    by_accuracy, by_loss = max, min
    snapshot = watcher.look()
    assert snapshot.best["synthetic"].accuracy == by_accuracy(run.accuracy for run in snapshot.runs)
    text = (swept / "sweep.yaml").read_text()
    (swept / "sweep.yaml").write_text(f"{text}select_by: validation_loss\n")
    snapshot = watcher.look()
    assert snapshot.best["synthetic"].loss == by_loss(run.loss for run in snapshot.runs)


def test_a_run_that_diverged_is_never_the_best(swept):
    for path in swept.glob("2*"):
        change(path, status="diverged")
    assert Watcher(swept).look().best == {}


def test_each_data_set_has_its_best(swept):
    (swept / "sweep.yaml").unlink()
    first = min(swept.glob("2*"))
    config = RunFolder(first).read_record().config
    change(first, config=Config.model_validate({**config.to_tree(), "data": {"dataset": "mnist"}}))
    snapshot = Watcher(swept).look()
    assert set(snapshot.best) == {"mnist", "synthetic"}
    assert snapshot.best["mnist"].label == first.name


def test_a_single_run_can_be_watched(run, own_runs):
    result = run("watch", "run-3", "--runs-dir", own_runs)
    assert "1 run: 1 finished" in result.stdout
    assert "after epoch 4 of 4" in result.stdout


def test_without_a_name_it_is_what_was_written_last(run, own_runs):
    oldest, *others = sorted(own_runs.iterdir())
    for path in others:
        age(path)
    assert written_last(own_runs) == oldest
    assert run("watch", "--runs-dir", own_runs).stdout.startswith(str(oldest))


def test_a_run_of_a_sweep_counts_for_the_sweep(own_runs, tmp_path):
    (own_runs / "grid").mkdir()
    for path in list(own_runs.glob("2*")):
        age(path)
    (own_runs / "grid" / "sweep.yaml").touch()
    assert written_last(own_runs) == own_runs / "grid"


def test_an_empty_folder_is_one_line(run, tmp_path):
    result = run("watch", "--runs-dir", tmp_path)
    assert result.exit_code == 1
    assert (
        result.stderr == f"error: {tmp_path}: no runs in this folder; train one first, or choose another --runs-dir\n"
    )


def test_every_status_is_counted_and_can_be_asked_for(run, swept):
    """`watch` and `runs` have lists of their own, in the order in which they show them."""
    statuses = {*get_args(Status), "killed"}
    assert {*statuses, "waiting"} <= set(json.loads(run("watch", swept, "--json").stdout))
    for status in statuses:
        assert run("runs", "--status", status, "--runs-dir", swept).exit_code == 0


def test_json_is_the_whole_snapshot(run, swept):
    tree = json.loads(run("watch", swept, "--json").stdout)
    assert (tree["cells"], tree["finished"], tree["waiting"], tree["failed"]) == (6, 3, 3, 0)
    assert tree["progress"] == 0.5
    assert all(len(each["curve"]) == 4 for each in tree["runs"])
    assert tree["best"]["synthetic"] in {each["label"] for each in tree["runs"]}


@pytest.mark.parametrize(("encoding", "drawn"), [("ascii", False), ("latin-1", False), ("utf-8", True)])
def test_a_curve_is_left_out_where_its_characters_cannot_be_printed(own_runs, encoding, drawn):
    command = [sys.executable, "-m", "cifar_linear", "watch", own_runs]
    environment = {**os.environ, "PYTHONIOENCODING": encoding}
    text = subprocess.run(command, env=environment, capture_output=True, check=True).stdout.decode(encoding)
    assert "validation loss" in text
    assert any(0x2800 <= ord(character) < 0x2900 for character in text) == drawn
    assert "\\u28" not in text


def test_names_cannot_write_to_the_terminal(run, own_runs):
    first = min(own_runs.iterdir())
    first.rename(own_runs / "20261121T053828Z_\x1b[31mred")
    assert "\x1b" not in run("watch", own_runs).stdout


def test_a_page_of_ended_runs_is_not_loaded_again(run, own_runs, tmp_path):
    page = tmp_path / "page.html"
    result = run("watch", own_runs, "--html", page)
    assert result.exit_code == 0
    assert result.stderr == f"page: {page}, 100 % done\n"
    assert page.read_text().count('http-equiv="refresh"') == 0
    assert "4 runs: 4 finished" in result.stdout


@pytest.fixture
def drawn(monkeypatch):
    """Reports take no time here; gives the number of those that were written."""
    count = []
    monkeypatch.setattr(LivePage, "_report", lambda self: count.append(1) or "<html><head><title>")
    return count


def test_a_page_is_loaded_again_while_something_runs(swept, tmp_path, drawn):
    watcher = Watcher(swept)
    page = LivePage(watcher, tmp_path / "page.html")
    assert page.follow(watcher.look())
    assert '<head>\n<meta http-equiv="refresh" content="5">' in (tmp_path / "page.html").read_text()


def test_a_page_is_written_when_something_is_new_and_some_seconds_later(swept, tmp_path, drawn, monkeypatch):
    clock = [100.0]
    monkeypatch.setattr(live_page.time, "monotonic", lambda: clock[0])
    watcher = Watcher(swept)
    page = LivePage(watcher, tmp_path / "page.html")
    assert page.follow(watcher.look())
    clock[0] += 60
    assert not page.follow(watcher.look())
    change(min(swept.glob("2*")), status="running", epoch=3)
    assert page.follow(watcher.look())
    change(min(swept.glob("2*")), status="running", epoch=4)
    clock[0] += 1
    assert not page.follow(watcher.look())
    clock[0] += 5
    assert page.follow(watcher.look())
    assert len(drawn) == 3


def test_the_page_of_the_program_has_a_place_for_it(run, own_runs, tmp_path):
    """`reloading` finds the head of a report."""
    run("report", own_runs, "-o", tmp_path)
    text = (tmp_path / "report.html").read_text()
    assert len(reloading(text, 5)) > len(text)


def test_a_terminal_is_followed_until_all_has_ended(swept, monkeypatch, capsys):
    """Lines are written over those before; after a second look at the sweep nothing is left."""
    first = min(swept.glob("2*"))
    (swept / "sweep.yaml").unlink()
    change(first, status="running")
    command = sys.modules["cifar_linear.cli.watch"]  # In its package, this is the name of the command.
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    monkeypatch.setattr(command.time, "sleep", lambda _: change(first, status="finished"))
    command._follow(Watcher(swept), None)
    before, after = capsys.readouterr().out.split("\x1b[J")
    assert "3 finished, 1 running" in before
    assert before.endswith(f"\x1b[{before.count(chr(10))}F")
    assert "4 runs: 4 finished" in after


def test_ctrl_c_ends_the_view_in_peace(run, own_runs, monkeypatch, tmp_path):
    def stop(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(LivePage, "follow", stop)
    result = run("watch", own_runs, "--html", tmp_path / "page.html")
    assert (result.exit_code, result.stderr) == (0, "")


def test_a_screen_cuts_what_does_not_fit(monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "10")
    monkeypatch.setenv("LINES", "4")
    Screen().show(["a" * 20] * 9)
    assert capsys.readouterr().out == "aaaaaaaaa\n" * 3


@pytest.mark.parametrize("count", [0, 1, 2, 79, 80, 81, 1000])
def test_a_curve_is_two_lines_that_fit(count):
    upper, lower = curve(np.random.default_rng(0).normal(size=count).tolist(), 40)
    assert len(upper) == len(lower) == min(40, (count + 1) // 2)
    assert all(0x2800 <= ord(character) < 0x2900 for character in upper + lower)


def test_a_curve_that_falls_has_its_mirror_image_when_it_rises():
    """Dots of the same columns and heights, but for the order of the columns."""
    values = [0, 1, 3, 4, 7, 7]
    rising, falling = (
        sum(bin(ord(c) - 0x2800).count("1") for c in "".join(curve(v, 3))) for v in (values, values[::-1])
    )
    assert rising == falling


def test_a_constant_curve_lies_at_the_foot():
    assert curve([2.0] * 4, 2) == ("⠀⠀", "⣀⣀")
