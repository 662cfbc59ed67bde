"""The definitions in a student's file, found without running it: functions, classes, constants, imports of libraries.

Needs nothing but the standard library, so that another Python can run it as a script: syntax that is newer than the
Python of this program is read by the student's own.
"""

from __future__ import annotations

import ast
import json
import sys
from pathlib import Path
from typing import Any

LIBRARIES = {"numpy", "scipy", *getattr(sys, "stdlib_module_names", ("math", "copy", "time", "random", "itertools"))}
"""Their imports are kept. All others are left out: a module of the student's own may train when it is imported."""
_MOST_BYTES = 20 * 2**20
_MOST_CODE = 2**20
"""Figures are most of a large notebook."""
_CONSTANT = (
    ast.Constant,
    ast.Name,
    ast.Attribute,
    ast.Tuple,
    ast.List,
    ast.Dict,
    ast.Set,
    ast.UnaryOp,
    ast.BinOp,
    ast.unaryop,
    ast.operator,
    ast.expr_context,
)


def describe(path: str) -> dict[str, Any]:
    """What a ``.py`` or ``.ipynb`` file defines, as plain data, with the modules beside it that it imports names from.

    Returns:
        ``source``, the text; ``kept``, the numbers of the top-level statements to run; ``places``, for a notebook, the
        cell and line of every line; ``functions``, parameters by name; ``classes``, methods and attributes by name;
        ``libraries``, modules that are imported anywhere;
        ``imports``, where names that are left out come from; ``skipped``, cells that are no Python. Or ``error``.
    """
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        return {"error": f"cannot be read: {error.strerror}"}
    if len(content) > _MOST_BYTES:
        return {"error": f"has {len(content) >> 20} MiB; at most {_MOST_BYTES >> 20} are read"}
    try:
        source, places, skipped = _cells(content) if path.endswith(".ipynb") else (content.decode(), [], [])
        tree = ast.parse(source) if len(source) <= _MOST_CODE else ast.Module([], [])
        beside = _beside(tree, Path(path).parent, {Path(path).stem})
    except SyntaxError as error:
        return {"error": f"line {error.lineno} is no Python {sys.version_info[0]}.{sys.version_info[1]}: {error.msg}"}
    except (ValueError, RecursionError, MemoryError) as error:
        return {"error": f"cannot be read as Python: {error}"}
    if len(source) + sum(len(line) for _, line in beside) > _MOST_CODE:
        return {"error": f"has more code than the {_MOST_CODE >> 20} MiB that are read"}
    if beside:
        places = [p for p, _ in beside] + (places or [f"line {n}" for n in range(1, source.count("\n") + 2)])
        source = "\n".join([line for _, line in beside] + [source])
        tree = ast.parse(source)
    return {"source": source, "places": places, "skipped": skipped, "libraries": _libraries(tree), **_definitions(tree)}


def _beside(tree: ast.Module, folder: Path, seen: set[str]) -> list[tuple[str, str]]:
    """Place and text of each line of the modules in the folder that names are imported from, the deepest first."""
    lines = []
    for node in tree.body:
        name = node.module if isinstance(node, ast.ImportFrom) else None
        if name is None or name in seen or "." in name or not (folder / f"{name}.py").is_file():
            continue
        seen.add(name)
        try:
            text = (folder / f"{name}.py").read_text(encoding="utf-8")
            part = ast.parse(text)
        except (OSError, ValueError, SyntaxError):
            continue
        lines += _beside(part, folder, seen)
        lines += [(f"{name}.py, line {number}", line) for number, line in enumerate(text.split("\n"), 1)]
    return lines


def _cells(content: bytes) -> tuple[str, list[str], list[str]]:
    """The code of a notebook in one text, where each line of it stands, and cells that are left out."""
    lines: list[str] = []
    places: list[str] = []
    skipped = []
    try:
        cells = json.loads(content)["cells"]
        codes = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    except (KeyError, TypeError) as error:
        raise ValueError("it has no cells as a notebook has") from error
    for number, code in enumerate(codes, 1):
        cell = ["" if line.lstrip().startswith(("%", "!", "?")) else line for line in code.splitlines()]
        try:
            ast.parse("\n".join(cell))
        except SyntaxError as error:
            skipped.append(f"cell {number}, line {error.lineno}: {error.msg}")
            continue
        lines += cell
        places += [f"cell {number}, line {line}" for line in range(1, len(cell) + 1)]
    return "\n".join(lines) + "\n", places, skipped


