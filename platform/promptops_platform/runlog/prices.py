"""Costs of model calls: a versioned price table, either the one included or the operator's own."""

import json
from dataclasses import dataclass
from datetime import date, datetime
from decimal import ROUND_HALF_UP, Decimal
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    PlainSerializer,
    ValidationError,
    model_validator,
)

from promptops_platform.errors import StartRefused
from promptops_providers.protocol import Usage

# Dollars per million tokens equal thousands of nanodollars per token.
NANOS_A_TOKEN = 1000
NANOS_A_DOLLAR = 1_000_000_000
ANY = "*"
# Providers that run on the operator's machine. A table that includes them takes precedence.
FREE = ("mock", "ollama")

Dollars = Annotated[Decimal, Field(ge=0, le=1_000_000), PlainSerializer(float, return_type=float)]


def _pattern(value: str) -> str:
    if ANY in value[:-1]:
        raise ValueError("contains '*' before its end; a pattern is a name, or a prefix and '*'")
    return value


class Price(BaseModel):
    """Dollars per million tokens. Without a price of their own, cached tokens cost as much as
    others."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    provider: str = Field(min_length=1, max_length=64)
    model: Annotated[str, AfterValidator(_pattern)] = Field(min_length=1, max_length=200)
    input: Dollars
    cached_input: Dollars | None = None
    output: Dollars
    # Limits of the whole prompt, because a price may depend on the prompt's length.
    min_prompt_tokens: int = Field(default=0, ge=0)
    max_prompt_tokens: int | None = Field(default=None, ge=0)
    valid_from: date
    source: str = Field(max_length=500)

    @model_validator(mode="after")
    def _range_is_not_empty(self) -> Self:
        if self.max_prompt_tokens is not None and self.max_prompt_tokens < self.min_prompt_tokens:
            raise ValueError("max_prompt_tokens is below min_prompt_tokens")
        return self

    def fits(self, model: str) -> bool:
        """Whether it is a price of this model."""
        if self.model.endswith(ANY):
            return model.startswith(self.model[:-1])
        return self.model == model

    def cost(self, usage: Usage) -> int:
        """Return the cost in nanodollars, rounded once, half up."""
        cached = min(usage.cached_tokens, usage.prompt_tokens)
        cached_input = self.input if self.cached_input is None else self.cached_input
        dollars = (
            (usage.prompt_tokens - cached) * self.input
            + cached * cached_input
            + usage.output_tokens * self.output
        )
        return int((dollars * NANOS_A_TOKEN).to_integral_value(ROUND_HALF_UP))


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid")

    version: str = Field(min_length=1, max_length=64)
    prices: list[Price]


@dataclass(frozen=True, slots=True)
class Charge:
    """The cost of a call, in nanodollars; None if its price or its usage isn't known. `price` is
    what is stored of the price that was used."""

    nanos: int | None
    price: dict[str, Any] | None


def dollars(nanos: int | None) -> float | None:
    """Convert nanodollars to dollars; None stays None."""
    return None if nanos is None else nanos / NANOS_A_DOLLAR


class PriceTable:
    """The prices in force. The longest pattern that fits a model wins, and of its prices the latest
    one that is valid."""

    def __init__(self, version: str, prices: list[Price]) -> None:
        priced = {price.provider for price in prices}
        self.version = version
        self.prices = [*prices, *(_free(provider) for provider in FREE if provider not in priced)]

    @classmethod
    def load(cls, file: Path | None) -> Self:
        """Load the table from a file, or the included one; raises StartRefused for an invalid
        table."""
        if file is None:
            return cls._parsed(files(__package__).joinpath("prices.json").read_text("utf-8"))
        try:
            return cls._parsed(file.read_text("utf-8"))
        except OSError as error:
            reason = f"it can't be read ({error.strerror})"
        except ValidationError as error:
            reason = _first_fault(error)
        except (ValueError, RecursionError) as error:
            reason = f"it is not JSON ({error})"
        raise StartRefused(
            f"PROMPTOPS_PRICES: {str(file)!r} is not a price table: {reason}; "
            "GET /api/prices shows one"
        )

    @classmethod
    def _parsed(cls, text: str) -> Self:
        parsed = _File.model_validate(json.loads(text, parse_float=Decimal))
        return cls(parsed.version, parsed.prices)

    def charge(
        self, provider: str, model: str, usage: Usage | None, at: datetime, *, kind: str = ""
    ) -> Charge:
        """Return the cost of a call at that time. A connection, which is of a `kind`, costs what
        that kind does unless there is a price under its own name."""
        prompt_tokens = 0 if usage is None else usage.prompt_tokens
        prices = (self._price(name, model, prompt_tokens, at) for name in (provider, kind))
        price = next(filter(None, prices), None)
        if price is None:
            return Charge(None, None)
        if usage is None:
            # A free model costs nothing, whatever the usage.
            return Charge(None if price.input or price.output else 0, None)
        return Charge(price.cost(usage), self._kept(price))

    def _price(self, provider: str, model: str, prompt_tokens: int, at: datetime) -> Price | None:
        fitting = [
            price
            for price in self.prices
            if price.provider == provider and price.valid_from <= at.date() and price.fits(model)
        ]
        if not fitting:
            return None
        # An exact name takes precedence over a prefix.
        best = max(fitting, key=lambda price: (price.model == model, len(price.model)))
        current = [price for price in fitting if price.model == best.model]
        latest = max(price.valid_from for price in current)
        ranges = [
            price
            for price in current
            if price.valid_from == latest
            and price.min_prompt_tokens <= prompt_tokens
            and (price.max_prompt_tokens is None or prompt_tokens <= price.max_prompt_tokens)
        ]
        return max(ranges, key=lambda price: price.min_prompt_tokens, default=None)

    def _kept(self, price: Price) -> dict[str, Any]:
        names = {"model", "input", "cached_input", "output", "valid_from"}
        return {"version": self.version, **price.model_dump(mode="json", include=names)}


def _free(provider: str) -> Price:
    return Price(
        provider=provider,
        model=ANY,
        input=Decimal(0),
        output=Decimal(0),
        valid_from=date(1970, 1, 1),
        source="runs on your own machine",
    )


def _first_fault(error: ValidationError) -> str:
    """`prices[3].input: input should be greater than or equal to 0`."""
    fault = error.errors()[0]
    place = ""
    for step in fault["loc"]:
        place += f"[{step}]" if isinstance(step, int) else f".{step}" if place else str(step)
    message = str(fault["msg"]).removeprefix("Value error, ")
    return f"{place or 'the file'}: {message[:1].lower()}{message[1:]}"
