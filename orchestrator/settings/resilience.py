"""What a language model's server is allowed, and what happens when it fails."""

from __future__ import annotations

from typing import Self

from pydantic import BaseModel, Field, model_validator

from orchestrator.resilience.accounting import Prices
from orchestrator.resilience.breaker import RECENT, Tolerance


class ResilienceOptions(BaseModel):
    """Options of every generator that is a language model; times in seconds.

    Prices are of a million tokens, in one currency for the whole deployment.
    """

    first_token_s: float = Field(default=15.0, gt=0, description="until an answer begins")
    idle_s: float = Field(default=10.0, gt=0, description="from one token to the next")
    total_s: float = Field(default=120.0, gt=0, description="for all attempts and all words")
    attempts: int = Field(default=2, ge=1, le=10, description="none after the first word")
    backoff_s: float = Field(default=0.25, gt=0, description="the first pause, doubled each time")
    backoff_max_s: float = Field(default=3.0, gt=0, description="the longest that is waited")
    breaker_failures: int = Field(default=5, ge=1, le=RECENT, description=f"of {RECENT} answers")
    breaker_share: float = Field(
        default=0.5, ge=0, le=1, description="of the answers in its window"
    )
    breaker_window_s: float = Field(default=30.0, gt=0)
    breaker_open_s: float = Field(default=5.0, gt=0, description="doubled while trials fail")
    breaker_open_max_s: float = Field(default=60.0, gt=0)
    parallel: int = Field(default=64, ge=1, le=10_000, description="answers at once")
    queued: int = Field(default=128, ge=0, le=100_000, description="that wait for one of them")
    queue_s: float = Field(default=5.0, gt=0, description="for which each may wait")
    fallback: str | None = Field(default=None, description="the generator that is asked next")
    last_resort: bool = Field(default=True, description="whether quotations come last of all")
    price_in: float | None = Field(default=None, ge=0, description="of a million tokens read")
    price_out: float | None = Field(default=None, ge=0, description="of a million tokens written")

    @model_validator(mode="after")
    def _prices_come_in_pairs(self) -> Self:
        if (self.price_in is None) != (self.price_out is None):
            raise ValueError("price_in and price_out are given together, or not at all")
        return self

    @property
    def tolerance(self) -> Tolerance:
        """When the breaker opens, and for how long."""
        return Tolerance(
            failures=self.breaker_failures,
            share=self.breaker_share,
            window_s=self.breaker_window_s,
            open_s=self.breaker_open_s,
            longest_s=max(self.breaker_open_s, self.breaker_open_max_s),
        )

    @property
    def prices(self) -> Prices | None:
        """The prices, where they are known."""
        if self.price_in is None or self.price_out is None:
            return None
        return Prices(self.price_in, self.price_out)
