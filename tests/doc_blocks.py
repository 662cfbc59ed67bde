"""Runs the blocks of a page of the docs in order, as its reader would, and compares what they print.

The blocks of a page share one folder, which has the project's ``configs``:

- ``console``: lines that begin with ``$`` are commands (a backslash at the end continues one), the others what they
  print, on stdout and stderr. A line ``...`` stands for any lines, ``...`` in a line for any text. Durations such as
  ``0.4 s``, dates, and the times in names of run folders may differ. A command that ends with ``# exit code 5`` must
  have this exit code, any other 0. ``export NAME=VALUE`` holds until the end of the page.
- ``python``: runs, in one namespace for the page; ``yaml``: is read as a config, a sweep or questions, where a config
  may leave out what it is not about; ``json``: is parsed.
- A first line ``# mine.yaml`` or ``# student.py`` makes the block a file of this name, which later commands may use.
- ``<!-- not run: reason -->`` above a block leaves it out. A block inside an HTML comment runs and is not shown.
- Other languages are refused, except for ``text``, which is a picture of something.

``python tests/doc_blocks.py PAGE...`` runs pages and puts what commands print now where it differs.
"""

import json
import os
import re
import shlex
import subprocess
import sys
import tempfile
from contextlib import chdir
from pathlib import Path
from typing import NamedTuple

import yaml
from click.testing import CliRunner

from cifar_linear.cli import cli
from cifar_linear.config.questions import read_questions
from cifar_linear.config.reading import parse_config
from cifar_linear.config.sweeps import read_sweep

ROOT = Path(__file__).parent.parent
BASE = {"data": {"dataset": "synthetic"}, "lambda": 0.1, "eta": 0.001, "n_batch": 100, "epochs": 2}
_BLOCK = re.compile(
    r"^(?P<indent> *)(?:<!-- not run: (?P<reason>[^\n]+) -->\n+ *)?```(?P<language>\w*)[^\n]*\n(?P<text>.*?)^ *```$",
    re.MULTILINE | re.DOTALL,
)
_VARYING = re.compile(r"(\.\.\.|\d{8}T\d{6}Z|\d{4}-\d\d-\d\d \d\d:\d\d(?::\d\d)?|\b\d+(?:\.\d+)? s\b)")
_PATTERNS = {"Z": r"\d{8}T\d{6}Z", "s": r"\d+(?:\.\d+)? s", ".": r".*?"}
_DATE = r"\d{4}-\d\d-\d\d \d\d:\d\d(?::\d\d)?"
_EXIT_CODE = re.compile(r"\s+# exit code (\d+)$")


class Block(NamedTuple):
    """A fenced block, the line of its first line of text, and why it is not run, if it is not."""

    language: str
    text: str
    line: int
    reason: str | None

    @property
    def file(self):
        """The name of the file that the block is, or None."""
        match = re.match(r"# ([\w-]+\.(?:ya?ml|py))\n", self.text)
        return match and match[1]


class Command(NamedTuple):
    """A command of a console block, the line it is on, its exit code, and the output that the page shows."""

    words: str
    line: int
    exit_code: int
    shown: str

    @property
    def last_line(self):
        """The line of its last word."""
        return self.line + self.words.count("\n")


def blocks(page):
    """Every fenced block of a page's text, in order."""
    for match in _BLOCK.finditer(page):
        line = page.count("\n", 0, match.start("text")) + 1
        lines = match["text"].splitlines(keepends=True)
        text = "".join(line.removeprefix(match["indent"]) for line in lines)
        yield Block(match["language"], text, line, match["reason"])


def commands(block):
    """Every command of a console block."""
    lines = block.text.splitlines()
    starts = [number for number, line in enumerate(lines) if line.startswith("$ ")]
    if lines and starts[:1] != [0]:
        raise AssertionError(f"line {block.line}: a console block begins with a line that begins with $")
    for start, end in zip(starts, [*starts[1:], len(lines)], strict=True):
        last = start
        while lines[last].endswith("\\"):
            last += 1
        text = "\n".join(lines[start : last + 1]).removeprefix("$ ")
        code = _EXIT_CODE.search(text)
        shown = "".join(f"{line}\n" for line in lines[last + 1 : end])
        yield Command(_EXIT_CODE.sub("", text), block.line + start, int(code[1]) if code else 0, shown)


def pattern(shown):
    """The regular expression of all output that a page shows like this."""
    return "".join(r"(?:.*\n)*?" if line.strip() == "..." else f"{_line(line)}\n" for line in shown.splitlines())


