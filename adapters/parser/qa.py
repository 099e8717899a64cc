"""Question and answer pairs: each question heads its answer."""

from __future__ import annotations

import json

from adapters.parser.builder import TextBuilder
from orchestrator.domain.documents import QA_MEDIA_TYPE, ParsedDocument
from orchestrator.domain.errors import Unsupported


class QaParser:
    """`orchestrator.ports.parser.Parser` of a JSON list of `{"question", "answer"}`."""

    media_types = frozenset({QA_MEDIA_TYPE})

    def parse(self, content: bytes) -> ParsedDocument:
        """A heading and a block for each pair, in order."""
        builder = TextBuilder()
        try:
            for pair in json.loads(content):
                builder.heading(pair["question"], 2)
                builder.block(pair["answer"].strip())
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise Unsupported("the file is not a list of questions and answers") from error
        return builder.build()
