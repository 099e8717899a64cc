"""What options of all backends have in common: they forbid what is unknown, and mask secrets."""

from __future__ import annotations

import re
from typing import Annotated, Final, TypeAlias

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    RedisDsn,
    Secret,
    SecretStr,
    StringConstraints,
)


class Options(BaseModel):
    """Options of one backend; one that is not known stops the start."""

    model_config = ConfigDict(extra="forbid", frozen=True)


_PASSWORD: Final = re.compile(r"(?<=:)[^/@]*(?=@)|(?<=password=)[^&]*")


_SENT: Final = re.compile(r"[\x20-\x7e]+")


def _sendable(secret: SecretStr) -> SecretStr:
    """Without the line break that a file of it ends with; whatever is wrong is not repeated."""
    told = secret.get_secret_value().strip()
    if not _SENT.fullmatch(told):
        raise ValueError("it must be one line of plain ASCII characters, as it is sent in a header")
    return SecretStr(told)


SentSecret: TypeAlias = Annotated[SecretStr, AfterValidator(_sendable)]


class SecretRedisUrl(Secret[RedisDsn]):
    """A URL of Redis, of which everything but the password is shown."""

    def _display(self) -> str:
        return _PASSWORD.sub("**********", str(self.get_secret_value()))


PostgresUrl: TypeAlias = Annotated[str, StringConstraints(pattern=r"^postgres(ql)?://.+")]
"""With a host, or `?host=` and the folder of a socket, which pydantic's own type does not take."""


class SecretPostgresUrl(Secret[PostgresUrl]):
    """A URL of PostgreSQL, of which everything but the password is shown."""

    def _display(self) -> str:
        return _PASSWORD.sub("**********", self.get_secret_value())


def revealed(secret: SecretStr | None) -> str | None:
    """What is kept secret, for whom it is meant."""
    return secret.get_secret_value() if secret else None
