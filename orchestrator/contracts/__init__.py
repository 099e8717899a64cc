"""The promises of every port, as tests that any adapter can run, yours too.

Subclass a suite in a test module, and give it the fixtures that its docstring names:

    class TestMyCache(CacheContract):
        @pytest.fixture
        def cache(self) -> MyCache: ...

The suites need pytest, and pytest-asyncio with `asyncio_mode = "auto"`. Where an adapter deviates
on purpose, override the test with one that is marked `xfail(strict=True, reason=...)`.
"""

import pkgutil

import pytest

pytest.register_assert_rewrite(
    *(f"{__name__}.{one.name}" for one in pkgutil.iter_modules(__path__))
)
