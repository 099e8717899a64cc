"""Giving up, in the process that parses, whatever the kernel lets a process give up.

Nothing of it can be taken back: each measure holds until the process ends.
"""

from __future__ import annotations

import contextlib
import ctypes
import mimetypes
import mmap
import os
import platform
import resource
import signal
import struct
import sys
import sysconfig
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from adapters.parser.frames import EXHAUSTED
from adapters.parser.syscalls import MACHINES, compiled
from orchestrator.ports.parser import Isolation

_DIE_WITH_PARENT, _NO_NEW_PRIVILEGES, _GET_SECCOMP, _SECCOMP_FILTER = 1, 38, 21, 1
_ALL_THREADS: Final = 1
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_ASK_VERSION: Final = 1
_BENEATH: Final = 1
_READ_FILE, _READ_FOLDER = 1 << 2, 1 << 3
_CAPABILITIES_V3: Final = 0x20080522
_RIGHTS: Final = {1: 13, 2: 14, 3: 15, 4: 15, 5: 16}
"""How many rights over files each version of Landlock knows; later ones, as many as the last."""
_NETWORK: Final = 0b11
_SCOPES: Final = 0b11
SHARED: Final = (
    *mimetypes.knownfiles,
    "/etc/localtime",
    "/usr/share/zoneinfo",
    "/lib",
    "/lib64",
    "/usr/lib",
    "/usr/lib64",
    "/usr/local/lib",
    "/etc/ld.so.cache",
)
"""Libraries and tables that Python and its packages look into, where they are."""

_libc = ctypes.CDLL(None, use_errno=True)
_HANDLER: Final = ctypes.CFUNCTYPE(None, ctypes.c_int)
_kept: list[object] = []


def reachable() -> Isolation:
    """The level that this kernel offers, found out without giving anything up."""
    return _level(filters=_offers_filters(), landlock=_landlock_version() > 0)


def limit(memory_bytes: int, open_files: int) -> None:
    """Bound memory and descriptors; no file can grow, no core is dumped, no capability is left."""
    for what, most in (
        (resource.RLIMIT_AS, memory_bytes),
        (resource.RLIMIT_NOFILE, open_files),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
    ):
        _, hard = resource.getrlimit(what)
        allowed = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(what, (allowed, allowed))
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # a write beyond the limit is an error
    if machine := MACHINES.get(platform.machine()):
        header, none = struct.pack("=Ii", _CAPABILITIES_V3, 0), bytes(24)
        _libc.syscall(machine.capset, header, none)


def tell_exhaustion(memory_bytes: int) -> None:
    """Native code that is given no memory aborts: have it exit with `EXHAUSTED` then.

    That memory is why, is seen from half of it being gone.
    """

    def aborted(_: int) -> None:
        try:
            mmap.mmap(-1, memory_bytes // 2).close()
        except OSError:
            os._exit(EXHAUSTED)

    handler = _HANDLER(aborted)
    _kept.append(handler)
    _libc.signal(signal.SIGABRT, handler)


def lock_down(parent: int, home: Path | None = None) -> Isolation:
    """End with the parent, never gain a right, read only what Python needs, call only what is fit.

    `home` is a further folder that may be read. The result is the level that was reached.
    """
    _libc.prctl(_DIE_WITH_PARENT, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:  # it died before it could be told
        sys.exit(1)
    _libc.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0)
    landlock = _landlocked([*readable(), *([home] if home else [])])
    return _level(filters=_filtered(), landlock=landlock)


def readable() -> list[Path]:
    """The folders that Python itself is in, and those of its libraries; not the data folder."""
    packages = Path(__file__).resolve().parents[1]
    names = ("stdlib", "platstdlib", "purelib", "platlib")
    found = [packages, packages.parent / "orchestrator", Path(sys.base_prefix, "lib")]
    found += [Path(sysconfig.get_path(name)) for name in names]
    return [path for path in (*found, *map(Path, SHARED)) if path.exists()]


def _level(*, filters: bool, landlock: bool) -> Isolation:
    if filters and landlock:
        return Isolation.FULL
    return Isolation.PARTIAL if filters or landlock else Isolation.LIMITS


def _offers_filters() -> bool:
    return platform.machine() in MACHINES and _libc.prctl(_GET_SECCOMP, 0, 0, 0, 0) >= 0


def _landlock_version() -> int:
    return int(_libc.syscall(_CREATE_RULESET, None, 0, _ASK_VERSION))


def _landlocked(paths: Iterable[Path]) -> bool:
    """Nothing may be read but what is beneath these paths, and nothing written."""
    version = _landlock_version()
    if version < 1:
        return False
    files = (1 << _RIGHTS.get(version, _RIGHTS[5])) - 1
    network, scopes = _NETWORK if version >= 4 else 0, _SCOPES if version >= 6 else 0
    wanted = struct.pack("=QQQ", files, network, scopes)
    size = 8 if version < 4 else 16 if version < 6 else 24
    rules = _libc.syscall(_CREATE_RULESET, wanted, ctypes.c_size_t(size), 0)
    if rules < 0:
        return False
    try:
        for path in paths:
            _allow(rules, path)
        return bool(_libc.syscall(_RESTRICT_SELF, rules, 0) == 0)
    finally:
        os.close(rules)


def _allow(rules: int, path: Path) -> None:
    rights = _READ_FILE | _READ_FOLDER if path.is_dir() else _READ_FILE
    with contextlib.suppress(OSError):  # what cannot be opened cannot be read either
        place = os.open(path, os.O_PATH | os.O_CLOEXEC)
        try:
            _libc.syscall(_ADD_RULE, rules, _BENEATH, struct.pack("=Qi", rights, place), 0)
        finally:
            os.close(place)


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("rows", ctypes.c_char_p))


def _filtered() -> bool:
    """No system call but those that are listed, in any thread."""
    machine = MACHINES.get(platform.machine())
    if machine is None:
        return False
    rows = compiled(machine, os.getpid())
    program = _Program(len(rows) // 8, rows)
    call = (machine.seccomp, _SECCOMP_FILTER, _ALL_THREADS, ctypes.byref(program))
    return bool(_libc.syscall(*call) == 0)