def _line(line):
    parts = _VARYING.split(line.rstrip())
    return "".join(_PATTERNS.get(part[-1], _DATE) if odd % 2 else re.escape(part) for odd, part in enumerate(parts))


def matches(shown, printed):
    """Whether a command printed what the page shows; spaces at the ends of lines do not count."""
    return re.fullmatch(pattern(shown), _tidy(printed)) is not None


def _tidy(printed):
    return "".join(f"{line.rstrip()}\n" for line in printed.rstrip().splitlines())


class Reader:
    """Somebody who follows a page, in a folder of their own."""

    def __init__(self, folder):
        self.folder = folder
        self.environment = {}
        self.names = {}
        if not (folder / "configs").exists():
            (folder / "configs").symlink_to(ROOT / "configs", target_is_directory=True)

    def follow(self, block):
        """Do what a block says; yield each command with what it printed and its exit code."""
        if block.reason is not None:
            return
        with chdir(self.folder):
            if block.file:
                Path(block.file).write_text(block.text)
            if block.language == "console":
                for command in commands(block):
                    yield command, *self.run(command.words)
            else:
                self._read(block)

    def run(self, words):
        """Run a command; return what it printed, on stdout and stderr together, and its exit code."""
        words = words.replace("\\\n", " ")
        if words.startswith("export "):
            name, _, value = shlex.split(words)[1].partition("=")
            self.environment[name] = value
            return "", 0
        if words.startswith("cifar-linear ") and not re.search(r"[|<>&;$*`~]", words):
            result = CliRunner().invoke(cli, shlex.split(words)[1:], prog_name="cifar-linear", env=self.environment)
            return result.output, result.exit_code
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        environment = {**os.environ, "PATH": path, "OPENBLAS_NUM_THREADS": "1", **self.environment}
        output = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
        done = subprocess.run(["bash", "-c", words], env=environment, check=False, **output)
        return done.stdout, done.returncode

    def _read(self, block):
        if block.language == "python":
            if not block.file:
                exec(compile(block.text, "the page", "exec"), self.names)
        elif block.language == "yaml":
            read_yaml(block.text)
        elif block.language == "json":
            json.loads(block.text)
        elif block.language != "text":
            raise AssertionError(f"line {block.line}: a block of the language {block.language!r} cannot be run")


def read_yaml(text):
    """Read a block with the reader of its kind: questions, a sweep or a config. Raises `ConfigError`."""
    tree = yaml.safe_load(text)
    if not {"questions", "grid", "cells", "base"} & set(tree):
        return parse_config((text + _what_is_missing(tree)).encode(), "the block")
    path = Path(".block.yaml")
    path.write_text(text)
    try:
        return read_questions(path) if "questions" in tree else read_sweep(path)
    finally:
        path.unlink()


def _what_is_missing(tree):
    """The required keys that a part of a config leaves out, as text."""
    present = set(tree) | ({"epochs"} if "steps" in tree else set())
    rest = {key: value for key, value in BASE.items() if key not in present}
    return yaml.safe_dump(rest) if rest else ""


def run_page(path, folder):
    """Run every block of a page in a folder. Raises AssertionError with all commands that print something else."""
    wrong = []
    reader = Reader(folder)
    for block in blocks(path.read_text()):
        for command, printed, exit_code in reader.follow(block):
            if exit_code != command.exit_code or not matches(command.shown, printed):
                wrong.append(f"{path.name}:{command.line}: $ {command.words}\nexit code {exit_code}\n{printed}")
    if wrong:
        raise AssertionError("\n".join(wrong))


def update(path):
    """Run a page, write what its commands print now where it differs, and return what was changed or failed."""
    text, changes, said = path.read_text(), [], []
    with tempfile.TemporaryDirectory() as folder:
        reader = Reader(Path(folder))
        for command, printed, exit_code in (each for block in blocks(text) for each in reader.follow(block)):
            if exit_code != command.exit_code:
                said.append(f"{path}:{command.line}: exit code {exit_code}: {command.words}\n{printed}")
            if not matches(command.shown, printed):
                said.append(f"{path}:{command.line}: changed: {command.words}")
                changes.append((command.last_line, command.last_line + command.shown.count("\n"), _tidy(printed)))
    lines = text.splitlines(keepends=True)
    for start, end, printed in reversed(changes):
        lines[start:end] = [printed]
    path.write_text("".join(lines))
    return said


if __name__ == "__main__":
    for name in sys.argv[1:]:
        sys.stdout.writelines(f"{line}\n" for line in update(Path(name)))
