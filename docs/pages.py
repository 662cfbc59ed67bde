"""Writes what the pages of docs/reference say of the program: between their marks, from the program itself.

``<!-- program: keys config data -->`` begins what `written` gives for these words, ``<!-- end -->`` ends it; all around
it is written by hand. `make docs` renews the pages, and a test fails where one says something else.
"""

from __future__ import annotations

import inspect
import json
import re
import shutil
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import chdir
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import click
import numpy as np
from click.testing import CliRunner

from cifar_linear.cli import cli
from cifar_linear.config.models import schema
from cifar_linear.config.questions import Questions
from cifar_linear.config.sweeps import SweepFile
from cifar_linear.config.yaml_tree import as_yaml

HERE = Path(__file__).parent
_REGION = re.compile(r"(<!-- program: ([^\n]+) -->\n).*?(<!-- end -->)", re.DOTALL)
_FILES = {"config": schema(), "sweep": schema(SweepFile), "questions": schema(Questions)}
_EXAMPLE = "data: {dataset: synthetic, images_per_batch: 60}\nlambda: 0.01\neta: 0.003\nn_batch: 20\nepochs: 2\n"
_STUDENT = """\
import numpy as np

def EvaluateClassifier(X, W, b):
    S = np.exp(W @ X + b)
    return S / S.sum(axis=0)

def ComputeCost(X, Y, W, b, lam):
    return -np.log((Y * EvaluateClassifier(X, W, b)).sum(axis=0)).mean() + lam * (W**2).sum()

def ComputeGradients(X, Y, P, W, lam):
    G = P - Y
    return G @ X.T / X.shape[1] + lam * W, G.mean(axis=1, keepdims=True)
"""
_JSON = {
    "train": "train small.yaml --json -q --no-figures -n small",
    "train --seeds": "train small.yaml --seeds 2 --json -q --no-figures -n seeds",
    "sweep": "sweep grid.yaml --json -q --no-figures",
    "sweep --plan": "sweep grid.yaml --plan --json -n other",
    "runs": "runs --json",
    "watch": "watch small --json",
    "evaluate": "evaluate small --json",
    "predict": "predict small picture.png --json",
    "verify": "verify small --json",
    "certify": "certify small --json -q",
    "diagnose": "diagnose small --json",
    "data doubts": "data doubts small.yaml --json -q",
    "data duplicates": "data duplicates small.yaml --json",
    "probe": "probe . --json -q --no-figures -n probe",
    "course check": "course check handins --sample 0 --json -q",
    "gradcheck": "gradcheck --module student.py --json",
}
"""Every command that prints JSON, in an order in which each finds what it needs."""


_OPEN = ("config", "environment", "settings", "probabilities", "differences", "best")
"""Objects whose keys depend on what they are about."""


class Key(NamedTuple):
    """A key of a YAML file, as a row of a table."""

    key: str
    kind: str
    range: str
    default: str
    meaning: str


def renewed(page: str) -> str:
    """Return a page with what the program says now."""
    return _REGION.sub(lambda match: f"{match[1]}\n{written(match[2])}\n{match[3]}", page)


def written(what: str) -> str:
    """Return the Markdown of a region. Raises `KeyError` for one that is not known."""
    kind, _, rest = what.partition(" ")
    return {"command": _command, "keys": _keys, "json": _json}[kind](rest)


def commands(group: click.Group = cli, before: str = "") -> Iterator[tuple[str, click.Command]]:
    """Every command with its name, such as ``data show``."""
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from commands(command, f"{before}{name} ")
        else:
            yield before + name, command


def _command(name: str) -> str:
    """Usage, help and options of a command."""
    command = dict(commands())[name]
    context = click.Context(command, info_name=f"cifar-linear {name}")
    usage = " ".join([context.command_path, *command.collect_usage_pieces(context)])
    rows = []
    for parameter in command.params:
        if isinstance(parameter, click.Option) and (record := parameter.get_help_record(context)):
            names, text = record
            rows.append((f"`{_cell(names)}`", _cell(text)))
    return f"`{usage}`\n\n{inspect.cleandoc(command.help or '')}\n\n{_table(('option', 'what it does'), rows)}"


