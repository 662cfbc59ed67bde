"""What is the same for all commands: help, usage errors, output that cannot be written, completion."""

import io
import logging
import os
import re
import shutil
import signal
import subprocess
import sys

import click
import pytest
from click.testing import CliRunner
from folders import only_run

from cifar_linear import __version__
from cifar_linear.cli import cli
from cifar_linear.cli.terminal import accept_all_text
from cifar_linear.config.datasets import HeldOut
from cifar_linear.config.models import Averaging, EarlyStopping, EvaluationConfig
from cifar_linear.config.reading import parse_config, read_config
from cifar_linear.config.starter import starter, starter_config


def groups(group, prefix=()):
    yield prefix, group
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from groups(command, (*prefix, name))


def start(*words, **environment):
    """The program in a process of its own, with a plain environment."""
    return subprocess.run(
        [sys.executable, "-m", "cifar_linear", *map(str, words)],
        capture_output=True,
        check=False,
        env={**os.environ, **environment},
    )


def shell(command):
    return subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)


PROGRAM = f"{sys.executable} -m cifar_linear"


@pytest.mark.parametrize(
    ("prefix", "group"), [pytest.param(*pair, id=" ".join(pair[0]) or "all") for pair in groups(cli)]
)
def test_the_list_of_commands_is_not_cut(run, prefix, group):
    """Each command has a line of at most 45 characters."""
    for command in group.commands.values():
        assert command.short_help
        assert len(command.short_help) <= 45
        assert command.get_short_help_str(45) == command.short_help.rstrip(".") + "."
    assert "..." not in run(*prefix, "--help").stdout.partition("Commands:")[2]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--foo"], "error: no such option '--foo'\ntry 'cifar-linear --help'\n"),
        (["trian"], "error: no such command 'trian'"),
        (["train", "--seeds", "1"], "error: invalid value for '--seeds': 1 is not in the range"),
        (["evaluate"], "error: missing argument 'RUN'\ntry 'cifar-linear evaluate --help'\n"),
        (["config", "show"], "error: missing argument 'FILE'\ntry 'cifar-linear config show --help'\n"),
        (["train"], "error: CONFIG trains a new run, --resume RUN continues one; give one of them\ntry"),
        (["sweep"], "error: missing CONFIG, a YAML file with base and grid\ntry"),
        (
            ["train", "a.yaml", "--epochs", "5"],
            "error: no such option '--epochs': it is a config key: --set epochs=5\n",
        ),
        (["sweep", "--batch-size=5"], "error: no such option '--batch-size': it is a config key: --set n_batch=5\n"),
        (["train", "--lr"], "error: no such option '--lr': it is a config key: --set eta=VALUE\n"),
        (["runs", "--epochs", "5"], "error: no such option '--epochs'"),
        (["report", "-o", __file__], "error: invalid value for '-o' / '--output': Directory "),
        (["export", "csv", "-o", __file__], "error: invalid value for '-o' / '--output': Directory "),
        (["train", "a.yaml", "--set", "eta", "1"], "error: --set eta: write --set eta=1\ntry"),
        (["train", "a.yaml", "-c", "b.yaml"], "error: CONFIG and --config are two ways to name one file; leave out"),
    ],
)
def test_errors_of_usage_have_the_form_of_all_others(run, words, message):
    result = run(*words)
    assert result.exit_code == 2
    assert result.stderr.replace(": --foo", " '--foo'").startswith(message)
    assert len(result.stderr.splitlines()) <= 3
    assert "Usage" not in result.stderr


def test_without_any_command_the_help_is_shown(run):
    result = run()
    assert result.exit_code in (0, 2)
    assert result.output.startswith("Usage: cifar-linear [OPTIONS] COMMAND")
    assert "error:" not in result.output


