"""What text every store can keep, and what of it can be seen."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.domain.characters import kept, visible
from orchestrator.domain.errors import Rejected
from tests.builders import upload

UNKEPT = ["\0", "a\0b", "\ud800", "a\udfff"]


@pytest.mark.parametrize("text", UNKEPT)
def test_it_is_found_wherever_it_is(text):
    for value in (text, [1, text], {"a": text}, {text: 1}, {"a": [text]}, frozenset({text})):
        assert not kept(value), value


@given(st.text())
def test_what_is_whole_characters_but_nul_is_kept(text):
    assert kept({text: [text, 1, 0.5, True, None]}) is ("\0" not in text)


@pytest.mark.parametrize("text", UNKEPT)
@pytest.mark.parametrize("field", ["source_id", "title", "metadata", "acl"])
def test_an_upload_with_such_text_cannot_be_made(field, text):
    value = {"metadata": {"a": [text]}, "acl": frozenset({text})}.get(field, text)

    with pytest.raises(Rejected) as raised:
        replace(upload(), **{field: value})

    assert (raised.value.field, raised.value.code) == (field, "invalid_request")


@pytest.mark.parametrize("text", ["", " \n\t", "\0", "\x07 \x1b[", "\u200b\ufeff", "\u2028"])
def test_space_and_control_characters_cannot_be_seen(text):
    assert visible(text) is ("[" in text)