def _keys(what: str) -> str:
    """The keys of a file, or those of one of its sections: ``config``, ``config data``."""
    file, _, section = what.partition(" ")
    tree = _FILES[file]
    definitions = tree.get("$defs", {})
    found = _rows(tree, definitions)
    if file == "config":
        of_section = [row for row in found if row.key.startswith(f"`{section}.")] if section else []
        found = of_section or [_linked(row) for row in found if not re.match(r"`\w+[.\[]", row.key)]
    return _table(("key", "type", "range", "default", "meaning"), found)


def _linked(row: Key) -> Key:
    """A key of the top level; a section is linked."""
    return row._replace(kind=f"[section](#{row.key.strip('`')})") if row.kind == "section" else row


def _rows(tree: Mapping[str, Any], definitions: Mapping[str, Any], prefix: str = "") -> list[Key]:
    """A row for each key of a mapping, followed by those of what it may hold."""
    rows = []
    for name, key in tree.get("properties", {}).items():
        choices = list(_choices(key, definitions))
        default = "required" if name in tree.get("required", ()) else _default(key.get("default"))
        kind = _either(word for choice in choices for word in _kinds(choice))
        limits = _either(_range(choice) for choice in choices)
        rows.append(Key(f"`{prefix}{name}`", kind, limits, default, _cell(key.get("description", ""))))
        rows += _of_sections(choices, definitions, f"{prefix}{name}.")
        for choice in choices:
            items = list(_choices(choice.get("items", {}), definitions))
            rows += _of_sections(items, definitions, f"{prefix}{name}[].")
    return rows


def _of_sections(choices: Iterable[Mapping[str, Any]], definitions: Mapping[str, Any], prefix: str) -> list[Key]:
    """The keys of all sections that a key may hold; a key that only some have names these."""
    sections = [choice for choice in choices if "properties" in choice]
    found: dict[Key, list[str]] = {}
    for section in sections:
        for row in _rows(section, definitions, prefix):
            found.setdefault(row, []).append(_word(section))
    words = [_word(section) for section in sections]
    choosing = [row for row in found if row.kind in {f"`{word}`" for word in words} and _is_in(prefix, row)]
    first = choosing[:1] if len(choosing) < 2 else [_one_of(choosing)]
    return first + [
        row._replace(key=f"{row.key} ({', '.join(names)})")
        if all(words) and names != words and _is_in(prefix, row)
        else row
        for row, names in found.items()
        if row not in choosing
    ]


def _one_of(rows: Iterable[Key]) -> Key:
    """The row of a key that chooses among sections, from its rows in them."""
    rows = list(rows)
    default = next((row.default for row in rows if row.default != "required"), "required")
    meaning = next((row.meaning for row in rows if row.meaning), "")
    return rows[0]._replace(kind=_either(row.kind for row in rows), default=default, meaning=meaning)


def _is_in(prefix: str, row: Key) -> bool:
    """Whether a row is that of a key of this very section, not of one below."""
    return re.fullmatch(rf"`{re.escape(prefix)}\w+`", row.key) is not None


def _word(section: Mapping[str, Any]) -> str:
    """The value that chooses a section among others, such as ``mnist``; empty if there is none."""
    return next((key["const"] for key in section["properties"].values() if "const" in key), "")