def test_common_options_have_one_letter(run, small_config, runs_dir):
    """As in -c for --config; the config may also be an argument."""
    for words in (("-c", small_config), (small_config,)):
        result = run("train", *words, "-s", "epochs=1", "-n", "short", "-q", "--no-figures", "--runs-dir", runs_dir)
        assert (result.exit_code, result.stderr) == (0, "")
        assert "finished after 1 epoch in " in result.stdout
    assert all(path.name.partition("_")[2].startswith("short") for path in runs_dir.iterdir())
    assert run("-V").stdout == run("--version").stdout == f"cifar-linear, version {__version__}\n"


def test_a_dry_run_is_a_plan(run, sweep_file, runs_dir):
    plans = [
        run("sweep", sweep_file({"eta": [0.1]}), option, "-j", 1, "--runs-dir", runs_dir).stdout
        for option in ("--dry-run", "--plan")
    ]
    assert all("1 cell, 0 of them already done" in plan for plan in plans)
    assert not runs_dir.exists()


@pytest.mark.parametrize("dataset", ["cifar10", "mnist", "synthetic"])
def test_a_new_config_is_read_as_what_it_says(run, tmp_path, dataset):
    """Written to a file and printed; a file that exists is kept."""
    path = tmp_path / "mine.yaml"
    assert run("config", "new", path, "--dataset", dataset).stdout == f"config: {path}\n"
    assert read_config(path) == starter_config(dataset)
    for words in ((), ("-",)):
        assert run("config", "new", *words, "--dataset", dataset).stdout == path.read_text() == starter(dataset)
    path.write_text("mine")
    refused = run("config", "new", path)
    assert (refused.exit_code, path.read_text()) == (2, "mine")
    assert refused.stderr == f"error: {path}: exists already and is not overwritten; choose another name\n"
    nowhere = run("config", "new", tmp_path / "none" / "a.yaml")
    assert (nowhere.exit_code, "cannot be written: No such file" in nowhere.stderr) == (2, True)


def test_every_key_of_a_new_config_can_be_switched_on():
    """Each line that is off is a setting: with its mark removed it is read, in place of another of its key."""
    text = starter("synthetic")
    off = re.findall(r"^( *)# (\w+: \S.*)$", text, re.MULTILINE)
    assert len(off) >= 8
    config = {}
    for indent, setting in off:
        key = setting.partition(":")[0]
        instead = {"steps": "epochs"}.get(key, key)
        others = re.sub(rf"^{indent}{instead}: .*\n", "", text, flags=re.MULTILINE)
        changed = parse_config(others.replace(f"{indent}# {setting}", f"{indent}{setting}").encode(), "new.yaml")
        assert changed != starter_config("synthetic")
        config[key] = getattr(changed, key, None) or getattr(changed.data, key)
    assert config["early_stopping"] == EarlyStopping(patience=10)
    assert config["averaging"] == Averaging(from_epoch=20)
    assert config["evaluate"] == EvaluationConfig(per_epoch=5)
    assert config["validation"] == HeldOut(size=200)
    assert config["decay"].kind == "cosine"


def test_a_new_config_trains(run, tmp_path, runs_dir):
    run("config", "new", tmp_path / "mine.yaml")
    result = run("train", tmp_path / "mine.yaml", "-s", "epochs=1", "--no-figures", "--runs-dir", runs_dir)
    assert result.exit_code == 0, result.stderr


def test_a_config_from_standard_input_trains(runs_dir):
    words = ["train", "-", "-q", "--no-figures", "--runs-dir", str(runs_dir)]
    result = CliRunner().invoke(cli, words, input=starter("synthetic").replace("epochs: 40", "epochs: 1"))
    assert result.exit_code == 0, result.stderr
    assert only_run(runs_dir).path.name.endswith("Z_run")


def test_a_full_disk_is_not_taken_for_a_full_stdout(run, monkeypatch):
    """Though the system's error is the same."""
    monkeypatch.setattr("cifar_linear.config.starter.starter", raising(OSError(28, "No space left on device")))
    result = run("config", "new")
    assert result.stderr == "error: unexpected OSError: [Errno 28] No space left on device; --debug shows where\n"


def test_output_that_cannot_be_written_is_a_line(small_config, runs_dir):
    full = "error: the output cannot be written: No space left on device\n"
    for words in ("--help", "--version", "train --help", "config new"):
        result = shell(f"{PROGRAM} {words} > /dev/full")
        assert (result.returncode, result.stderr) == (1, full)


