"""The output and usage of runs that have called a model, as the API returns them."""

from collections.abc import Iterable
from typing import Self

from pydantic import BaseModel

from promptops_platform.http.examples import example
from promptops_providers.protocol import Usage


class ModelAnswer(BaseModel):
    """The last output, and the model that returned it."""

    model_config = example(provider="mock", model="mock-1", output="No, it stays dry.")

    provider: str
    model: str
    output: str


class TokenUsage(BaseModel):
    """Tokens of all model calls together; `estimated` if a vendor didn't report them.
    `prompt_tokens` include those that a vendor read from its cache."""

    model_config = example(prompt_tokens=31, output_tokens=5, cached_tokens=0, estimated=True)

    prompt_tokens: int
    output_tokens: int
    cached_tokens: int
    estimated: bool

    @classmethod
    def of(cls, used: Iterable[Usage | None]) -> Self:
        usages = [usage for usage in used if usage is not None]
        return cls(
            prompt_tokens=sum(usage.prompt_tokens for usage in usages),
            output_tokens=sum(usage.output_tokens for usage in usages),
            cached_tokens=sum(usage.cached_tokens for usage in usages),
            estimated=any(usage.estimated for usage in usages),
        )
