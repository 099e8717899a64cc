"""A zip file that holds itself, byte for byte, and so on without end.

Its one entry is deflated: a program that prints the whole file. A stored block prints the bytes
that follow it, a fixed one repeats the last so many; each takes five bytes, so that four of them
can be printed, and repeated, like any 20 bytes. The file's checksum stands within the file; as
CRC-32 is linear, the one that fits is found by solving equations.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable

NAME = b"a-file-that-holds-itself-a.zip"
"""So long that the local header and one block are 65 bytes, which five can repeat."""


def quine() -> bytes:
    """The file."""
    return _built(_solved(_wrong_by))


def _wrong_by(crc: int) -> int:
    return zlib.crc32(_built(crc)) ^ crc


def _built(crc: int) -> bytes:
    packed = len(_program(_header(0, 0, 0), _directory(0, 0, 0)))
    whole = len(_header(0, 0, 0)) + packed + len(_directory(0, 0, 0))
    header, directory = _header(crc, packed, whole), _directory(crc, packed, whole)
    return header + _program(header, directory) + directory


def _header(crc: int, packed: int, whole: int) -> bytes:
    fields = (20, 0, 8, 0, 0x21, crc, packed, whole, len(NAME), 0)
    return b"PK\x03\x04" + struct.pack("<5H3L2H", *fields) + NAME


def _directory(crc: int, packed: int, whole: int) -> bytes:
    fields = (20, 20, 0, 8, 0, 0x21, crc, packed, whole, len(NAME), *[0] * 6)
    entry = b"PK\x01\x02" + struct.pack("<6H3L5H2L", *fields) + NAME
    end = struct.pack("<4H2LH", 0, 0, 1, 1, len(entry), 30 + len(NAME) + packed, 0)
    return entry + b"PK\x05\x06" + end


_END = "0000000"


def _program(header: bytes, directory: bytes) -> bytes:
    head = header + _print(len(header) + 5)
    assert len(head) == 65
    last = _bits(f"110{_match(102)}{_END}")
    end = last + directory
    assert len(end) == 102
    four, five = _print(20), _print(5)
    head_again = _bits(f"010{_match(65)}{_END}010{_END}")
    four_again = _bits(f"010{_match(10, 20)}{_match(10, 20)}{_END}")
    tail = _print(0) + _print(0) + _print(len(end))
    return b"".join(
        (
            *(_print(len(head)), head, head_again),
            *(five, head_again, five, five),
            *(four, head_again, five, five, four, four_again),
            *(four, four_again, four, four_again, four, four_again),
            *(four, four_again, tail, four_again),
            *(tail, end, last),
        )
    )


def _print(count: int) -> bytes:
    """A stored block's beginning: the next `count` bytes are printed."""
    return b"\0" + struct.pack("<HH", count, count ^ 0xFFFF)


def _match(length: int, distance: int | None = None) -> str:
    """The bits of a match, for the lengths that are needed here."""
    lengths = {10: "0001000", 65: "0010100" + "011", 102: "0010111" + "1100"}
    distances = {20: "01000" + "110", 65: "01100" + "00000", 102: "01101" + "10100"}
    return lengths[length] + distances[distance or length]


def _bits(bits: str) -> bytes:
    """Bits in the order of a deflated stream, filled up with zeros."""
    whole = bits.ljust(-(-len(bits) // 8) * 8, "0")
    return bytes(int(whole[at : at + 8][::-1], 2) for at in range(0, len(whole), 8))


def _solved(wrong_by: Callable[[int], int]) -> int:
    """The number for which an affine function of 32 bits is 0, by Gaussian elimination."""
    constant = wrong_by(0)
    columns = [wrong_by(1 << bit) ^ constant for bit in range(32)]
    basis: dict[int, tuple[int, int]] = {}
    for bit, column in enumerate(columns):
        value, used = column, 1 << bit
        while value and value.bit_length() in basis:
            other, others = basis[value.bit_length()]
            value, used = value ^ other, used ^ others
        if value:
            basis[value.bit_length()] = value, used
    found, left = 0, constant
    while left:
        value, used = basis[left.bit_length()]
        left, found = left ^ value, found ^ used
    return found