def test_a_run_is_complete_though_its_output_cannot_be_written(small_config, runs_dir):
    """With its report, which is a file."""
    result = shell(f"{PROGRAM} train {small_config} -q --runs-dir {runs_dir} > /dev/full")
    assert result.returncode == 1
    assert result.stderr == "error: the output cannot be written: No space left on device\n"
    assert only_run(runs_dir).read_record().status == "finished"
    assert (only_run(runs_dir).path / "report.html").is_file()


@pytest.mark.parametrize("words", ["--help", "config new", "config schema"])
def test_a_reader_that_leaves_ends_a_command_as_sigpipe_would(words):
    """In silence, with the exit code that shells know."""
    result = shell(f"{PROGRAM} {words} | true; echo ${{PIPESTATUS[0]}}")
    # If all fitted into the pipe before its reader had gone, the command ended as always.
    assert result.stdout in ("141\n", "0\n")
    assert result.stderr == ""
    closed = shell(f"sleep 0.01 > >(true); {{ sleep 0.3; {PROGRAM} {words}; echo $? >&2; }} | true")
    assert closed.stderr == f"{128 + signal.SIGPIPE}\n"


ASCII = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
"""A system on which Python believes in ASCII."""


def test_text_that_the_locale_cannot_read_is_utf_8(four_runs):
    """The heading of a report comes to its page as it was typed."""
    code = (
        "import cifar_linear.report.writing as writing, cifar_linear.cli as cli\n"
        "writing.write_report = lambda found, out, form, title, limits: title\n"
        "cli.main()"
    )
    title = "Überschrift 数据"
    words = [sys.executable, "-c", code, "report", min(four_runs.iterdir()), "--title", title]
    result = subprocess.run(words, capture_output=True, check=False, env={**os.environ, **ASCII})
    assert (result.returncode, result.stdout.decode()) == (0, f"report: {title}\n"), result.stderr


def test_a_name_that_the_locale_cannot_read_is_told_in_ascii(tmp_path):
    result = start("evaluate", "ü", "--runs-dir", tmp_path, **ASCII)
    assert result.returncode == 1
    assert b"no run or sweep has this name" in result.stderr
    assert result.stderr.isascii()


def test_a_folder_whose_name_is_no_text_keeps_its_bytes(tmp_path, small_config):
    """The path that is printed can be given to the next command."""
    runs_dir = os.fsencode(tmp_path) + b"/r\xff"
    words = [sys.executable, "-m", "cifar_linear", "train", small_config, "-q", "--no-figures", "--runs-dir", runs_dir]
    result = subprocess.run(
        words, capture_output=True, check=False, env={**os.environ, "PYTHONIOENCODING": "utf-8:strict"}
    )
    assert result.returncode == 0, result.stderr
    assert os.path.isdir(result.stdout.splitlines()[-1].removeprefix(b"run folder: "))  # noqa: PTH112  # of bytes


@pytest.mark.parametrize(("encoding", "printed"), [("latin-1", b"\xb1 \\u6570"), ("utf-8", b"\xc2\xb1 \xe6\x95\xb0")])
def test_what_an_encoding_lacks_is_escaped(monkeypatch, encoding, printed):
    """And the command goes on."""
    content = io.BytesIO()
    monkeypatch.setattr("sys.stdout", io.TextIOWrapper(content, encoding=encoding))
    accept_all_text()
    sys.stdout.write("± 数")
    sys.stdout.flush()
    assert content.getvalue() == printed


def test_matplotlib_does_not_talk_of_its_folders(run):
    """As it does, through its logger, where it cannot make one in the home folder."""
    run("config", "new")
    assert not logging.getLogger("matplotlib").isEnabledFor(logging.WARNING)


def raising(error):
    def call(*_arguments, **_options):
        raise error

    return call


