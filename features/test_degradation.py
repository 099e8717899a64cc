"""Steps of doing without: dependencies that go down under a running service."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from typing import Any

from pytest_bdd import given, parsers, scenarios, then, when

from features.world import Deploy, World
from orchestrator.domain.errors import Unavailable

scenarios("degradation.feature")


class DownIndex:
    """An index whose every search fails; what follows the log beside it goes on."""

    def __init__(self, inner: Any, name: str) -> None:
        self.inner = inner
        self.name = name

    async def search(self, *_: Any, **__: Any) -> Sequence[Any]:
        raise Unavailable(self.name, "switched off by a test")

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)


def projections(world: World) -> dict[str, Any]:
    return world.service.application.library._open[world.workspace].shelf.projections


@given("a deployment whose cache is a Redis that is down")
def without_redis(world: World, deploy: Deploy) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        port = nobody.getsockname()[1]
    url = f"redis://127.0.0.1:{port}/0"
    world.service = deploy({"RAG_CACHE__KIND": "redis", "RAG_CACHE__URL": url})


@given("a deployment that retrieves by vectors and by keywords")
def hybrid(world: World, deploy: Deploy) -> None:
    world.service = deploy({"RAG_RETRIEVER__KIND": "hybrid"})


@when(parsers.parse("the {side} index goes down"))
def goes_down(world: World, side: str) -> None:
    (projection,) = [one for role, one in projections(world).items() if role.startswith(side)]
    projection._index = DownIndex(projection._index, side)


@when("every index is up again")
def up_again(world: World) -> None:
    for projection in projections(world).values():
        if isinstance(projection._index, DownIndex):
            projection._index = projection._index.inner


@then("the answer lacks nothing")
def lacks_nothing(world: World) -> None:
    assert world.answer["meta"]["degraded"] == []


@then(parsers.parse('the search was made without "{dependency}"'))
def searched_without(world: World, dependency: str) -> None:
    assert world.response.json()["meta"]["degraded"] == [dependency]


@then(parsers.parse('the service is ready, but lacks "{dependency}"'))
def ready_without(world: World, dependency: str) -> None:
    response = world.request("GET", "/health/ready")
    report = response.json()
    assert response.status_code == 200
    assert report["status"] == "degraded"
    assert report["down"] == [dependency]
    assert report["dependencies"][dependency].startswith("down: ")
    assert report["dependencies"]["catalog"] == "up"


@then("the service is ready, and lacks nothing")
def ready(world: World) -> None:
    response = world.request("GET", "/health/ready")
    assert response.status_code == 200
    assert response.json()["status"] == "ok"
    assert response.json()["down"] == []
    assert world.request("GET", "/health/live").json() == {"status": "ok"}
