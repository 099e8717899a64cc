"""The promises of a catalog's `Sessions`."""

# ruff: noqa: D102  # a test's name is its documentation

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest

from orchestrator.contracts.clerk import Clerk
from orchestrator.domain.errors import NotFound
from orchestrator.domain.identity import Principal
from orchestrator.domain.sessions import Cited, Exchange, Session
from orchestrator.ports.catalog import Catalog

ADA = Principal("ada")
BOB = Principal("bob")


def exchange(*doc_ids: str, question: str = "Paid?", answer: str | None = "Yes. [1]") -> Exchange:
    """A question that was answered from those documents."""
    return Exchange(question, answer, True, tuple(Cited(one, "7", True) for one in doc_ids))


class SessionsContract:
    """Needs the fixtures `catalog`, `another` and `clerk`."""

    async def opened(self, clerk: Clerk, title: str | None = None) -> Session:
        """A session of Ada in the clerk's workspace."""
        return await clerk.catalog.sessions.create(clerk.uid, "ada", title=title)

    async def said(
        self, clerk: Clerk, session: Session, principal: Principal = ADA
    ) -> Sequence[Exchange]:
        """What was said in it, as the principal may read it."""
        return await clerk.catalog.sessions.exchanges(
            session.id, principal=principal, before=None, limit=100
        )

    async def test_a_session_is_read_as_it_was_made(self, clerk: Clerk, another: Catalog) -> None:
        session = await self.opened(clerk, "Réfunds 返金")

        assert (session.workspace, session.subject, session.title) == (
            clerk.uid,
            "ada",
            "Réfunds 返金",
        )
        assert await another.sessions.get(session.id, subject="ada") == session

    async def test_there_is_none_in_a_workspace_that_is_gone(self, clerk: Clerk) -> None:
        await clerk.catalog.deletions.workspace(clerk.name)

        with pytest.raises(NotFound) as raised:
            await self.opened(clerk)
        assert raised.value.code == "unknown_workspace"

    async def test_what_was_said_is_read_in_order(self, clerk: Clerk, another: Catalog) -> None:
        document = await clerk.keep("Refunds are paid.")
        session = await self.opened(clerk)
        unsaid = Exchange("Why?", "The documents do not say.", False, ())
        heard = Exchange("And when?", "Now.", True, (), heard=frozenset({document.id}))
        for one in (exchange(document.id), unsaid, heard):
            await clerk.catalog.sessions.append(session.id, one)

        said = await another.sessions.exchanges(session.id, principal=ADA, before=None, limit=9)

        assert [(one.number, one.question, one.answer, one.answerable) for one in said] == [
            (1, "Paid?", "Yes. [1]", True),
            (2, "Why?", "The documents do not say.", False),
            (3, "And when?", "Now.", True),
        ]
        assert said[0].sources == (Cited(document.id, "7", True),)
        assert [one.documents for one in said] == [{document.id}, set(), {document.id}]

    async def test_the_last_exchanges_are_read_page_by_page(self, clerk: Clerk) -> None:
        session = await self.opened(clerk)
        for number in range(5):
            await clerk.catalog.sessions.append(session.id, exchange(question=f"{number}"))
        read = clerk.catalog.sessions.exchanges

        last = await read(session.id, principal=ADA, before=None, limit=2)
        earlier = await read(session.id, principal=ADA, before=last[0].number, limit=9)

        assert [one.question for one in (*earlier, *last)] == list("01234")
        assert len(last) == 2

    async def test_of_two_processes_that_add_at_once_nothing_is_lost(
        self, clerk: Clerk, another: Catalog
    ) -> None:
        session = await self.opened(clerk)
        both = (clerk.catalog, another) * 4
        await asyncio.gather(*(one.sessions.append(session.id, exchange()) for one in both))

        assert [one.number for one in await self.said(clerk, session)] == list(range(1, 9))

    async def test_nobody_but_its_owner_finds_it(self, clerk: Clerk) -> None:
        session = await self.opened(clerk)
        await clerk.catalog.sessions.append(session.id, exchange())
        sessions = clerk.catalog.sessions

        assert list(await self.said(clerk, session, BOB)) == []
        assert list(await sessions.list(clerk.uid, subject="bob", after=None, limit=9)) == []
        with pytest.raises(NotFound) as raised:
            await sessions.get(session.id, subject="bob")
        assert raised.value.code == "unknown_session"
        with pytest.raises(NotFound):
            await sessions.delete(session.id, subject="bob")
        assert len(await self.said(clerk, session)) == 1

    async def test_sessions_are_listed_newest_first_and_page_by_page(self, clerk: Clerk) -> None:
        other = await Clerk.of(clerk.catalog, clerk.queue, "apart")
        made = []
        for _ in range(5):
            made.append((await self.opened(clerk)).id)
            await asyncio.sleep(0.002)  # ids of one millisecond are in no order
        await self.opened(other)
        listed = clerk.catalog.sessions.list

        first = await listed(clerk.uid, subject="ada", after=None, limit=2)
        rest = await listed(clerk.uid, subject="ada", after=first[-1].id, limit=9)

        assert [one.id for one in (*first, *rest)] == made[::-1]
        assert len(first) == 2

    async def test_a_deleted_session_is_gone_with_what_was_said(self, clerk: Clerk) -> None:
        document = await clerk.keep("Refunds are paid.")
        session, kept = await self.opened(clerk), await self.opened(clerk)
        for one in (session, kept):
            await clerk.catalog.sessions.append(one.id, exchange(document.id))
        await clerk.catalog.sessions.delete(session.id, subject="ada")

        assert list(await self.said(clerk, session)) == []
        for gone in (
            clerk.catalog.sessions.get(session.id, subject="ada"),
            clerk.catalog.sessions.delete(session.id, subject="ada"),
            clerk.catalog.sessions.append(session.id, exchange()),
        ):
            with pytest.raises(NotFound):
                await gone
        assert len(await self.said(clerk, kept)) == 1

    async def test_a_deleted_workspace_takes_its_sessions_along(self, clerk: Clerk) -> None:
        session = await self.opened(clerk)
        await clerk.catalog.sessions.append(session.id, exchange())
        await clerk.catalog.deletions.workspace(clerk.name)

        assert list(await self.said(clerk, session)) == []
        with pytest.raises(NotFound):
            await clerk.catalog.sessions.get(session.id, subject="ada")
        with pytest.raises(NotFound):
            await clerk.catalog.sessions.append(session.id, exchange())

    @pytest.mark.parametrize("at_once", [True, False])
    async def test_answers_from_a_deleted_document_are_erased_and_questions_stay(
        self, clerk: Clerk, at_once: bool
    ) -> None:
        doomed = await clerk.keep("Refunds are paid.", source_id="a.txt")
        kept = await clerk.keep("Fees are not.", source_id="b.txt")
        session = await self.opened(clerk)
        heard = Exchange("And fees?", "No.", True, (), heard=frozenset({doomed.id}))
        for one in (exchange(doomed.id, kept.id), exchange(kept.id), heard, exchange()):
            await clerk.catalog.sessions.append(session.id, one)
        if at_once:
            await clerk.catalog.deletions.documents([doomed.id])
        else:
            await clerk.catalog.deletions.document(doomed.id)

        said = await self.said(clerk, session)
        assert [one.answer for one in said] == [None, "Yes. [1]", None, "Yes. [1]"]
        assert [one.question for one in said] == ["Paid?", "Paid?", "And fees?", "Paid?"]

    async def test_an_answer_that_comes_after_the_deletion_is_not_kept(self, clerk: Clerk) -> None:
        document = await clerk.keep("Refunds are paid.")
        session = await self.opened(clerk)
        await clerk.catalog.deletions.document(document.id)
        await clerk.catalog.sessions.append(session.id, exchange(document.id))

        (said,) = await self.said(clerk, session)
        assert (said.question, said.answer) == ("Paid?", None)

    async def test_an_answer_is_withheld_while_its_reader_may_not_see_a_document(
        self, clerk: Clerk
    ) -> None:
        document = await clerk.keep("Refunds are paid.")
        session = await self.opened(clerk)
        await clerk.catalog.sessions.append(session.id, exchange(document.id))
        stranger = Principal("ada", frozenset({"strangers"}))

        assert [one.answer for one in await self.said(clerk, session, stranger)] == [None]
        assert [one.answer for one in await self.said(clerk, session)] == ["Yes. [1]"]

    async def test_sessions_that_nobody_used_for_long_are_forgotten(self, clerk: Clerk) -> None:
        session = await self.opened(clerk)
        await clerk.catalog.sessions.append(session.id, exchange())
        now = datetime.now(UTC)

        early = await clerk.catalog.sessions.forget(now - timedelta(hours=1))
        late = await clerk.catalog.sessions.forget(now + timedelta(hours=1))

        assert (early, late) == (0, 1)
        assert list(await self.said(clerk, session)) == []