def _choices(key: Mapping[str, Any], definitions: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """What a key may hold; not null, which stands for off."""
    if "$ref" in key:
        yield from _choices(definitions[key["$ref"].rpartition("/")[2]], definitions)
    elif alternatives := key.get("anyOf") or key.get("oneOf"):
        for alternative in alternatives:
            yield from _choices(alternative, definitions)
    elif key.get("type") != "null":
        yield key


def _kinds(choice: Mapping[str, Any]) -> list[str]:
    """The words for what one choice allows."""
    words = {"integer": "whole number", "number": "number", "boolean": "`true` or `false`", "string": "text"}
    if "enum" in choice or "const" in choice:
        return [f"`{value}`" for value in choice.get("enum", [choice.get("const")])]
    if choice.get("type") == "array":
        items = choice.get("items", {})
        return [f"list of {_either(_kinds(items)).replace('number', 'numbers')}" if "type" in items else "list"]
    return [words.get(choice.get("type", ""), "section")]


def _range(choice: Mapping[str, Any]) -> str:
    limits = {
        "minimum": "at least {}",
        "exclusiveMinimum": "above {}",
        "maximum": "at most {}",
        "exclusiveMaximum": "below {}",
        "minItems": "at least {} of them",
    }
    found = [text.format(_number(choice[name])) for name, text in limits.items() if name in choice]
    each = _range(choice["items"]) if "items" in choice else ""
    return ", ".join([*found, f"each {each}"] if each else found)


def _number(value: float) -> str:
    return f"{int(value)}" if value == int(value) else f"{value:g}"


def _default(value: Any) -> str:
    if value is None:
        return "off"
    return f"`{as_yaml({'key': value}, flow=True).strip()[len('{key: ') : -1]}`"


def _either(words: Iterable[str]) -> str:
    """Words without repetition, the last one after an or."""
    different = list(dict.fromkeys(filter(None, words)))
    return " or ".join([", ".join(different[:-1]), different[-1]] if len(different) > 1 else different)


def _cell(text: str) -> str:
    return re.sub(r"\s+", " ", text.replace("|", "\\|"))


def _table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A table in Markdown."""
    titles = list(head)
    lines = [titles, ["---"] * len(titles), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _json(name: str) -> str:
    """Every key of what a command prints with --json, and the type of its value."""
    kinds: dict[str, list[str]] = {}
    for path, kind in _paths(_documents()[name]):
        kinds.setdefault(path, []).append(kind)
    rows = ((f"`{path}`", _either(sorted(found, key="null".__eq__))) for path, found in kinds.items())
    return _table(("key", "type"), rows)


def _paths(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Each key with dots between the levels, ``[]`` for each of a list, and its type."""
    kinds = {dict: "object", list: "list", str: "text", bool: "true or false", int: "number", float: "number"}
    if isinstance(value, dict) and value and path.rpartition(".")[2] not in _OPEN:
        for key, part in value.items():
            yield from _paths(part, f"{path}.{key}" if path else key)
    elif isinstance(value, list) and any(isinstance(part, dict) for part in value):
        for part in value:
            yield from _paths(part, f"{path}[]")
    else:
        yield path, "null" if value is None else kinds[type(value)]


@cache
def _documents() -> Mapping[str, Any]:
    """What each command prints with --json, on generated images."""
    documents = {}
    with tempfile.TemporaryDirectory() as folder, chdir(folder):
        Path("small.yaml").write_text(_EXAMPLE)
        Path("student.py").write_text(_STUDENT)
        Path("grid.yaml").write_text("base: small.yaml\ngrid: {eta: [0.001, 0.003]}\n")
        run("data show --config small.yaml --count 1 -o picture.png")
        for split, count in (("train", 60), ("test", 20)):
            features = np.random.default_rng(0).normal(size=(count, 8)).astype(np.float32)
            np.save(f"{split}.npy", features)
            np.save(f"{split}_labels.npy", (features[:, 0] > 0).astype(int))
        for name, words in _JSON.items():
            documents[name] = json.loads(run(words))
            if name == "train":
                shutil.copytree(documents[name]["folder"], "handins/alice")
    return documents


def run(words: str) -> str:
    """Return what a command prints on stdout. Raises RuntimeError if it fails."""
    result = CliRunner().invoke(cli, words.split())
    if result.exit_code not in (0, 5):  # A check that fails prints its document as well.
        raise RuntimeError(f"{words}: {result.output}")
    return result.stdout


if __name__ == "__main__":
    for path in sorted(HERE.rglob("*.md")):
        text = path.read_text()
        if text != renewed(text):
            path.write_text(renewed(text))
            sys.stdout.write(f"{path.relative_to(HERE)}: written again\n")
