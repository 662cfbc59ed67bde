"""Gives up what student code has no need of, in the process that calls this. Linux grants most of it, others less.

Needs nothing but the standard library, and NumPy to import it early: see `child`.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from typing import Any

_NEW_USER, _NEW_PROCESSES, _NEW_NETWORK, _NEW_IPC = 0x10000000, 0x20000000, 0x40000000, 0x08000000
_NOBODY = 65534
_DIE_WITH_PARENT, _NO_NEW_PRIVILEGES = 1, 38
_CREATE_RULESET, _ADD_RULE, _RESTRICT = 444, 445, 446
"""The system calls of Landlock, the same on all of Linux's architectures."""
_READ = 0b1101
"""Landlock's rights to execute and read files and to list folders."""
_ALL_OF_FILES = 0x1FFF


def enclose(limits: dict[str, int], libraries: tuple[str, ...] = ()) -> list[str]:
    """Give up what student code has no need of, and return the names of the guards that the system granted.

    Where processes get a numbering of their own, the function returns in a child of a child: the process in between is
    the first of that numbering, and all others die with it.

    Args:
        limits: see `sandbox.Limits`.
        libraries: modules to import before files are out of reach.
    """
    guards = []
    if hasattr(os, "fork") and sys.platform == "linux":
        libc = ctypes.CDLL(None, use_errno=True)
        is_root = os.geteuid() == 0
        own = _NEW_NETWORK | _NEW_PROCESSES | _NEW_IPC
        if libc.unshare(own if is_root else own | _NEW_USER) == 0:
            guards += ["no network", "no other processes"]
            _continue_in_child(libc)
            _continue_in_child(libc)
        _preload(libraries)
        guards += _as_nobody(libc) if is_root else []
        libc.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0)
        guards += _without_files(libc)
    return guards + _limit(limits)


def _continue_in_child(libc: Any) -> None:
    """Fork; the parent waits and ends as the child does."""
    child = os.fork()
    if child == 0:
        libc.prctl(_DIE_WITH_PARENT, signal.SIGKILL, 0, 0, 0)
        return
    status = os.waitpid(child, 0)[1]
    os._exit(os.WEXITSTATUS(status) if os.WIFEXITED(status) else 128 + os.WTERMSIG(status))


def _preload(libraries: tuple[str, ...]) -> None:
    """Import what student code may need while the files can still be read: another account may not read them."""
    import numpy as np  # noqa: PLC0415

    for name in ("random", "linalg", "fft", "ma", "polynomial"):
        getattr(np, name)
    for name in ("copy", "dataclasses", "functools", "itertools", "math", "resource", "time", "typing", *libraries):
        try:
            __import__(name)
        except ImportError:  # the student's code says so where it needs it
            continue


def _as_nobody(libc: Any) -> list[str]:
    """Leave the account of root, to which limits of processes do not apply."""
    try:
        os.setgroups([])
        os.setresgid(_NOBODY, _NOBODY, _NOBODY)
        os.setresuid(_NOBODY, _NOBODY, _NOBODY)
    except OSError:
        return []
    libc.unshare(_NEW_USER)  # Processes are counted in here then, not with all others of that account.
    return ["no rights of root"]


class _Ruleset(ctypes.Structure):
    _fields_ = (("files", ctypes.c_uint64),)


class _Below(ctypes.Structure):
    _pack_ = 1
    _layout_ = "ms"
    _fields_ = (("allowed", ctypes.c_uint64), ("folder", ctypes.c_int32))


def _without_files(libc: Any) -> list[str]:
    """Leave nothing of the disk but Python's own folders, and those to read (Landlock, Linux 5.13 or later)."""
    handle = libc.syscall(_CREATE_RULESET, ctypes.byref(_Ruleset(_ALL_OF_FILES)), ctypes.c_size_t(8), 0)
    if handle < 0:
        return []
    for folder in {sys.prefix, sys.base_prefix, "/usr", "/lib", "/lib64", *filter(None, sys.path)}:
        if os.path.isdir(folder) and os.access(folder, os.R_OK):  # noqa: PTH112
            opened = os.open(folder, os.O_RDONLY)
            libc.syscall(_ADD_RULE, handle, 1, ctypes.byref(_Below(_READ, opened)), 0)
            os.close(opened)
    restricted = libc.syscall(_RESTRICT, handle, 0) == 0
    os.close(handle)
    return ["no files"] if restricted else []


def _limit(limits: dict[str, int]) -> list[str]:
    try:
        import resource  # noqa: PLC0415
    except ImportError:
        return []
    granted = []
    for name, limit, kind in (
        ("processor time", limits["cpu_seconds"], resource.RLIMIT_CPU),
        ("memory", limits["memory"], resource.RLIMIT_AS),
        ("file size", limits["file_size"], resource.RLIMIT_FSIZE),
        ("open files", 64, resource.RLIMIT_NOFILE),
        ("", 0, resource.RLIMIT_CORE),
        ("number of processes", limits["processes"], resource.RLIMIT_NPROC),
    ):
        try:
            resource.setrlimit(kind, (limit, limit))
        except (ValueError, OSError):
            continue
        is_void = name == "number of processes" and os.geteuid() == 0
        granted += [name] if name and not is_void else []
    return granted
