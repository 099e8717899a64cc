"""Tokens counted by a guess: never fewer than a model makes of ordinary text."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

import pytest

from adapters.generator.counting import counted, guessed, read_counter

SAMPLES = sorted(Path(__file__).parents[3].glob("samples/documents/**/*.md"))


def test_a_guess_has_as_many_tokens_as_a_real_tokenizer_or_more(model_folder):
    texts = [path.read_text() for path in SAMPLES]

    real = read_counter(model_folder / "tokenizer.json")(texts)

    assert len(texts) >= 10
    assert all(many >= few for many, few in zip(guessed(texts), real, strict=True))


@pytest.mark.parametrize(
    ("text", "tokens"),
    [("", 0), ("cat", 1), ("cats", 2), ("a b", 2), ("12345", 3), ("\n\n", 2), ("    x", 2),
     ("退款", 2), ("é", 1), ("…!", 2), ("🙂", 4)],
)  # fmt: skip
def test_what_a_guess_counts(text, tokens):
    assert guessed([text]) == [tokens]


async def test_a_guess_at_little_text_needs_no_other_thread(monkeypatch):
    monkeypatch.setattr(asyncio, "to_thread", pytest.fail)

    assert await counted(guessed, ["cats", "12345"]) == [2, 3]


async def test_a_tokenizer_does_not_hold_up_others():
    threads = []

    def counter(texts):
        threads.append(threading.current_thread())
        return [7 for _ in texts]

    assert await counted(counter, ["cat"]) == [7]
    assert threading.main_thread() not in threads