def _definitions(tree: ast.Module) -> dict[str, Any]:
    functions, classes, imports, kept = {}, {}, {}, []
    for number, node in enumerate(tree.body):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            functions[node.name] = _parameters(node.args)
        elif isinstance(node, ast.ClassDef):
            classes[node.name] = _class(node)
        elif isinstance(node, ast.Assign) and isinstance(node.value, ast.Lambda):
            functions.update({t.id: _parameters(node.value.args) for t in node.targets if isinstance(t, ast.Name)})
        elif isinstance(node, (ast.Import, ast.ImportFrom)) and not _is_of_library(node):
            imports.update(_left_out(node))
            continue
        elif not isinstance(node, (ast.Import, ast.ImportFrom)) and not _is_constant(node):
            continue
        kept.append(number)
    return {"kept": kept, "functions": functions, "classes": classes, "imports": imports}


def _is_name(node: ast.expr) -> bool:
    return isinstance(node, ast.Name)


def _is_of_library(node: ast.Import | ast.ImportFrom) -> bool:
    names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else [node.module or "."]
    return all(name.split(".")[0] in LIBRARIES for name in names)


def _libraries(tree: ast.Module) -> list[str]:
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import) and _is_of_library(node):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and _is_of_library(node) and node.module:
            names.add(node.module)
    return sorted(names)


def _left_out(node: ast.Import | ast.ImportFrom) -> dict[str, str]:
    module = getattr(node, "module", None)
    return {alias.asname or alias.name.split(".")[0]: module or alias.name for alias in node.names}


def _is_constant(node: ast.stmt) -> bool:
    """Whether a statement assigns numbers, texts or what operators make of them; calls of NumPy may be among them."""
    if not isinstance(node, (ast.Assign, ast.AnnAssign)) or node.value is None:
        return False
    targets = node.targets if isinstance(node, ast.Assign) else [node.target]
    return all(_is_name(target) for target in targets) and _is_value(node.value)


def _is_value(node: ast.expr) -> bool:
    if isinstance(node, ast.Call):
        root = node.func
        while isinstance(root, ast.Attribute):
            root = root.value
        arguments = [*node.args, *(keyword.value for keyword in node.keywords)]
        return isinstance(root, ast.Name) and root.id in {"np", "numpy"} and all(map(_is_value, arguments))
    return isinstance(node, _CONSTANT) and all(
        _is_value(n) for n in ast.iter_child_nodes(node) if isinstance(n, ast.expr)
    )


def _parameters(arguments: ast.arguments) -> dict[str, bool]:
    """Whether each parameter must be given, by name, in order."""
    plain = [*arguments.posonlyargs, *arguments.args]
    required = len(plain) - len(arguments.defaults)
    named = {argument.arg: place < required for place, argument in enumerate(plain)}
    return named | {a.arg: d is None for a, d in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)}


def _class(node: ast.ClassDef) -> dict[str, Any]:
    methods = {}
    for part in node.body:
        if isinstance(part, ast.FunctionDef):
            static = any(isinstance(mark, ast.Name) and mark.id == "staticmethod" for mark in part.decorator_list)
            parameters = _parameters(part.args)
            methods[part.name] = dict(list(parameters.items())[0 if static else 1 :])
    names = {
        part.attr
        for part in ast.walk(node)
        if isinstance(part, ast.Attribute) and getattr(part.value, "id", "") == "self"
    }
    return {
        "methods": methods,
        "attributes": sorted(names),
        "bases": [base.id for base in node.bases if isinstance(base, ast.Name)],
    }


if __name__ == "__main__":
    sys.stdout.write(json.dumps(describe(sys.argv[1])))
