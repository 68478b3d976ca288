"""The response with the price table."""

from typing import Self

from pydantic import BaseModel

from promptops_platform.http.examples import example
from promptops_platform.runlog.prices import Price, PriceTable


class Prices(BaseModel):
    """The price table in effect, in dollars per million tokens."""

    model_config = example(
        version="2026-11-25",
        prices=[
            {
                "provider": "openai",
                "model": "gpt-5-mini*",
                "input": 0.25,
                "cached_input": 0.025,
                "output": 2.0,
                "min_prompt_tokens": 0,
                "max_prompt_tokens": 272_000,
                "valid_from": "2025-08-07",
                "source": "https://developers.openai.com/api/docs/pricing",
            }
        ],
    )

    version: str
    prices: list[Price]

    @classmethod
    def of(cls, table: PriceTable) -> Self:
        return cls(version=table.version, prices=table.prices)
