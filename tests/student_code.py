"""Checks of students' code in this process, and ways to change it."""

import contextlib
import io
import json
import re
from pathlib import Path

import pytest

from cifar_linear.course.gradients.checking import judge, prepare
from cifar_linear.course.gradients.child import call_all
from cifar_linear.course.gradients.definitions import describe
from cifar_linear.course.gradients.sandbox import Answer


def changed(source, *changes):
    """A source with texts replaced, each of which must be there."""
    for old, new in changes:
        assert source.count(old) == 1, old
        source = source.replace(old, new)
    return source


def planted(rows):
    """Parameters of a test from a table: a right solution, the names of planted mistakes, and how they are planted."""
    return [
        pytest.param(changed(source, *changes), names, id=f"{i}-{'+'.join(sorted(names))}")
        for i, (source, names, changes) in enumerate(rows)
    ]


def notebook(source):
    """A source as a notebook, a cell for each definition, among cells that do something else."""
    parts = [
        "%matplotlib inline\n!pip install numpy\nimport numpy as np",
        "this is no Python",
        *re.split(r"\n\n(?=\S)", source),
    ]
    cells = [{"cell_type": "code", "source": part.splitlines(keepends=True)} for part in parts]
    return json.dumps({"cells": [{"cell_type": "markdown", "source": ["# Mine"]}, *cells]})


def checked_here(path: Path, source: str, renamed=None):
    """The check of a source in this process: for code of our own, which needs no guards."""
    path.write_text(source)
    module = prepare(str(path), describe(str(path)), renamed or {})
    with contextlib.redirect_stdout(io.StringIO()) as output:
        request = dict(module.request)
        plan = json.loads(request.pop("plan"))
        answers = call_all(plan, request)
    return judge(module, Answer(answers, output.getvalue(), ""), [])


def named(checked):
    """The names of all mistakes, without what follows from them."""
    names = {fault.name for verdict in checked.verdicts for fault in verdict.faults}
    return names - {"not its own derivative", "follows probabilities"}
