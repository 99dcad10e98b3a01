"""Giving up what a query process does not need, for good: memory, file writing, other files, the network.

Limits of POSIX (setrlimit) everywhere; on Linux the process also dies with its parent and, where the kernel
has Landlock (5.13 or later, docs.kernel.org/userspace-api/landlock.html), writes nothing, opens no
connection and reads nothing but its interpreter and the files it is given.

Landlock binds the calling thread and those it starts, and importing numpy and pyarrow starts some. Hence two
steps: `renounce` before anything is imported, `confine` before DuckDB starts its threads.

Not here: DuckDB's own settings (`sandboxed`). Standard library only.
"""

from __future__ import annotations

import ctypes
import os
import resource
import struct
import sys
import sysconfig
from collections.abc import Iterable
from pathlib import Path

_DIES_WITH_PARENT, _NO_NEW_PRIVILEGES, _SIGKILL = 1, 38, 9
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_BENEATH = 1
_EXECUTE, _READ_FILE, _READ_DIR = 1 << 0, 1 << 2, 1 << 3
# file system rights, network rights and scopes that each version of the interface knows
_RIGHTS = {1: 13, 2: 14, 3: 15, 4: 15, 5: 16}
_ALL_NETWORK, _ALL_SCOPES = 0b11, 0b11


def renounce() -> None:
    """Give up writing files and the network; for a process that has one thread.

    Raises:
        RuntimeError: other threads run already and would not be bound.
    """
    _limit(resource.RLIMIT_FSIZE, 0)  # no file grows, whatever DuckDB is talked into
    _limit(resource.RLIMIT_CORE, 0)
    if sys.platform != "linux":
        return
    if len(os.listdir("/proc/self/task")) > 1:
        raise RuntimeError("a process is confined before it starts threads")
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_DIES_WITH_PARENT, _SIGKILL, 0, 0, 0)
    libc.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0)
    _guard(libc, reading=None)


def confine(memory: int, cpu_seconds: int, files: Iterable[str]) -> bool:
    """Give up all but some memory, some time and some files; for a process that renounced.

    Args:
        memory: bytes of address space beyond what is in use now.
        cpu_seconds: processor time after which the kernel ends the process, should nobody else.
        files: what may still be read, beside the interpreter and its libraries.

    Returns:
        whether the kernel guards files (Landlock); the other limits hold in any case.
    """
    used = _address_space()
    _limit(resource.RLIMIT_CPU, cpu_seconds)
    guarded = sys.platform == "linux" and _guard(ctypes.CDLL(None, use_errno=True), reading=files)
    if used:
        _limit(resource.RLIMIT_AS, used + memory)
    return guarded


def _address_space() -> int:
    """Bytes of address space in use; 0 where that is not to be had."""
    statm = Path("/proc/self/statm")
    return int(statm.read_text().split()[0]) * resource.getpagesize() if statm.exists() else 0


def _limit(what: int, value: int) -> None:
    _, hard = resource.getrlimit(what)
    value = value if hard == resource.RLIM_INFINITY else min(value, hard)
    resource.setrlimit(what, (value, value))


def _guard(libc: ctypes.CDLL, reading: Iterable[str] | None) -> bool:
    """Landlock: no writing, no connections; and reading of `reading` and the interpreter alone, unless None.

    False where the kernel does not have it.
    """
    version = libc.syscall(_CREATE_RULESET, None, ctypes.c_size_t(0), ctypes.c_uint32(1))
    if version < 1:
        return False
    known = (1 << _RIGHTS.get(version, 16)) - 1
    files = known if reading is not None else known & ~(_EXECUTE | _READ_FILE | _READ_DIR)
    handled = [files, *([_ALL_NETWORK] if version >= 4 else []), *([_ALL_SCOPES] if version >= 6 else [])]
    attributes = struct.pack(f"<{len(handled)}Q", *handled)
    rules = libc.syscall(_CREATE_RULESET, attributes, ctypes.c_size_t(len(attributes)), ctypes.c_uint32(0))
    if rules < 0:
        return False
    try:
        if reading is not None:
            _allow_reading(libc, rules, reading)
        return bool(libc.syscall(_RESTRICT_SELF, ctypes.c_int(rules), ctypes.c_uint32(0)) == 0)
    finally:
        os.close(rules)


def _allow_reading(libc: ctypes.CDLL, rules: int, files: Iterable[str]) -> None:
    for path in _interpreter():
        _allow(libc, rules, path, _READ_FILE | _READ_DIR | _EXECUTE)
    for path, rights in _MACHINE.items():
        if Path(path).exists():
            _allow(libc, rules, path, rights)
    for path in files:
        _allow(libc, rules, path, _READ_FILE)


def _interpreter() -> set[str]:
    """Folders that Python may still load modules, libraries and time zones from."""
    installed = {sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")}
    ours = str(Path(__file__).parents[1])
    system = {"/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/share/zoneinfo"}
    return {path for path in installed | system | {ours} if path and Path(path).is_dir()}


_MACHINE = {
    "/proc/meminfo": _READ_FILE,
    "/proc/self/cgroup": _READ_FILE,
    "/proc/stat": _READ_FILE,
    "/sys/devices/system/cpu": _READ_FILE | _READ_DIR,
    "/sys/fs/cgroup": _READ_FILE | _READ_DIR,
}
"""How many processors and how much memory there are: DuckDB looks, and ends when it may not."""


def _allow(libc: ctypes.CDLL, rules: int, path: str, rights: int) -> None:
    descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        beneath = struct.pack("<Qi", rights, descriptor)
        if libc.syscall(_ADD_RULE, ctypes.c_int(rules), _BENEATH, beneath, ctypes.c_uint32(0)) != 0:
            raise OSError(ctypes.get_errno(), "landlock_add_rule", path)
    finally:
        os.close(descriptor)
