"""The check: what each policy lets through, what it says of it, and what can never be shown."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.answering.checking import Check
from orchestrator.answering.confidence import Logistic
from orchestrator.answering.lexical import LexicalVerifier
from orchestrator.answering.releasing import WITHHELD
from orchestrator.domain.answers import NOT_FOUND, Checked, Outcome, Token, Usage
from orchestrator.domain.context import begin_skips
from orchestrator.domain.errors import Unavailable
from orchestrator.domain.statements import claims, known_words, statements
from orchestrator.domain.workspaces import Grounding
from orchestrator.ports.verifier import Claim
from tests.builders import REFUNDS, passage, question

FEES = "Fees are not refunded."
HOTELS = "Hotels are reimbursed up to 140 EUR a night."
TEXTS = (REFUNDS, FEES, HOTELS)
WRONG = "The chairman pays for everybody."
MARKER = re.compile(r"\[(\d+)\]")


class Says:
    """A `Generator` that says these pieces, and notes how far it came."""

    def __init__(self, *pieces, outcome=None, error=None):
        self.pieces = pieces
        self.outcome = outcome or Outcome(answerable=True, usage=Usage(12, 3))
        self.error = error
        self.said = 0
        self.closed = False

    async def generate(self, query, passages):
        try:
            for piece in self.pieces:
                self.said += 1
                yield Token(piece)
            if self.error:
                raise self.error
            yield self.outcome
        finally:
            self.closed = True


class Down:
    def __init__(self):
        self.asked = 0

    async def support(self, claims):
        self.asked += 1
        raise Unavailable("verifier", "switched off")


def given_passages(texts=TEXTS):
    return [passage(text, chunk_id=n, title="") for n, text in enumerate(texts, start=1)]


async def told(check, generator, texts=TEXTS):
    """The pieces that were shown, and the last word."""
    pieces = [
        piece
        async for piece in check.checked(
            generator, question("When are refunds paid?"), given_passages(texts)
        )
    ]
    *tokens, last = pieces
    assert isinstance(last, Checked)
    return [one.text for one in tokens], last


async def through(policy, *pieces, outcome=None):
    check = Check(Grounding(policy), LexicalVerifier())
    tokens, last = await told(check, Says(*pieces, outcome=outcome))
    return "".join(tokens), last


BOTH = pytest.mark.parametrize("policy", ["remove", "refuse"])
EVERY = pytest.mark.parametrize("policy", ["flag", "remove", "refuse"])


@EVERY
async def test_a_supported_answer_is_shown_as_it_is(policy):
    text = f"{REFUNDS} [1] {FEES} [2]"

    shown, last = await through(policy, text)

    assert shown == text
    assert last.cited == {1, 2}
    assert last.outcome == Outcome(answerable=True, usage=Usage(12, 3))
    assert (last.grounding.score, last.grounding.withheld) == (1.0, 0)
    assert [(one.cites, one.score, one.supported) for one in last.grounding.sentences] == [
        ((1,), 1.0, True), ((2,), 1.0, True),
    ]  # fmt: skip


@EVERY
async def test_each_sentence_is_told_by_its_span(policy):
    shown, last = await through(policy, f"Sure!\n\n- {REFUNDS} [1]\n- {FEES}[2]")

    spans = [shown[one.start : one.end] for one in last.grounding.sentences]
    assert spans == ["Sure!", f"- {REFUNDS} [1]", f"- {FEES}[2]"]
    assert [one.score for one in last.grounding.sentences] == [None, 1.0, 1.0]


async def test_flag_shows_what_is_not_supported_and_says_so():
    shown, last = await through("flag", f"{REFUNDS} [1] {WRONG} [2] {WRONG}")

    assert shown == f"{REFUNDS} [1] {WRONG} [2] {WRONG}"
    assert [one.supported for one in last.grounding.sentences] == [True, False, False]
    assert [one.cites for one in last.grounding.sentences] == [(1,), (2,), ()]
    assert last.grounding.sentences[2].score == 0.0
    assert last.grounding.score == pytest.approx(1 / 3, abs=0.05)
    assert last.outcome.answerable


@EVERY
@pytest.mark.parametrize("said", ["[1]", "...", "[1] [2]", " - "])
async def test_an_answer_without_a_word_is_none(policy, said):
    _, last = await through(policy, said)

    assert not last.outcome.answerable


async def test_flag_shows_each_piece_at_once():
    check = Check(Grounding("flag"), LexicalVerifier())

    tokens, _ = await told(check, Says("Paid", " in", " 7 days", " [", "1", "]. Now"))

    assert tokens == ["Paid", " in", " 7 days", " [1]. Now"]


@pytest.mark.parametrize(
    ("said", "shown", "withheld"),
    [
        (f"{REFUNDS} [1] {WRONG} [2]", f"{REFUNDS} [1]", 1),
        (f"{WRONG} [2] {REFUNDS} [1]", f"{REFUNDS} [1]", 1),
        (f"{REFUNDS} [1] {WRONG} {FEES} [2]", f"{REFUNDS} [1] {FEES} [2]", 1),
        (f"{REFUNDS} [1]\n\n{WRONG} [1] {FEES} [2]", f"{REFUNDS} [1]\n\n{FEES} [2]", 1),
        (f"- {REFUNDS} [1]\n- {WRONG} [1]\n- {FEES} [2]", f"- {REFUNDS} [1]\n- {FEES} [2]", 1),
        (f"{REFUNDS} {WRONG} [1]", f"{REFUNDS} [1]", 1),
        (f"{REFUNDS} [2] {FEES} [2]", f"{FEES} [2]", 1),
        (f"{REFUNDS} [9] {FEES} [2]", f"{FEES} [2]", 1),
        (f"Sure! Refunds:\n- {WRONG} [1]\n- {FEES} [2]", f"Sure! Refunds:\n- {FEES} [2]", 1),
        (f"{FEES} [2] I hope this helps.", f"{FEES} [2] I hope this helps.", 0),
        (f"{WRONG} [2] {WRONG}", NOT_FOUND, 2),
        (f"Sure! Here is the answer:\n\n{WRONG} [2]", NOT_FOUND, 1),
        ("", NOT_FOUND, 0),
        ("[1]", NOT_FOUND, 0),
        ("Sure!", NOT_FOUND, 0),
        (NOT_FOUND, NOT_FOUND, 0),
    ],
)
async def test_remove_leaves_out_what_is_not_supported(said, shown, withheld):
    for pieces in [[said], list(said)]:
        text, last = await through("remove", *pieces)

        assert text == shown
        assert last.grounding.withheld == withheld
        assert last.cited == {int(one) for one in MARKER.findall(shown)}
        assert last.outcome.answerable == (shown != NOT_FOUND)


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        (f"{REFUNDS} [1] {WRONG} [2] {FEES} [2]", f"{REFUNDS} [1]\n\n{WITHHELD}"),
        (f"{REFUNDS} {WRONG} [1] {FEES} [2]", f"{REFUNDS} [1]\n\n{WITHHELD}"),
        (f"Sure! {WRONG} [2] {FEES} [2]", NOT_FOUND),
        (WRONG, NOT_FOUND),
        ("", NOT_FOUND),
        (f"{REFUNDS} [1] Thanks!", f"{REFUNDS} [1] Thanks!"),
    ],
)
async def test_refuse_ends_before_what_is_not_supported(said, shown):
    for pieces in [[said], list(said)]:
        text, last = await through("refuse", *pieces)

        assert text == shown
        assert last.outcome.answerable == (shown != NOT_FOUND)
        assert last.cited == {int(one) for one in MARKER.findall(shown)}


async def test_refuse_stops_the_generator_where_it_stops_the_answer():
    generator = Says(f"{WRONG} [1] ", f"{REFUNDS} [1] ", f"{FEES} [2]")

    await told(Check(Grounding("refuse"), LexicalVerifier()), generator)

    assert generator.said == 2
    assert generator.closed


@BOTH
async def test_a_sentence_is_shown_as_soon_as_the_next_one_begins(policy):
    generator = Says(REFUNDS, " [1]", " F", "ees are not refunded.", " [2]")
    check, passages = Check(Grounding(policy), LexicalVerifier()), given_passages()

    shown = [
        (piece.text, generator.said)
        async for piece in check.checked(generator, question(), passages)
        if isinstance(piece, Token)
    ]

    assert shown == [(f"{REFUNDS} [1]", 3), (f" {FEES} [2]", 5)]


@EVERY
async def test_a_generator_that_refuses_is_no_answer(policy):
    shown, last = await through(policy, NOT_FOUND, outcome=Outcome(answerable=False))

    assert shown == NOT_FOUND
    assert not last.outcome.answerable
    assert (last.grounding.score, last.cited) == (None, frozenset())


@EVERY
async def test_a_generator_that_fails_is_heard_after_what_it_said(policy):
    check = Check(Grounding(policy), LexicalVerifier())

    with pytest.raises(Unavailable):
        await told(check, Says(REFUNDS, " [1] F", error=Unavailable("model", "off")))


@EVERY
async def test_while_the_verifier_is_down_words_alone_count_and_the_answer_says_so(policy):
    down = Down()

    tokens, last = await told(Check(Grounding(policy), down), Says(*f"{REFUNDS} [1] {FEES} [2] "))

    assert "".join(tokens).strip() == f"{REFUNDS} [1] {FEES} [2]"
    assert last.outcome.degraded == ("verifier",)
    assert last.grounding.score == 1.0
    assert down.asked == 1


async def test_where_what_was_found_is_too_weak_the_generator_is_not_asked():
    generator, skipped = Says("Anything. [1]"), begin_skips()
    check = Check(Grounding(weak=0.5), LexicalVerifier())

    tokens, last = await told(check, generator, ["The canteen serves lunch from noon to two."])

    assert (tokens, last.outcome.answerable) == ([NOT_FOUND], False)
    assert (generator.said, skipped) == (0, ["generator"])


async def test_where_nothing_was_found_the_generator_is_not_asked():
    generator = Says("Anything.")

    await told(Check(Grounding(weak=0.01), LexicalVerifier()), generator, [])

    assert generator.said == 0


async def test_where_what_was_found_is_strong_the_generator_is_asked():
    generator, skipped = Says(f"{REFUNDS} [1]"), begin_skips()

    await told(Check(Grounding(weak=0.5), LexicalVerifier()), generator)

    assert (generator.said, skipped) == (1, [])


RIGHT = Logistic(-1.0, {"coverage": 1.0, "grounding": 2.0, "evidence": 1.0})


async def confident(outcome, right=RIGHT, said=f"{REFUNDS} [1]"):
    check = Check(Grounding(), LexicalVerifier(), right=right)
    return (await told(check, Says(said, outcome=outcome)))[1].confidence


async def test_confidence_is_that_of_the_fitted_model():
    sure = await confident(Outcome(answerable=True, evidence=1.0))
    unsure = await confident(Outcome(answerable=True, evidence=0.5))
    ungrounded = await confident(Outcome(answerable=True, evidence=1.0), said=WRONG)

    assert 0 < ungrounded < unsure < sure < 1


@pytest.mark.parametrize(
    ("outcome", "right"),
    [
        (Outcome(answerable=True, evidence=1.0), None),
        (Outcome(answerable=True), RIGHT),
        (Outcome(answerable=False, evidence=0.1), RIGHT),
        (Outcome(answerable=True, evidence=1.0, degraded=("embedder",)), RIGHT),
        (Outcome(answerable=True, evidence=1.0), Logistic(0.0, {"cosine": 1.0})),
    ],
    ids=["no model", "no evidence", "no answer", "degraded", "no vectors"],
)
async def test_where_nothing_was_fitted_there_is_no_confidence(outcome, right):
    assert await confident(outcome, right) is None


SENTENCES = [REFUNDS, FEES, HOTELS, WRONG, "Refunds are paid within 9 days.", "Sure!", NOT_FOUND]
GLUE = [" ", "\n", "\n\n", "\n- ", "", "\n## Refunds\n", "\n1. ", ".", "[", "]", " e.g. ", ":\n"]
MARKERS = [" [1]", "[2]", " [3]", "[4]", " [9]", "[0]", "[", " [1", "1]", "[1234567]", "[12"]
WORDS = ["Fees", "refunded", "7", "not", "chairman", "EUR", "140", "|", "**"]
jumble = st.lists(st.sampled_from([*SENTENCES, *GLUE, *MARKERS, *WORDS]), max_size=14).map("".join)
sentence = st.tuples(
    st.sampled_from(SENTENCES),
    st.sampled_from(["", "", " [1]", "[2]", " [1][3]", " [9]"]),
    st.sampled_from([" ", " ", "\n", "\n\n", "\n- "]),
).map("".join)
output = jumble | st.lists(sentence, max_size=5).map("".join)


@st.composite
def model_output(draw):
    """A text, and the same text in pieces."""
    text = draw(output)
    cuts = sorted(draw(st.sets(st.integers(0, len(text)), max_size=12)))
    return text, [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]


texts = st.just(list(TEXTS)) | st.lists(
    st.sampled_from([REFUNDS, FEES, HOTELS, "Sure.", "7", "[1]"]), max_size=4
)


@given(model_output(), texts, st.sampled_from(["flag", "remove", "refuse"]))
async def test_no_citation_leaves_of_a_passage_that_was_not_given(said, passages, policy):
    check = Check(Grounding(policy), LexicalVerifier())

    tokens, last = await told(check, Says(*said[1]), passages)

    numbers = {int(one) for one in MARKER.findall("".join(tokens))}
    assert numbers == last.cited
    assert numbers <= set(range(1, len(passages) + 1))
    for one in last.grounding.sentences:
        assert set(one.cites) <= set(range(1, len(passages) + 1))


@given(model_output(), texts, st.sampled_from(["flag", "remove", "refuse"]))
async def test_however_the_text_is_cut_the_same_is_shown_and_said(said, passages, policy):
    check = Check(Grounding(policy), LexicalVerifier())

    cut = await told(check, Says(*said[1]), passages)
    whole = await told(check, Says(said[0]), passages)

    assert "".join(cut[0]) == "".join(whole[0])
    assert cut[1].grounding == whole[1].grounding


@given(model_output(), texts)
async def test_remove_never_shows_what_is_not_supported(said, passages):
    check = Check(Grounding("remove"), LexicalVerifier())

    tokens, last = await told(check, Says(*said[1]), passages)

    shown, known = "".join(tokens), known_words("When are refunds paid?")
    given = given_passages(passages)
    assert all(one.supported for one in last.grounding.sentences)
    for one in statements(shown):
        if claims(one, known):
            cited = tuple(given[number - 1] for number in one.cites)
            (support,) = await LexicalVerifier().support([Claim(one.parts, cited)])
            assert support >= 0.5, one


@given(model_output(), texts, st.sampled_from(["remove", "refuse"]))
async def test_an_answer_without_a_supported_sentence_is_none(said, passages, policy):
    check = Check(Grounding(policy), LexicalVerifier())

    tokens, last = await told(check, Says(*said[1]), passages)

    supported = [one for one in last.grounding.sentences if one.score is not None]
    assert last.outcome.answerable == bool(supported)
    assert supported or "".join(tokens) == NOT_FOUND


@given(model_output(), texts)
async def test_flag_holds_back_no_more_than_an_unfinished_citation(said, passages):
    check = Check(Grounding("flag"), LexicalVerifier())
    generator = Says(*said[1])
    shown = 0
    async for piece in check.checked(generator, question(), given_passages(passages)):
        if isinstance(piece, Token):
            shown += len(piece.text)
            removed = len(MARKER.findall("".join(said[1]))) * 10 + said[0].count("]")
            assert len("".join(said[1][: generator.said])) - shown - removed <= len(" [123456")
