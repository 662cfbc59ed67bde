"""What the documentation says is held against the program."""

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import click
import pytest
from doc_blocks import blocks, matches
from doc_blocks import commands as commands_of

import cifar_linear
from cifar_linear import __version__, load_run
from cifar_linear.cli import cli
from cifar_linear.config.reading import parse_config
from cifar_linear.config.sweeps import read_sweep
from cifar_linear.errors import ConfigError
from cifar_linear.report.tables import RESULTS

ROOT = Path(__file__).parent.parent
PAGES = [path.relative_to(ROOT) for path in (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")))]
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
def test_every_command_explains_itself(words, command):
    assert command.help
    assert all(parameter.help for parameter in command.params if isinstance(parameter, click.Option))


@pytest.mark.parametrize(("words", "command"), [pytest.param(*pair, id=" ".join(pair[0])) for pair in commands(cli)])
def test_the_example_of_a_help_is_the_first_of_the_page(run, words, command):
    page = (ROOT / "docs" / "reference" / "command-line.md").read_text()
    section = page.partition(f"\n### {' '.join(words)}\n")[2]
    lines = [
        command.words for block in blocks(section) if block.language == "console" for command in commands_of(block)
    ]
    first = next(line for line in lines if line.startswith(f"cifar-linear {words[0]}"))
    assert run(*words, "--help").stdout.endswith(f"\n  Example:\n    {first}\n")


def console_lines(path):
    """The commands of the console blocks of a page, with the numbers of their lines."""
    found = [
        command for block in blocks(path.read_text()) if block.language == "console" for command in commands_of(block)
    ]
    return [(command.line, command.words.replace("\\\n", " ")) for command in found]


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_every_command_line_in_the_docs_is_understood(page):
    """Each is parsed, also where it is not run: unknown commands and options fail; not what the shell fills in."""
    for line, words in console_lines(ROOT / page):
        if words.startswith("cifar-linear ") and "$" not in words:
            command, *rest = shlex.split(words.partition(" > ")[0], comments=True)[1:]
            try:
                context = cli.get_command(None, command).make_context(command, rest, resilient_parsing=False)
            except click.exceptions.UsageError as error:
                pytest.fail(f"{page}:{line}: {error.format_message()}")
            assert context.command.name == command


def anchors(text):
    """The names by which the headings of a page are linked."""
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_every_link_and_picture_exists(page):
    """With its heading, where it names one."""
    text = (ROOT / page).read_text()
    for target in re.findall(r"\]\(([^)\s]+)\)", re.sub(r"```.*?```", "", text, flags=re.DOTALL)):
        if not target.startswith("https://"):
            path, _, anchor = target.partition("#")
            file = (ROOT / page).parent / path if path else ROOT / page
            assert file.exists(), target
            assert not anchor or anchor in anchors(file.read_text()), target


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_every_picture_names_the_command_that_made_it(page):
    """In the paragraph below it, or below those that follow it at once."""
    text = (ROOT / page).read_text()
    for match in re.finditer(r"^!\[(.+?)\]\((.+?)\)\n", text, re.MULTILINE):
        paragraphs = text[match.end() :].strip().split("\n\n")
        caption = next(paragraph for paragraph in paragraphs if not paragraph.startswith("!["))
        made = re.match(r"Made with `(make|cifar-linear) ([\w.-]+)", caption)
        assert made, match[2]
        assert made[2] in (targets() if made[1] == "make" else cli.commands)


def test_every_picture_of_the_docs_is_shown_somewhere():
    shown = {name for page in PAGES for name in re.findall(r"figures/([\w-]+\.png)\)", (ROOT / page).read_text())}
    assert {path.name for path in (ROOT / "docs" / "figures").iterdir()} == shown


def test_the_readme_is_short_and_names_the_command_for_tests():
    assert len(README.splitlines()) <= 120
    assert "$ make test\n" in README
    assert "\nmake check\n" in (ROOT / ".ci" / "run").read_text()
    assert "`make test`, the test command of the README" in (ROOT / ".ci" / "run").read_text()


def test_every_page_is_reached_from_the_readme():
    """In two steps at most."""
    reached = {ROOT / "README.md"}
    for _ in range(2):
        for page in list(reached):
            links = re.findall(r"\]\(([^)#\s]+\.md)", page.read_text())
            reached |= {(page.parent / link).resolve() for link in links if (page.parent / link).exists()}
    assert {ROOT / page for page in PAGES} <= reached


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


def targets():
    """What can be made."""
    named = set(re.findall(r"^([\w.-]+):", MAKEFILE, re.MULTILINE))
    return named | {path.stem for path in (ROOT / "configs" / "required").glob("*.yaml")}


def test_every_make_target_in_the_docs_exists():
    text = "\n".join((ROOT / page).read_text() for page in PAGES)
    mentioned = set(re.findall(r"`make ([\w.-]+)`|^\$ make ([\w.-]+)", text, re.MULTILINE))
    assert mentioned
    assert {first or second for first, second in mentioned} <= targets()


def test_the_version_is_the_same_everywhere(run):
    assert run("--version").stdout == f"cifar-linear, version {__version__}\n"
    assert f"\nversion: {__version__}\n" in (ROOT / "CITATION.cff").read_text()
    assert f"\n## {__version__} " in (ROOT / "CHANGELOG.md").read_text()


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


def shown(page, language):
    return [block.text for block in blocks((ROOT / page).read_text()) if block.language == language]


def test_every_column_of_a_report_is_explained():
    page = (ROOT / "docs" / "reference" / "report.md").read_text().replace("\\|", "|")
    for column in RESULTS:
        assert f"\n| `{column.title}` | " in page


def test_the_config_of_the_readme_is_the_one_of_the_reference():
    ours, theirs = (
        parse_config(shown(page, "yaml")[0].encode(), page) for page in ("README.md", "docs/reference/config.md")
    )
    assert ours == theirs


def test_the_sweep_on_cifar10_has_the_cells_of_its_table(tmp_path):
    page = "docs/how-to/grid.md"
    (tmp_path / "nine.yaml").write_text(shown(page, "yaml")[-1])
    (tmp_path / "configs").symlink_to(ROOT / "configs")
    cells = read_sweep(tmp_path / "nine.yaml").cells
    rows = re.findall(r"^ +([\d.]+) +([\d.]+) +[\d.]+ %", shown(page, "console")[-1], re.MULTILINE)
    assert {(cell.config.lam, cell.config.eta) for cell in cells} == {(float(lam), float(eta)) for lam, eta in rows}


def test_the_errors_of_the_reference_are_those_of_the_program():
    """Its config with four mistakes gives the block that stands there."""
    page = "docs/reference/config.md"
    text = shown(page, "yaml")[0].replace("lambda: 0.1", "lamda: 0.1").replace("0.001", "-0.001").replace("40", "2.5")
    with pytest.raises(ConfigError) as caught:
        parse_config(text.encode(), "mine.yaml")
    assert f"error: {caught.value}\n" in shown(page, "text")


def test_the_output_in_the_readme_is_that_of_the_program(run, tmp_path):
    """`make run` trains this config."""
    result = run("train", ROOT / "configs" / "quickstart.yaml", "--runs-dir", tmp_path / "runs", "-q", "--no-figures")
    expected = shown("README.md", "console")[0].partition("...\n")[2]
    assert matches(expected, result.stdout.replace(str(tmp_path / "runs"), "runs"))


def test_every_promise_names_a_test_that_exists():
    """And so does every row of a table of promises."""
    text = (ROOT / "docs" / "explanation" / "reliability.md").read_text()
    named = re.findall(r"`(test_\w+\.py)::(test_\w+)`", text)
    assert len(named) > 25
    for file, test in named:
        assert f"def {test}(" in (ROOT / "tests" / file).read_text()
    promises = re.findall(r"\| promise \| test \|\n\| --- \| --- \|\n((?:\|.*\n)+)", text)
    assert len(promises) == 5
    for row in "".join(promises).splitlines():
        assert "::test_" in row
