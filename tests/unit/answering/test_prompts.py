"""Prompts: files that are checked when they are read, chosen, and filled in at once."""

from __future__ import annotations

from importlib.resources import files

import pytest

from orchestrator.answering.prompts import TASKS, prompts, read_prompts
from orchestrator.domain.errors import Misconfigured
from orchestrator.domain.workspaces import Prompting

SYSTEM = "Answer from `<passage N boundary>` and `<question boundary>`. Else say: {refusal}"
USER = "The boundary is {boundary}.\n\n{passages}\n\n{question}"
QUESTIONS = [f"What is number {number}?" for number in range(200)]


def written(system=SYSTEM, user=USER, refusal="No."):
    parts = {"system": system, "user": user, "refusal": refusal}
    return "\n\n".join(f"# {name}\n\n{text}" for name, text in parts.items() if text is not None)


def folder(tmp_path, **texts):
    for name, text in texts.items():
        (tmp_path / "answer").mkdir(exist_ok=True)
        (tmp_path / "answer" / f"{name}.en.md").write_text(text)
    return tmp_path


def test_every_task_has_a_prompt_in_english_and_german():
    known = {(one.name, one.language) for one in prompts()}

    assert known >= {(task, language) for task in TASKS for language in ("en", "de")}


def test_the_prompts_are_part_of_the_package():
    assert (files("orchestrator") / "prompts" / "answer" / "v1.en.md").is_file()


@pytest.mark.parametrize("one", list(prompts()), ids=str)
def test_what_is_the_same_for_every_request_comes_first_and_the_question_last(one):
    values = {"boundary": "b0", "passages": "P", "question": "Q", "history": "H", "count": "3"}

    system, user = one.messages(**values)

    assert (system.role, user.role) == ("system", "user")
    assert system == one.messages(**dict.fromkeys(values, "another"))[0]
    assert "{" not in system.text + user.text
    assert one.name == "summarise" or user.text.endswith("Q")


def test_a_value_is_not_searched_for_placeholders():
    one = prompts().chosen(Prompting(), "")

    _, user = one.messages(boundary="{question}", passages="{boundary}", question="{passages}")

    assert (user.text.count("{question}"), user.text.count("{boundary}")) == (1, 1)
    assert user.text.endswith("{passages}")


def test_a_prompt_is_chosen_by_name_version_and_language():
    assert str(prompts().chosen(Prompting(), "any")) == "answer/v1.en"
    assert str(prompts().chosen(Prompting(version=2, language="de"), "any")) == "answer/v2.de"


def test_a_split_gives_every_question_one_version_and_each_version_its_share():
    how = Prompting(split=((1, 3), (2, 1)))

    drawn = {text: prompts().chosen(how, text).version for text in QUESTIONS}

    assert {text: prompts().chosen(how, text.upper()).version for text in QUESTIONS} == drawn
    assert 0.65 < list(drawn.values()).count(1) / len(QUESTIONS) < 0.85


def test_what_is_not_there_is_missing():
    how = Prompting(split=((1, 1), (9, 1)))

    assert prompts().missing(how) == ["answer/v9.en"]
    assert prompts().missing(Prompting(language="xx")) == ["answer/v1.xx"]
    assert prompts().missing(Prompting()) == []


def test_what_is_no_prompt_for_answers_is_missing_among_them():
    assert prompts().missing(Prompting(name="imagine")) == ["imagine/v1.en"]


def test_for_a_task_the_newest_version_is_taken_in_english_if_need_be():
    assert str(prompts().newest("answer", "de")) == "answer/v2.de"
    assert str(prompts().newest("imagine", "fr")) == "imagine/v1.en"


def test_another_text_is_another_digest(tmp_path):
    before = read_prompts(folder(tmp_path, v1=written())).digest

    after = read_prompts(folder(tmp_path, v1=written(system=f"{SYSTEM} Now."))).digest

    assert before != after


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (written(user=f"{{other}} {USER}"), "exactly boundary, passages, question"),
        (written(user="{boundary} {question}"), "exactly boundary, passages, question"),
        (written(user="{passages} {question}"), "exactly boundary, passages, question"),
        (written(user="{boundary} {question} {passages}"), "the question comes last"),
        (written(system=f"{SYSTEM} {{boundary}}"), "constant, without boundary"),
        (written(system="`<passage N>` `<question b>`"), "must hold {refusal}"),
        (written(system="`<passage N>`: {refusal}"), "must show each delimiter"),
        (written(refusal=None), "these parts and no others: refusal, system, user"),
        (written(refusal=""), "these parts and no others"),
        (f"Before.\n\n{written()}", "these parts and no others"),
    ],
)
def test_what_is_wrong_in_a_prompt_stops_the_start(tmp_path, text, why):
    with pytest.raises(Misconfigured, match=r"prompt 'answer/v1\.en\.md'") as stopped:
        read_prompts(folder(tmp_path, v1=text))

    assert why in stopped.value.detail


@pytest.mark.parametrize("name", ["v0.en.md", "v1.md", "v1.en.txt", "1.en.md"])
def test_a_file_of_another_name_stops_the_start(tmp_path, name):
    (tmp_path / "answer").mkdir()
    (tmp_path / "answer" / name).write_text(written())

    with pytest.raises(Misconfigured, match=r"is not TASK/vN.LANGUAGE.md"):
        read_prompts(tmp_path)


def test_a_task_may_have_variants(tmp_path):
    (tmp_path / "answer-legal").mkdir()
    (tmp_path / "answer-legal" / "v3.en.md").write_text(written())

    found = read_prompts(tmp_path)

    assert str(found.chosen(Prompting(name="answer-legal", version=3), "")) == "answer-legal/v3.en"
