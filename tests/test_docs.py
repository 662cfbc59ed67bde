"""What the documentation says is held against the program."""

import re
import shlex
from pathlib import Path

import click
import pytest

from cifar_linear import __version__
from cifar_linear.cli import cli
from cifar_linear.cli.train import train
from cifar_linear.config.models import Config
from cifar_linear.config.reading import parse_config
from cifar_linear.config.sweeps import read_sweep
from cifar_linear.errors import CifarLinearError, ConfigError

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
MAKEFILE = (ROOT / "Makefile").read_text()


def commands(group, prefix=()):
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from commands(command, (*prefix, name))
        else:
            yield (*prefix, name), command


@pytest.mark.parametrize(("words", "command"), [pytest.param(*pair, id=" ".join(pair[0])) for pair in commands(cli)])
def test_every_command_is_in_the_readme_and_explains_itself(words, command):
    assert f"cifar-linear {' '.join(words)}" in README
    assert command.help
    assert all(parameter.help for parameter in command.params if isinstance(parameter, click.Option))


def test_every_command_line_in_the_readme_is_understood():
    """Each is parsed, not run: unknown commands and options fail."""
    lines = re.findall(r"^\$? ?(cifar-linear .+)$", README, re.MULTILINE)
    assert len(lines) >= 5
    for line in lines:
        command, *words = shlex.split(line.partition(" > ")[0], comments=True)[1:]
        context = cli.get_command(None, command).make_context(command, words, resilient_parsing=False)
        assert context.command.name == command


def test_every_make_target_in_the_docs_exists():
    targets = set(re.findall(r"^([\w.-]+):", MAKEFILE, re.MULTILINE)) | {
        path.stem for path in (ROOT / "configs" / "required").glob("*.yaml")
    }
    mentioned = set(re.findall(r"`make ([\w.-]+)`|^make ([\w.-]+)", README, re.MULTILINE))
    assert mentioned
    assert {first or second for first, second in mentioned} <= targets


def test_every_config_key_is_in_the_readme():
    keys = [field.alias or name for name, field in Config.model_fields.items()]
    assert all(f"`{key}" in README for key in keys)


def test_every_exit_code_of_the_readme_is_that_of_the_architecture():
    table = re.compile(r"^\| ([\d, ]+) \| ([^|]+) \|$", re.MULTILINE)
    assert table.findall(README) == table.findall((ROOT / "docs" / "architecture.md").read_text())


def test_every_error_has_a_documented_exit_code():
    rows = re.findall(r"^\| ([\d, ]+) \| [^|]+ \|$", README, re.MULTILINE)
    documented = {int(code) for row in rows for code in row.split(",")}
    used = {error.exit_code for error in CifarLinearError.__subclasses__()}
    assert used | {0, 129, 130, 143} == documented


def test_the_version_is_the_same_everywhere(run):
    assert run("--version").stdout == f"cifar-linear, version {__version__}\n"
    assert f"\nversion: {__version__}\n" in (ROOT / "CITATION.cff").read_text()
    assert f"\n## {__version__} " in (ROOT / "CHANGELOG.md").read_text()


def test_options_of_train_are_those_of_the_readme():
    named = {option for parameter in train.params for option in parameter.opts} - {"--debug"}
    assert all(f"`{option}" in README or f" {option}" in README for option in named)


def blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.MULTILINE | re.DOTALL)


def test_the_readmes_config_is_one():
    assert parse_config(blocks("yaml")[0].encode(), "README").lam == 0.1


def test_the_readmes_sweep_is_one(tmp_path):
    """With the nine cells of the table below it."""
    _, text = blocks("yaml")
    (tmp_path / "nine.yaml").write_text(text)
    (tmp_path / "configs").symlink_to(ROOT / "configs")
    cells = read_sweep(tmp_path / "nine.yaml").cells
    rows = re.findall(r"^ +([\d.]+) +([\d.]+) +[\d.]+ %", README, re.MULTILINE)
    assert {(cell.config.lam, cell.config.eta) for cell in cells} == {(float(lam), float(eta)) for lam, eta in rows}


def test_the_readmes_errors_are_those_of_the_program():
    """Its config with three mistakes gives the block that stands there."""
    text = blocks("yaml")[0].replace("lambda: 0.1", "lamda: 0.1").replace("0.001", "-0.001").replace("40", "2.5")
    with pytest.raises(ConfigError) as caught:
        parse_config(text.encode(), "mine.yaml")
    assert f"```\nerror: {caught.value}\n```\n" in README


def test_the_readmes_python_runs():
    for code in blocks("python"):
        exec(compile(code, "README", "exec"), {})


def test_every_promise_names_a_test_that_exists():
    """And so does every row of a table of promises."""
    text = (ROOT / "docs" / "reliability.md").read_text()
    named = re.findall(r"`(test_\w+\.py)::(test_\w+)`", text)
    assert len(named) > 25
    for file, test in named:
        assert f"def {test}(" in (ROOT / "tests" / file).read_text()
    promises = re.findall(r"\| promise \| test \|\n\| --- \| --- \|\n((?:\|.*\n)+)", text)
    assert len(promises) == 3
    for row in "".join(promises).splitlines():
        assert "::test_" in row
