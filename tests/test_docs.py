"""What the documentation says is held against the program."""

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import get_args

import click
import pytest
from pydantic import BaseModel

import cifar_linear
from cifar_linear import __version__, load_run
from cifar_linear.cli import cli
from cifar_linear.config.models import Config
from cifar_linear.config.reading import parse_config
from cifar_linear.config.sweeps import read_sweep
from cifar_linear.errors import CifarLinearError, ConfigError

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
MAKEFILE = (ROOT / "Makefile").read_text()
NOTEBOOK = json.loads((ROOT / "docs" / "notebook.ipynb").read_text())


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


def cells(kind):
    """The text of all cells of a kind in the notebook, in order."""
    return ["".join(cell["source"]) for cell in NOTEBOOK["cells"] if cell["cell_type"] == kind]


def test_the_notebook_runs(tmp_path, monkeypatch):
    """Its cells one after another, in a folder of their own, as a kernel would run them."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MPLBACKEND", "agg")
    names = {}
    for number, code in enumerate(cells("code"), start=1):
        exec(compile(code, f"cell {number} of the notebook", "exec"), names)
    assert load_run("last").status == "finished"
    names["plt"].close("all")


def test_the_notebook_shows_what_its_cells_gave():
    """Every code cell was run, in order and without an error; pictures have a text that stands for them."""
    ran = [cell for cell in NOTEBOOK["cells"] if cell["cell_type"] == "code"]
    assert [cell["execution_count"] for cell in ran] == list(range(1, len(ran) + 1))
    outputs = [output for cell in ran for output in cell["outputs"]]
    assert {output["output_type"] for output in outputs} <= {"execute_result", "display_data", "stream"}
    shown = [output["data"] for output in outputs if "image/png" in output.get("data", {})]
    assert len(shown) >= 4
    assert sum("".join(data["text/plain"]).startswith("<Picture") for data in shown) >= 3


def test_the_notebook_uses_every_public_name_that_does_something():
    code = "\n".join(cells("code"))
    assert {name for name in cifar_linear.__all__ if re.search(rf"\b{name}\b", code)} >= {
        "Experiment",
        "LinearSGDClassifier",
        "load_run",
        "train",
    }


def test_every_make_target_in_the_docs_exists():
    targets = set(re.findall(r"^([\w.-]+):", MAKEFILE, re.MULTILINE)) | {
        path.stem for path in (ROOT / "configs" / "required").glob("*.yaml")
    }
    mentioned = set(re.findall(r"`make ([\w.-]+)`|^make ([\w.-]+)", README, re.MULTILINE))
    assert mentioned
    assert {first or second for first, second in mentioned} <= targets


def keys(model, prefix=""):
    """Every key of a config at every level, dotted."""
    for name, field in model.model_fields.items():
        key = prefix + (field.alias or name)
        yield key
        for section in models(field.annotation):
            yield from keys(section, f"{key}.")


def models(annotation):
    """The sections that a key may hold."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    else:
        for part in get_args(annotation):
            yield from models(part)


def rows():
    """The table of keys: what each row says, by the keys that it is about."""
    table = README.partition("| key | means | default |")[2].partition("\n\n")[0]
    for line in table.splitlines()[2:]:
        named, _, text = line.strip("| ").partition(" | ")
        yield from ((key, text) for key in re.findall(r"`([^`]+)`", named))


@pytest.mark.parametrize("key", sorted(set(keys(Config))))
def test_every_config_key_is_in_the_table_of_the_readme(key):
    """A key of a section stands in the row of its section, or of any outer one."""
    table = dict(rows())
    outer = key.rpartition(".")[0]
    if key in table or not outer:
        assert key in table or any(row.startswith(f"{key}.") for row in table)
        return
    name = key.removeprefix(f"{outer}.")
    said = " ".join(text for row, text in table.items() if row.startswith(outer.partition(".")[0]))
    assert re.search(rf"`{re.escape(key)}`|`{name}`|[{{ ]{name}: ", said)


def test_every_exit_code_of_the_readme_is_that_of_the_architecture():
    table = re.compile(r"^\| ([\d, ]+) \| ([^|]+) \|$", re.MULTILINE)
    assert table.findall(README) == table.findall((ROOT / "docs" / "architecture.md").read_text())


def test_every_error_has_a_documented_exit_code():
    rows = re.findall(r"^\| ([\d, ]+) \| [^|]+ \|$", README, re.MULTILINE)
    documented = {int(code) for row in rows for code in row.split(",")}
    used = {error.exit_code for error in CifarLinearError.__subclasses__()}
    assert used | {0, 129, 130, 141, 143} == documented


def test_the_version_is_the_same_everywhere(run):
    assert run("--version").stdout == f"cifar-linear, version {__version__}\n"
    assert f"\nversion: {__version__}\n" in (ROOT / "CITATION.cff").read_text()
    assert f"\n## {__version__} " in (ROOT / "CHANGELOG.md").read_text()


@pytest.mark.parametrize(("words", "command"), [pytest.param(*pair, id=" ".join(pair[0])) for pair in commands(cli)])
def test_every_option_of_every_command_is_in_the_docs(words, command):
    """In the README or on the page of the command line, the short form as well."""
    pages = README + (ROOT / "docs" / "reference" / "command-line.md").read_text()
    options = {name for option in command.params if isinstance(option, click.Option) for name in option.opts}
    assert options
    assert not [name for name in options if not re.search(rf"(?<![\w-]){name}(?![\w-])", pages)]


def test_the_lines_for_completion_are_those_of_the_program():
    """The variable that the page names is the one that starts completion in a process of its own."""
    page = (ROOT / "docs" / "reference" / "command-line.md").read_text()
    lines = re.findall(r"(_\w+)=(\w+)_source cifar-linear", page)
    assert [shell for _, shell in lines] == ["bash", "zsh", "fish"]
    for variable, shell in lines:
        words = [sys.executable, "-m", "cifar_linear"]
        environment = {**os.environ, variable: f"{shell}_source"}
        script = subprocess.run(words, env=environment, capture_output=True, text=True, check=True).stdout
        assert f"{variable}={shell}_complete" in script


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


def test_the_readmes_python_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for code in blocks("python"):
        exec(compile(code, "README", "exec"), {})


def test_every_promise_names_a_test_that_exists():
    """And so does every row of a table of promises."""
    text = (ROOT / "docs" / "explanation" / "reliability.md").read_text()
    named = re.findall(r"`(test_\w+\.py)::(test_\w+)`", text)
    assert len(named) > 25
    for file, test in named:
        assert f"def {test}(" in (ROOT / "tests" / file).read_text()
    promises = re.findall(r"\| promise \| test \|\n\| --- \| --- \|\n((?:\|.*\n)+)", text)
    assert len(promises) == 4
    for row in "".join(promises).splitlines():
        assert "::test_" in row
