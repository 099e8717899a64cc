"""The promises of a `Cache`."""

# ruff: noqa: D102  # a test's name is its documentation

from __future__ import annotations

from collections.abc import Awaitable, Callable

from orchestrator.contracts.specimens import answer
from orchestrator.ports.cache import Cache, CacheKey

KEY = CacheKey("w1", "0f3a")


class CacheContract:
    """Needs the fixtures `cache`, empty, and `expire`, which lets every time to live pass."""

    async def test_what_was_never_put_is_a_miss(self, cache: Cache) -> None:
        found = await cache.get(KEY, revision=0)

        assert found is None

    async def test_an_answer_comes_back_equal_in_every_field(self, cache: Cache) -> None:
        await cache.put(KEY, answer(), revision=7)

        assert await cache.get(KEY, revision=7) == answer()

    async def test_an_answer_can_be_read_more_than_once(self, cache: Cache) -> None:
        await cache.put(KEY, answer(), revision=7)
        await cache.get(KEY, revision=7)

        assert await cache.get(KEY, revision=7) == answer()

    async def test_an_answer_of_an_earlier_revision_is_a_miss(self, cache: Cache) -> None:
        await cache.put(KEY, answer(), revision=6)

        assert await cache.get(KEY, revision=7) is None

    async def test_an_answer_of_a_later_revision_is_a_miss(self, cache: Cache) -> None:
        await cache.put(KEY, answer(), revision=8)

        assert await cache.get(KEY, revision=7) is None

    async def test_looking_from_an_earlier_revision_leaves_the_answer(self, cache: Cache) -> None:
        await cache.put(KEY, answer(), revision=8)
        await cache.get(KEY, revision=7)

        assert await cache.get(KEY, revision=8) == answer()

    async def test_the_same_question_in_another_workspace_is_a_miss(self, cache: Cache) -> None:
        await cache.put(KEY, answer(), revision=7)

        assert await cache.get(CacheKey("w2", KEY.digest), revision=7) is None

    async def test_another_question_in_the_same_workspace_is_a_miss(self, cache: Cache) -> None:
        await cache.put(KEY, answer(), revision=7)

        assert await cache.get(CacheKey(KEY.workspace, "0f3b"), revision=7) is None

    async def test_a_later_put_replaces_the_answer(self, cache: Cache) -> None:
        await cache.put(KEY, answer("old"), revision=7)
        await cache.put(KEY, answer("new"), revision=7)

        assert await cache.get(KEY, revision=7) == answer("new")

    async def test_a_later_put_of_another_revision_replaces_the_answer(self, cache: Cache) -> None:
        await cache.put(KEY, answer("old"), revision=7)
        await cache.put(KEY, answer("new"), revision=8)

        assert await cache.get(KEY, revision=7) is None
        assert await cache.get(KEY, revision=8) == answer("new")

    async def test_an_answer_is_forgotten_when_its_time_to_live_is_over(
        self, cache: Cache, expire: Callable[[], Awaitable[None]]
    ) -> None:
        await cache.put(KEY, answer(), revision=7)
        await expire()

        assert await cache.get(KEY, revision=7) is None

    async def test_a_purge_erases_every_answer_of_the_workspace(self, cache: Cache) -> None:
        keys = [CacheKey("w1", f"{number:04x}") for number in range(25)]
        for key in keys:
            await cache.put(key, answer(), revision=7)

        await cache.purge("w1")

        assert [await cache.get(key, revision=7) for key in keys] == [None] * 25

    async def test_a_purge_leaves_a_workspace_whose_name_begins_the_same(
        self, cache: Cache
    ) -> None:
        other = CacheKey("w10", KEY.digest)
        await cache.put(KEY, answer(), revision=7)
        await cache.put(other, answer(), revision=7)

        await cache.purge("w1")

        assert await cache.get(other, revision=7) == answer()

    async def test_purging_an_unknown_workspace_does_nothing(self, cache: Cache) -> None:
        await cache.put(KEY, answer(), revision=7)

        await cache.purge("w2")

        assert await cache.get(KEY, revision=7) == answer()
