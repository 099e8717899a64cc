"""Errors by what the caller can do about them.

RagError
├── Unavailable     a dependency does not answer: try again later
├── TimedOut        the time limit of the request passed: ask for less, or again
├── Exhausted       a limit or quota is reached: wait
├── Rejected        the request cannot be accepted as it is: change it
│   ├── TooLarge        ... make it smaller
│   └── Unsupported     ... send another format
├── NotFound        there is no such thing, or none that the caller may see
├── Forbidden       the caller may not do this
├── Conflict        the thing is in a state that does not allow this
└── Misconfigured   the deployment is wrong: an operator must change it
"""

from __future__ import annotations


class RagError(Exception):
    """The root: `code` is stable and for programs, `detail` is a sentence for people."""

    code = "error"

    def __init__(
        self,
        detail: str,
        *,
        code: str | None = None,
        field: str | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.code = code or type(self).code
        self.field = field
        self.retry_after = retry_after


class Unavailable(RagError):
    """A dependency does not answer: try again later; `told` says that it said itself when."""

    code = "unavailable"

    def __init__(self, dependency: str, reason: str, *, retry_after: float | None = None) -> None:
        super().__init__(
            f"{dependency} is unavailable: {reason}",
            retry_after=1.0 if retry_after is None else retry_after,
        )
        self.dependency = dependency
        self.told = retry_after is not None


class TimedOut(RagError):
    """The time limit of the request passed."""

    code = "timed_out"


class Exhausted(RagError):
    """A limit or quota is reached: wait."""

    code = "exhausted"


class Rejected(RagError):
    """The request cannot be accepted as it is: change it."""

    code = "rejected"


class TooLarge(Rejected):
    """The request is larger than this service accepts."""

    code = "too_large"


class Unsupported(Rejected):
    """The content is of a kind that this service does not read."""

    code = "unsupported_content"


class NotFound(RagError):
    """There is no such thing, or none that the caller may see."""

    code = "not_found"


class Forbidden(RagError):
    """The caller may not do this."""

    code = "forbidden"


class Conflict(RagError):
    """The thing is in a state that does not allow this."""

    code = "conflict"


class Misconfigured(RagError):
    """The deployment is wrong: an operator must change its configuration."""

    code = "misconfigured"
