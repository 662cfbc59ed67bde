"""What differs on Windows and macOS, as far as another system can stand in for them."""

import runpy
import signal
import sys
import types
from pathlib import Path, PureWindowsPath

import pytest
from filelock import FileLock

from cifar_linear import signals
from cifar_linear.errors import ConfigError, RunError
from cifar_linear.runs.names import checked_name, name_from
from cifar_linear.storage import locks


def imported_anew(module):
    """A module as this system, changed by a test, would import it; the one that others use stays as it is."""
    return types.SimpleNamespace(**runpy.run_path(module.__file__))


def test_without_hangup_the_other_signals_stop_a_run(monkeypatch):
    monkeypatch.delattr(signal, "SIGHUP")
    module = imported_anew(signals)
    assert module.ENDING == (signal.SIGTERM,)
    with module.SafeStop() as stop:
        signal.raise_signal(signal.SIGTERM)
        with pytest.raises(KeyboardInterrupt) as caught:
            stop.check()
    assert caught.value.exit_code == 143


@pytest.fixture
def windows_locks(monkeypatch):
    """The module as Windows runs it, where there is no fcntl."""
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setitem(sys.modules, "fcntl", None)
    return imported_anew(locks)


def test_the_locks_of_windows_need_no_fcntl(windows_locks, tmp_path, monkeypatch):
    """A folder is locked if its file cannot be opened for writing, which is what Windows does with a locked one."""
    assert not windows_locks.is_locked(tmp_path)
    (tmp_path / windows_locks.LOCK).touch()
    assert not windows_locks.is_locked(tmp_path)
    opened = Path.open

    def refuse_to_write(path, mode="r", *arguments, **options):
        if "a" in mode:
            raise PermissionError(13, "another process has locked a part of the file")
        return opened(path, mode, *arguments, **options)

    monkeypatch.setattr(Path, "open", refuse_to_write)
    assert windows_locks.is_locked(tmp_path)


def test_locks_without_fcntl_keep_others_out(windows_locks, tmp_path):
    """Through filelock, which has a way of its own on each system."""
    assert "fcntl" not in vars(windows_locks)
    held = windows_locks.locked(tmp_path, "busy")
    with FileLock(tmp_path / windows_locks.LOCK), pytest.raises(RunError, match="busy"):
        held.__enter__()


@pytest.mark.parametrize("name", ["con", "NUL", "aux.v2", "com1", "lpt9.txt", "name.", "a\\b", "a/b", "a:b", "a ", ""])
def test_a_name_that_windows_cannot_use_is_refused_everywhere(name):
    """A name that is made from a file's is one that it can use."""
    with pytest.raises(ConfigError, match="not be reserved by Windows"):
        checked_name(name)
    made = name_from(Path(f"{name}.yaml"))
    assert checked_name(made) == made


@pytest.mark.parametrize("name", ["console", "nullify", "com10", "com", "a.con", "lambda-0_eta-0.1"])
def test_names_that_only_look_reserved_are_not(name):
    assert checked_name(name) == name == name_from(PureWindowsPath(f"C:\\configs\\{name}.yaml"))


def test_a_second_signal_within_a_finalizer_is_not_lost():
    """What a `__del__` raises is swallowed by Python, so the next safe point has to stop."""

    class Interrupting:
        def __del__(self):
            signal.raise_signal(signal.SIGTERM)

    def interrupted():
        with signals.SafeStop() as stop:
            signal.raise_signal(signal.SIGTERM)
            Interrupting()
            stop.check()

    with pytest.raises(signals.Interrupted):
        interrupted()