def test_memory_that_runs_out_is_a_line(run, small_config, runs_dir, monkeypatch):
    """With the command that continues the run."""
    train = ("train", small_config, "-q", "--no-figures", "--runs-dir", runs_dir)
    monkeypatch.setattr("cifar_linear.training.evaluation.evaluate", raising(MemoryError()))
    result = run(*train)
    path = only_run(runs_dir).path
    help_ = "not enough memory; free some, or use fewer images with data.limit"
    assert result.exit_code == 1
    assert result.stderr == f"error: {path}: {help_}. To continue: cifar-linear train --resume {path}\n"
    monkeypatch.undo()
    monkeypatch.setattr("cifar_linear.experiments.jobs.load_dataset", raising(MemoryError("Unable to allocate 5 GiB")))
    assert run(*train).stderr == "error: " + help_.replace(";", ": Unable to allocate 5 GiB;") + "\n"


def test_memory_that_runs_out_at_the_test_set_is_told_with_what_is_left(run, small_config, runs_dir, monkeypatch):
    """And the command that is printed does the rest."""
    monkeypatch.setattr("cifar_linear.experiments.run.evaluate_on_test", raising(MemoryError()))
    result = run("train", small_config, "-q", "--no-figures", "--runs-dir", runs_dir)
    assert result.exit_code == 1
    assert "the run is trained, but not evaluated on the test set: not enough memory; free some" in result.stderr
    monkeypatch.undo()
    words = result.stderr.rpartition("To continue: cifar-linear ")[2].split()
    assert run(*words, "-q", "--no-figures").exit_code == 0
    assert "test" in only_run(runs_dir).read_record().metrics


def completed(words, shell_name, **environment):
    """What completion offers at the end of a command line."""
    line = f"cifar-linear {words}"
    variables = {"COMP_WORDS": line, "COMP_CWORD": str(len(line.split(" ")) - 1), **environment}
    if shell_name == "fish":
        variables["COMP_CWORD"] = line.rsplit(" ", maxsplit=1)[-1]
    result = start(**{"_CIFAR_LINEAR_COMPLETE": f"{shell_name}_complete"}, **variables)
    assert result.returncode == 0, result.stderr
    return result.stdout.decode()


@pytest.mark.parametrize("name", ["bash", "zsh", "fish"])
def test_completion_knows_commands_options_and_runs(name, four_runs):
    """In the three shells that the README names."""
    assert "evaluate" in completed("eva", name)
    assert "--config" in completed("train --con", name)
    assert "synthetic" in completed("config new --dataset syn", name)
    offered = completed("evaluate run-", name, CIFAR_LINEAR_RUNS=str(four_runs))
    assert all(f"run-{i}" in offered for i in range(4))
    assert "last" in completed("train --resume la", name)
    assert "file" in completed("evaluate ./", name)


@pytest.mark.parametrize("name", ["bash", "zsh", "fish"])
def test_the_script_for_each_shell_completes_in_it(name, tmp_path):
    """Sourced by the real shell, where there is one; the line ``cifar-linear ev`` is completed."""
    script = tmp_path / "script"
    script.write_bytes(start(**{"_CIFAR_LINEAR_COMPLETE": f"{name}_source"}).stdout)
    assert f"{name}_complete" in script.read_text()
    shell_path = shutil.which(name)
    if shell_path is None:
        pytest.skip(f"{name} is not installed")
    if name == "zsh":
        checked = subprocess.run([shell_path, "-n", script], capture_output=True, check=False)
        assert (checked.returncode, checked.stderr) == (0, b"")
        return
    program = tmp_path / "cifar-linear"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m cifar_linear "$@"\n')
    program.chmod(0o755)
    line = {
        "bash": f"source {script}; COMP_WORDS=(cifar-linear ev); COMP_CWORD=1; _cifar_linear_completion cifar-linear; "
        "echo ${COMPREPLY[@]}",
        "fish": f"source {script}; complete -C 'cifar-linear ev'",
    }[name]
    environment = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    result = subprocess.run([shell_path, "-c", line], env=environment, capture_output=True, text=True, check=False)
    assert result.stdout.split()[0] == "evaluate", result.stderr
