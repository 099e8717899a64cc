"""The system calls that a parser may make, as a seccomp filter; every other one is refused."""

from __future__ import annotations

import errno
import os
import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

ALLOW: Final = 0x7FFF0000
KILL: Final = 0x80000000
REFUSE: Final = 0x00050000
_LOAD, _EQUAL, _ANY_BIT, _RETURN = 0x20, 0x15, 0x45, 0x06
_NUMBER_AT, _ARCH_AT, _ARGUMENTS_AT = 0, 4, 16

THREAD: Final = 0x10000
"""`CLONE_THREAD`: a thread of the same process, not a new process."""
WRITES: Final = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
DESCRIPTOR_FLAGS: Final = (0, 1, 2, 3, 4, 1030)
"""What `fcntl` may do: duplicate, and read and set the flags; not have signals sent."""


@dataclass(frozen=True, slots=True)
class Machine:
    """The numbers of one kind of processor: those allowed, and those of which more is asked."""

    audit: int
    seccomp: int
    capset: int
    allowed: Sequence[int]
    openat: int
    fcntl: int
    clone: int
    clone3: int
    ioctl: int
    tgkill: int


def _numbers(listed: str) -> list[int]:
    """The numbers among names, which are there for whoever reads."""
    return [int(word) for word in listed.split() if word.isdigit()]


MACHINES: Final = {
    "x86_64": Machine(
        audit=0xC000003E,
        seccomp=317,
        capset=126,
        allowed=_numbers(
            """read 0 write 1 close 3 fstat 5 lseek 8 mmap 9 mprotect 10 munmap 11 brk 12
            mremap 25 madvise 28 pread64 17 readv 19 writev 20 recvmsg 47 sendto 44 recvfrom 45
            sendmsg 46 shutdown 48 futex 202 sched_yield 24 sched_getaffinity 204
            clock_gettime 228 clock_getres 229 clock_nanosleep 230 nanosleep 35 gettimeofday 96
            getpid 39 gettid 186 getppid 110 getuid 102 geteuid 107 getgid 104 getegid 108
            getrusage 98 times 100 uname 63 sysinfo 99 getrandom 318 getcwd 79 rt_sigaction 13
            rt_sigprocmask 14 rt_sigreturn 15 sigaltstack 131 restart_syscall 219 exit 60
            exit_group 231 dup 32 dup3 292 ppoll 271 pselect6 270 statx 332 newfstatat 262
            faccessat 269 faccessat2 439 readlinkat 267 getdents64 217 fstatfs 138 statfs 137
            set_robust_list 273 set_tid_address 218 rseq 334 membarrier 324 access 21 stat 4
            lstat 6 readlink 89 poll 7 select 23 dup2 33 arch_prctl 158 time 201 getdents 78"""
        ),
        openat=257,
        fcntl=72,
        clone=56,
        clone3=435,
        ioctl=16,
        tgkill=234,
    ),
    "aarch64": Machine(
        audit=0xC00000B7,
        seccomp=277,
        capset=91,
        allowed=_numbers(
            """read 63 write 64 close 57 fstat 80 lseek 62 mmap 222 mprotect 226 munmap 215
            brk 214 mremap 216 madvise 233 pread64 67 readv 65 writev 66 recvmsg 212 sendto 206
            recvfrom 207 sendmsg 211 shutdown 210 futex 98 sched_yield 124 sched_getaffinity 123
            clock_gettime 113 clock_getres 114 clock_nanosleep 115 nanosleep 101
            gettimeofday 169 getpid 172 gettid 178 getppid 173 getuid 174 geteuid 175 getgid 176
            getegid 177 getrusage 165 times 153 uname 160 sysinfo 179 getrandom 278 getcwd 17
            rt_sigaction 134 rt_sigprocmask 135 rt_sigreturn 139 sigaltstack 132
            restart_syscall 128 exit 93 exit_group 94 dup 23 dup3 24 ppoll 73 pselect6 72
            statx 291 newfstatat 79 faccessat 48 faccessat2 439 readlinkat 78 getdents64 61
            fstatfs 44 statfs 43 set_robust_list 99 set_tid_address 96 rseq 293 membarrier 283"""
        ),
        openat=56,
        fcntl=25,
        clone=220,
        clone3=435,
        ioctl=29,
        tgkill=131,
    ),
}


def compiled(machine: Machine, pid: int) -> bytes:
    """The filter for the process of that id, as the kernel reads it: 8 bytes an instruction."""
    rows = [
        (_LOAD, 0, 0, _ARCH_AT),
        (_EQUAL, 1, 0, machine.audit),
        (_RETURN, 0, 0, KILL),
        (_LOAD, 0, 0, _NUMBER_AT),
    ]
    for number in machine.allowed:
        rows += [(_EQUAL, 0, 1, number), (_RETURN, 0, 0, ALLOW)]
    rows += _where(machine.clone3, [(_RETURN, 0, 0, _refused(errno.ENOSYS))])  # then clone is tried
    rows += _where(machine.ioctl, [(_RETURN, 0, 0, _refused(errno.ENOTTY))])
    rows += _where(
        machine.openat,
        [
            (_LOAD, 0, 0, _argument(2)),
            (_ANY_BIT, 0, 1, WRITES),
            (_RETURN, 0, 0, _refused(errno.EACCES)),
            (_RETURN, 0, 0, ALLOW),
        ],
    )
    rows += _where(machine.clone, [(_LOAD, 0, 0, _argument(0)), *_if(_ANY_BIT, [THREAD])])
    rows += _where(machine.fcntl, [(_LOAD, 0, 0, _argument(1)), *_if(_EQUAL, DESCRIPTOR_FLAGS)])
    rows += _where(machine.tgkill, [(_LOAD, 0, 0, _argument(0)), *_if(_EQUAL, [pid])])
    rows.append((_RETURN, 0, 0, _refused(errno.EPERM)))
    return b"".join(struct.pack("=HBBI", *row) for row in rows)


Row = tuple[int, int, int, int]


def _where(number: int, body: Sequence[Row]) -> list[Row]:
    """These rows, for one system call."""
    return [(_EQUAL, 0, len(body), number), *body]


def _if(test: int, values: Iterable[int]) -> list[Row]:
    """Allow what passes the test with one of the values; refuse the rest."""
    rows: list[Row] = []
    for value in values:
        rows += [(test, 0, 1, value), (_RETURN, 0, 0, ALLOW)]
    return [*rows, (_RETURN, 0, 0, _refused(errno.EPERM))]


def _refused(code: int) -> int:
    return REFUSE | code


def _argument(index: int) -> int:
    """Where the low half of an argument is, on machines that put it first."""
    return _ARGUMENTS_AT + 8 * index
