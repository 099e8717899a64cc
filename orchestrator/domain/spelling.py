"""How far apart two words are spelled."""

from __future__ import annotations


def apart(one: str, other: str, most: int) -> int:
    """Letters to add, drop, change or swap with the next; `most` + 1 where there are more.

    The optimal string alignment distance: Damerau, CACM 1964.
    """
    if abs(len(one) - len(other)) > most:
        return most + 1
    before: list[int] = []
    row = list(range(len(other) + 1))
    for place, letter in enumerate(one, start=1):
        last, before, row = before, row, [place]
        for at, against in enumerate(other, start=1):
            changed = before[at - 1] + (letter != against)
            if at > 1 and last and letter == other[at - 2] and one[place - 2] == against:
                changed = min(changed, last[at - 2] + 1)
            row.append(min(changed, before[at] + 1, row[at - 1] + 1))
        if min(row) > most:
            return most + 1
    return min(row[-1], most + 1)
