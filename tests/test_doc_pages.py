"""Every page that a reader follows step by step does what it says: its blocks run, and print what it shows."""

import tempfile
from pathlib import Path

import doc_blocks
import pytest

DOCS = Path(__file__).parent.parent / "docs"
PAGES = [DOCS / "tutorial.md", *sorted((DOCS / "how-to").glob("*.md")), *sorted((DOCS / "course").glob("*.md"))]
PAGES += sorted((DOCS / "reference").glob("*.md"))


@pytest.mark.parametrize(
    "page", [pytest.param(page, id=str(page.relative_to(DOCS))) for page in PAGES if page.exists()]
)
def test_a_page_prints_what_its_commands_print(page, tmp_path, monkeypatch):
    monkeypatch.setenv("MPLBACKEND", "agg")
    doc_blocks.run_page(page, tmp_path)


def page(text, tmp_path):
    """Run a page with this text, in a new folder."""
    path = tmp_path / "page.md"
    path.write_text(text)
    doc_blocks.run_page(path, Path(tempfile.mkdtemp(dir=tmp_path)))


def console(*lines):
    return "\n".join(["```console", *lines, "```", ""])


def test_a_wrong_output_is_found(tmp_path):
    with pytest.raises(AssertionError, match=r"page\.md:2: \$ echo two\nexit code 0\ntwo"):
        page(console("$ echo two", "three"), tmp_path)


def test_an_output_that_is_left_out_is_found(tmp_path):
    with pytest.raises(AssertionError, match="exit code 0\ntwo"):
        page(console("$ echo two"), tmp_path)


def test_three_dots_stand_for_lines_and_for_parts_of_lines(tmp_path):
    page(console("$ seq 9", "1", "...", "9", "$ echo one two three", "one ... three"), tmp_path)


def test_durations_and_dates_may_differ(tmp_path):
    assert doc_blocks.matches("in 0.4 s: runs/20261121T053828Z_a", "in 12 s: runs/20270101T000000Z_a\n")
    assert not doc_blocks.matches("in 0.4 s: 5 cells", "in 0.4 s: 6 cells\n")


def test_an_exit_code_must_be_named(tmp_path):
    page(console("$ cifar-linear evaluate none  # exit code 1", "error: ..."), tmp_path)
    with pytest.raises(AssertionError, match="exit code 1"):
        page(console("$ cifar-linear evaluate none", "error: ..."), tmp_path)


def test_a_block_can_be_a_file_for_later_commands(tmp_path):
    page("```yaml\n# mine.yaml\neta: 0.5\n```\n" + console("$ cat mine.yaml", "# mine.yaml", "eta: 0.5"), tmp_path)


def test_a_variable_is_exported_to_later_commands(tmp_path):
    page(console("$ export CIFAR_LINEAR_RUNS=there", "$ echo $CIFAR_LINEAR_RUNS", "there"), tmp_path)


def test_yaml_is_read_by_the_program(tmp_path):
    page("```yaml\ndecay: {kind: step, every: 5, factor: 0.1}\n```\n", tmp_path)
    with pytest.raises(Exception, match="did you mean 'decay'"):
        page("```yaml\ndecai: {kind: step, every: 5, factor: 0.1}\n```\n", tmp_path)


def test_python_runs_in_one_namespace(tmp_path):
    page("```python\na = 1\n```\n\n```python\nassert a == 1\n```\n", tmp_path)
    with pytest.raises(NameError):
        page("```python\nassert b == 1\n```\n", tmp_path)


def test_a_block_of_another_language_is_refused(tmp_path):
    with pytest.raises(AssertionError, match="line 2: a block of the language 'bash'"):
        page("```bash\nls\n```\n", tmp_path)


def test_a_block_with_a_reason_is_left_out(tmp_path):
    page("<!-- not run: it needs a cluster -->\n" + console("$ sbatch job", "Submitted"), tmp_path)


def test_outputs_are_renewed_where_they_differ(tmp_path):
    path = tmp_path / "page.md"
    path.write_text(console("$ echo one", "one", "$ echo two", "three", "four", "$ seq 3", "..."))
    assert doc_blocks.update(path) == [f"{path}:4: changed: echo two"]
    assert path.read_text() == console("$ echo one", "one", "$ echo two", "two", "$ seq 3", "...")
