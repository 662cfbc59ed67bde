"""The house as docs/architecture.md draws it, held against the imports."""

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "cifar_linear"
PAGE = (ROOT / "docs/architecture.md").read_text()
TABLE = re.findall(r"^\| `([\w./]+)` \| (\d+) \|", PAGE, re.MULTILINE)
LISTED = re.findall(r"^\| `(\w+(?:/\w+)+\.py)` \| \w", PAGE, re.MULTILINE)
FLOORS = {name.removesuffix(".py").removesuffix("/"): int(floor) for name, floor in TABLE}
MODULES = sorted(PACKAGE.rglob("*.py"))
ONLY_IN = {
    "click": "cli/",
    "jinja2": "report/",
    "PIL": "data/image_files.py",
    "tqdm": "cli/",
    "yaml": "config/",
    "matplotlib.axes": "figures/",
    "pickle": "data/safe_pickle.py",
    "scipy": "data/cifar.py",
    "sklearn": "estimator/",
    "pandas": "api/runs.py",
    "requests": "data/download.py",
    "distributed": tuple(f"sweep/{name}.py" for name in ("cluster", "connecting", "remote", "comparing", "sending")),
    "dask": "sweep/connecting.py",
    "cryptography": "sweep/connecting.py",
    "subprocess": ("runs/provenance.py", "course/gradients/sandbox.py", "report/pdf.py", "sweep/workers.py"),
}


def room(module):
    """The file or folder directly below the package that a module belongs to."""
    return module.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported(module):
    """Every module that a module imports, at its top or inside a function; not what only type checkers import."""
    for node in ast.walk(ast.parse(module.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def dotted(module):
    """The name that a module is imported by."""
    return ".".join(("cifar_linear", *module.relative_to(PACKAGE).with_suffix("").parts))


def test_every_module_stands_on_a_floor():
    assert {room(module) for module in MODULES} == set(FLOORS)


def test_every_module_of_a_wing_has_a_line():
    """But for those of ``cli/``, which are named after their commands."""
    modules = {str(module.relative_to(PACKAGE)) for module in MODULES if module.parent != PACKAGE}
    assert set(LISTED) == {name for name in modules if not name.startswith("cli/") and "__init__" not in name}


def test_a_wing_imports_from_lower_floors_only():
    upwards = [
        f"{module.relative_to(PACKAGE)} imports {name}"
        for module in MODULES
        for name in imported(module)
        if name.startswith("cifar_linear.") and (other := name.split(".")[1]) in FLOORS and other != room(module)
        if FLOORS[other] >= FLOORS[room(module)]
    ]
    assert not upwards


def circles(arrows):
    """What cannot be put in an order in which each name comes after those that it points to."""
    left = dict(arrows)
    while free := [name for name, others in left.items() if not others & set(left)]:
        for name in free:
            del left[name]
    return set(left)


def test_modules_of_a_wing_import_each_other_without_circles():
    names = {dotted(module): module for module in MODULES if module.name != "__init__.py"}
    arrows = {name: set(imported(module)) & set(names) - {name} for name, module in names.items()}
    assert circles(arrows) == set()


def test_a_circle_would_be_found():
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"b"}, "d": set()}) == {"a", "b", "c"}


@pytest.mark.parametrize(("library", "place"), ONLY_IN.items())
def test_a_library_is_known_in_one_place(library, place):
    """Processes in four: git knows the commit, students' code and groups run in their own, a browser prints."""
    users = {
        str(module.relative_to(PACKAGE))
        for module in MODULES
        if any(name == library or name.startswith(f"{library}.") for name in imported(module))
    }
    assert users
    assert all(user.startswith(place) for user in users)


def test_the_network_is_known_in_one_place():
    """Where requests is; no module takes another way to it."""
    for module in MODULES:
        roots = {name.split(".")[0] for name in imported(module)}
        assert not roots & {"socket", "http", "urllib", "ftplib", "ssl", "asyncio"}, module


def test_numerics_know_nothing_but_numpy_and_its_blas():
    for module in (PACKAGE / "nn").rglob("*.py"):
        for name in imported(module):
            root = name.split(".")[0]
            assert root in {"numpy", "threadpoolctl", "cifar_linear"} or root in sys.stdlib_module_names, (
                f"{module} imports {name}"
            )


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["train", "--help"], ["gradcheck", "--help"]])
def test_help_loads_neither_numpy_nor_matplotlib(arguments):
    code = (
        "import sys\nfrom cifar_linear.cli import cli\n"
        f"cli({arguments!r}, standalone_mode=False)\n"
        "heavy = 'numpy', 'matplotlib', 'pydantic', 'yaml', 'tqdm', 'sklearn'\n"
        "print([name for name in heavy if name in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.splitlines()[-1] == "[]"


def test_completing_the_name_of_a_run_loads_neither_numpy_nor_pydantic(tmp_path):
    (tmp_path / "grid").mkdir()
    (tmp_path / "grid" / "sweep.yaml").touch()
    code = (
        "import sys\nfrom cifar_linear.cli import cli\nfrom click.shell_completion import BashComplete\n"
        "found = BashComplete(cli, {}, 'cifar-linear', '_X').get_completions(['evaluate'], 'g')\n"
        "print([each.value for each in found])\n"
        "print([name for name in ('numpy', 'matplotlib', 'pydantic', 'yaml') if name in sys.modules])"
    )
    command = [sys.executable, "-c", code]
    environment = {**os.environ, "CIFAR_LINEAR_RUNS": str(tmp_path)}
    result = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert result.stdout.splitlines() == ["['grid']", "[]"]
