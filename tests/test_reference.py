"""The reference is what the program says, and says everything: commands, keys, files, exit codes, JSON."""

import importlib.util
import re
from pathlib import Path

import pytest
from doc_blocks import blocks, commands

from cifar_linear.config.models import schema
from cifar_linear.errors import CifarLinearError
from cifar_linear.experiments.loading import load_dataset
from cifar_linear.experiments.run import run_group
from cifar_linear.runs.folder import RunFolder
from cifar_linear.runs.record import Record

DOCS = Path(__file__).parent.parent / "docs"
REFERENCE = {path.name: path.read_text() for path in sorted((DOCS / "reference").glob("*.md"))}
ALL = "\n".join(REFERENCE.values())
NETWORK = {"kind": "network", "layers": [{"conv": {"filters": 2, "kernel": 3}}, "relu", "flatten", "linear"]}


@pytest.fixture(scope="module")
def pages():
    spec = importlib.util.spec_from_file_location("pages", DOCS / "pages.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def regions(kind):
    return re.findall(rf"<!-- program: {kind}(?: ([^\n]*))? -->", ALL)


@pytest.mark.parametrize("name", REFERENCE)
def test_a_page_says_what_the_program_says(name, pages):
    """`make docs` writes the pages again."""
    assert pages.renewed(REFERENCE[name]) == REFERENCE[name]


def test_a_page_that_says_something_else_is_found(pages):
    page = REFERENCE["config.md"].replace("| learning rate |", "| rate of learning |")
    assert pages.renewed(page) != page
    assert pages.renewed(page) == REFERENCE["config.md"]


def test_a_region_that_is_not_known_is_refused(pages):
    with pytest.raises(KeyError):
        pages.renewed("<!-- program: command trian -->\n<!-- end -->")


def test_every_command_is_there_with_an_example(pages):
    names = [name for name, _ in pages.commands()]
    assert sorted(regions("command")) == sorted(names)
    page = REFERENCE["command-line.md"]
    for name in names:
        section = page.partition(f"\n### {name}\n")[2].partition("\n### ")[0]
        lines = [each.words for block in blocks(section) if block.language == "console" for each in commands(block)]
        assert any(line.startswith(f"cifar-linear {name}") for line in lines), name


def test_every_command_can_be_reached_from_the_top_of_the_page(pages):
    links = re.findall(r"\]\(#([\w-]+)\)", REFERENCE["command-line.md"].partition("\n## ")[0])
    assert {name.split(" ")[0] for name, _ in pages.commands()} <= {link.partition("-")[0] for link in links}


def test_every_command_that_prints_json_has_its_keys(pages):
    printing = {name for name, command in pages.commands() if any("--json" in each.opts for each in command.params)}
    shown = regions("json")
    assert all(any(f"{each} ".startswith(f"{name} ") for each in shown) for name in printing)
    assert all(any(f"{each} ".startswith(f"{name} ") for name in printing) for each in shown)


def test_every_key_of_a_config_is_there():
    """Those of sections in the table of their section."""
    properties = schema()["properties"]
    sections = {name.removeprefix("config ") for name in regions("keys")} & set(properties)
    nested = {name for name, key in properties.items() if re.search(r"\$ref", str(key))}
    assert sections == nested
    assert {"config", "sweep", "questions"} <= set(regions("keys"))


def test_every_file_of_a_run_is_there(make_config, tmp_path, run):
    """A linear run and a network, with all that makes a file; and no other file is listed."""
    everything = {"early_stopping": {"patience": 9}, "record_steps": True, "averaging": {"from_epoch": 1}}
    files = set()
    for name, changes in (("linear", {"lam": 0.1}), ("network", {"model": NETWORK, "loss": "softmax"})):
        config = make_config(**everything, **changes)
        folder = RunFolder.create(tmp_path, name)
        run_group([config], [folder], load_dataset(config), lambda _: None)
        if name == "linear":
            assert run("certify", folder.path, "--tolerance", 0.1, "-q").exit_code == 0
            assert run("diagnose", folder.path, "--sensitivity").exit_code == 0
            columns = (folder.path / "metrics.csv").read_text().partition("\n")[0].split(",")
        files |= {path.name for path in folder.path.iterdir()}
    page = REFERENCE["run-folder.md"]
    listed = set(re.findall(r"^\| `([\w.]+?)/?` \|", page.partition("\n## ")[0], re.MULTILINE))
    assert listed == files | {"figures", "report.md", "report.html"}
    table = page.partition("## Columns of `metrics.csv`")[2].partition("\n## ")[0]
    assert set(re.findall(r"`(\w+)`(?=[^|]*\|[^|]*\|$)", table, re.MULTILINE)) == set(columns)


def test_every_status_is_there():
    statuses = set(re.findall(r"^\| `(\w+)` \|", REFERENCE["run-folder.md"].partition("## Status")[2], re.MULTILINE))
    known = Record.model_json_schema()["properties"]["status"]["enum"]
    assert set(known) <= statuses


def test_every_error_has_a_documented_exit_code():
    table = REFERENCE["output.md"].partition("## Exit codes")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| ([\d, ]+) \| [^|]+ \|$", table, re.MULTILINE)
    documented = {int(code) for row in rows for code in row.split(",")}
    used = {error.exit_code for error in CifarLinearError.__subclasses__()}
    assert used | {0, 129, 130, 141, 143} == documented
