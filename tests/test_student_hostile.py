"""Code that nobody has read runs in a process that it cannot harm, and that ends."""

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from student_attacks import BEGUN, HOSTILE, hostile
from student_code import changed, named
from student_solutions import FUNCTIONS

from cifar_linear.course.gradients import sandbox
from cifar_linear.course.gradients.checking import check_module
from cifar_linear.course.gradients.definitions import describe
from cifar_linear.course.gradients.sandbox import Limits
from cifar_linear.errors import CifarLinearError

SECONDS = (1, 3, 9, 25)
"""Limits that are tried one after another until a module has begun what it is here for: a busy machine may need most of
the first ones to start Python."""
HANGS = 120
"""Seconds after which a test is taken to hang, in which all of its limits fit several times."""
GUARDS = sandbox.guards(sys.executable)
needs_linux = pytest.mark.skipif(
    not set(sandbox.NEEDED) <= set(GUARDS), reason=f"this system grants only {', '.join(GUARDS)}"
)


@pytest.fixture
def secret(tmp_path):
    """A file that student code has no business with."""
    path = tmp_path / "secret"
    path.write_text("the answer is 42")
    path.chmod(0o644)
    return path


@pytest.fixture(autouse=True)
def one_process(monkeypatch):
    """A test starts one process, not three: guards are asked once, and the files, our own, are read here."""
    monkeypatch.setattr(sandbox, "guards", lambda *_: GUARDS)
    monkeypatch.setattr(sandbox, "description", lambda _, path: describe(str(path)))


@pytest.fixture
def own_folders(tmp_path, monkeypatch):
    """The folders of all processes are in that of the test, which is how it knows its own."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return str(tmp_path)


@pytest.fixture
def no_hanging():
    """An error instead of a test that never ends."""

    def give_up(*_):
        raise TimeoutError(f"still at work after {HANGS} s")

    before = signal.signal(signal.SIGALRM, give_up)
    signal.alarm(HANGS)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


def processes(home):
    """Processes that still run and were started with a home below a folder."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            environment = (folder / "environ").read_bytes()
        except OSError:
            continue
        if f"HOME={home}/".encode() in environment:
            found.append(folder.name)
    return found


def checked_once_begun(path):
    """The check of a module with the first limit in which it comes to its evil part."""
    for seconds in SECONDS:
        checked = check_module(path, limits=Limits(seconds=seconds, cpu_seconds=seconds))
        if BEGUN in checked.output:
            return checked
    return pytest.fail(f"the module did not begin in {SECONDS[-1]} s: {checked}")


@needs_linux
@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_module_ends_and_changes_no_verdict(tmp_path, secret, own_folders, no_hanging, name):
    """It is wrong, and found wrong; nothing of it runs on, and nothing is written or read that is not its own."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        listening.settimeout(0)
        path = tmp_path / "student.py"
        trace = tmp_path / "trace"
        path.write_text(hostile(name, PORT=str(listening.getsockname()[1]), TRACE=str(trace), SECRET_PATH=str(secret)))
        checked = checked_once_begun(path)
        with pytest.raises(BlockingIOError):
            listening.accept()
    assert not checked.passed
    assert named(checked) <= {"sign", "shape"}
    assert "42" not in checked.output
    assert len(checked.output) < 30_000
    assert not trace.exists()
    assert not processes(own_folders)


@needs_linux
def test_the_process_of_a_module_has_nothing_of_ours(tmp_path, monkeypatch):
    """No variables, no files of the folder that the command was started in."""
    monkeypatch.setenv("OUR_TOKEN", "our token")
    path = tmp_path / "student.py"
    says = "    print(sorted(os.environ), os.getcwd(), os.environ.get('OUR_TOKEN'))\n    n = X.shape[1]\n    G = P - Y"
    source = changed(FUNCTIONS, ("    n = X.shape[1]\n    G = P - Y", says))
    path.write_text(f"import os\n{source}")
    checked = check_module(path)
    assert checked.passed
    assert "'HOME', 'LANG'" in checked.output
    assert "our token" not in checked.output
    assert "OUR_TOKEN" not in checked.output
    assert str(tmp_path) not in checked.output


def test_without_all_guards_nothing_is_run_if_they_are_required(tmp_path, monkeypatch):
    monkeypatch.setattr(sandbox, "guards", lambda *_: ["wall-clock time", "memory"])
    monkeypatch.setattr(sandbox, "run", lambda *_: pytest.fail("it was run"))
    path = tmp_path / "student.py"
    path.write_text(FUNCTIONS)
    with pytest.raises(CifarLinearError, match="does not grant: no network, no other processes, no files"):
        check_module(path, require_sandbox=True)


@needs_linux
def test_a_right_module_passes_behind_all_guards(tmp_path):
    path = tmp_path / "student.py"
    path.write_text(FUNCTIONS)
    checked = check_module(path, require_sandbox=True)
    assert checked.passed
    assert set(sandbox.NEEDED) <= set(checked.guards)


def test_an_answer_that_is_no_file_of_ours_is_none(tmp_path, secret):
    """A link, a pipe, an empty or a foreign file."""
    link, pipe, empty, text = (tmp_path / name for name in ("link", "pipe", "empty", "text"))
    link.symlink_to(secret)
    os.mkfifo(pipe)
    empty.touch()
    text.write_text(json.dumps({"passed": True}))
    for path in (link, pipe, empty, text):
        with pytest.raises((OSError, ValueError)):
            sandbox._answer(path)


@needs_linux
def test_a_process_that_runs_on_would_be_found(tmp_path, own_folders):
    with subprocess.Popen(["sleep", "60"], env={"HOME": f"{own_folders}/student-1"}) as sleeping:
        assert processes(own_folders) == [str(sleeping.pid)]
        sleeping.kill()
    assert not processes(own_folders)
