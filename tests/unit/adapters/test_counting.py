"""Tokens counted by a guess: never fewer than a model makes of ordinary text."""

from __future__ import annotations

from pathlib import Path

import pytest

from adapters.generator.counting import guessed, read_counter

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
