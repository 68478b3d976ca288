"""The table of prices: which one counts, what a call costs, and what a wrong table is told."""

import json
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.platform import RunningPlatform
from promptops_platform.errors import StartRefused
from promptops_platform.runlog.prices import Price, PriceTable
from promptops_providers.default_models import DEFAULT_MODELS
from promptops_providers.protocol import Usage

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
USAGE = Usage(1_000_000, 1_000_000, estimated=False)


def entry(**fields: Any) -> dict[str, Any]:
    defaults = {"provider": "p", "model": "m", "input": 1, "output": 2, "valid_from": "2026-01-01"}
    return {**defaults, "source": "s", **fields}


def table(*entries: dict[str, Any]) -> PriceTable:
    return PriceTable("v", [Price.model_validate(entry) for entry in entries])


def dollars(prices: PriceTable, model: str = "m", usage: Usage | None = USAGE) -> float | None:
    nanos = prices.charge("p", model, usage, NOW).nanos
    return None if nanos is None else nanos / 10**9


def test_a_call_costs_by_its_tokens() -> None:
    prices = table(entry(input=2, cached_input=0.5, output=10))
    assert dollars(prices) == 12.0
    assert dollars(prices, usage=Usage(1_000_000, 0, estimated=True, cached_tokens=400_000)) == 1.4
    assert dollars(table(entry()), usage=Usage(10, 0, estimated=True, cached_tokens=10)) == 1e-05
    kept = prices.charge("p", "m", USAGE, NOW).price
    assert kept == {
        "version": "v",
        "model": "m",
        "input": 2.0,
        "cached_input": 0.5,
        "output": 10.0,
        "valid_from": "2026-01-01",
    }


def test_what_is_not_known_is_not_nothing() -> None:
    prices = table(entry())
    assert dollars(prices, "another") is None
    assert dollars(prices, usage=None) is None
    assert prices.charge("another", "m", USAGE, NOW).nanos is None
    for provider in ("mock", "ollama"):
        assert prices.charge(provider, "any", USAGE, NOW).nanos == 0
        assert prices.charge(provider, "any", None, NOW).nanos == 0
    own = PriceTable("v", [Price.model_validate(entry(provider="ollama", model="m"))])
    assert own.charge("ollama", "m", USAGE, NOW).nanos == 3 * 10**9
    assert own.charge("ollama", "other", USAGE, NOW).nanos is None


def test_a_connection_costs_what_its_kind_costs_unless_it_has_a_price_of_its_own() -> None:
    prices = table(entry(input=2), entry(provider="ours", model="m", input=1))
    assert prices.charge("team", "m", USAGE, NOW, kind="p").nanos == 4 * 10**9
    assert prices.charge("ours", "m", USAGE, NOW, kind="p").nanos == 3 * 10**9
    assert prices.charge("team", "m", USAGE, NOW, kind="another").nanos is None
    for usage in (USAGE, None):
        assert prices.charge("team", "any", usage, NOW, kind="mock").nanos == 0


def test_the_closest_name_counts_and_of_its_prices_the_latest() -> None:
    prices = table(
        entry(model="m*", input=1, output=0),
        entry(model="m-large*", input=2, output=0),
        entry(model="m-large-1", input=3, output=0),
        entry(model="m-large-1", input=4, output=0, valid_from="2026-11-25"),
        entry(model="m-large-1", input=5, output=0, valid_from="2026-11-26"),
    )
    assert dollars(prices, "m-small") == 1
    assert dollars(prices, "m-large-2") == 2
    assert dollars(prices, "m-large-1") == 4
    assert prices.charge("p", "m", USAGE, datetime(2025, 12, 31, tzinfo=UTC)).nanos is None


def test_long_prompts_may_have_a_price_of_their_own() -> None:
    prices = table(
        entry(input=1, output=0), entry(input=3, output=0, min_prompt_tokens=100), entry(model="x")
    )
    assert dollars(prices, usage=Usage(99, 0, estimated=False)) == 99e-6
    assert dollars(prices, usage=Usage(100, 0, estimated=False)) == 300e-6
    bounded = table(entry(max_prompt_tokens=100), entry(model="m*"))
    assert dollars(bounded, usage=Usage(100, 0, estimated=False)) == 100e-6
    assert dollars(bounded, usage=Usage(101, 0, estimated=False)) is None


@given(
    st.integers(0, 10**7),
    st.integers(0, 10**7),
    st.integers(0, 10**7),
    st.decimals(0, 1000, places=6),
    st.decimals(0, 1000, places=6),
)
def test_a_cost_is_rounded_once(
    prompt: int, cached: int, output: int, price: Decimal, cached_price: Decimal
) -> None:
    prices = table(entry(input=price, cached_input=cached_price, output=price))
    usage = Usage(prompt, output, estimated=False, cached_tokens=min(prompt, cached))
    read = usage.cached_tokens
    exact = ((prompt - read + output) * price + read * cached_price) * 1000
    nanos = prices.charge("p", "m", usage, NOW).nanos
    assert nanos is not None
    assert abs(nanos - exact) <= Decimal("0.5")


@pytest.mark.parametrize(("provider", "model"), DEFAULT_MODELS.items())
@pytest.mark.parametrize("prompt_tokens", [1_000, 400_000])
def test_the_default_models_have_prices(provider: str, model: str, prompt_tokens: int) -> None:
    usage = Usage(prompt_tokens, 1_000, estimated=False)
    prices = PriceTable.load(None)
    cost = prices.charge(provider, model, usage, NOW).nanos
    assert cost is not None
    assert (cost == 0) == (provider == "ollama")


@pytest.mark.parametrize(
    ("model", "prompt_tokens", "cached_tokens", "cost"),
    [
        ("gpt-6.2-sol", 200_000, 0, 0.41),
        ("gpt-6.2-sol", 200_000, 100_000, 0.22),
        ("gpt-6.2-sol", 400_000, 0, 1.615),
        ("gpt-6.2-sol-2026-11-17", 200_000, 0, 0.41),
        ("gpt-6.1-sol", 200_000, 100_000, 0.22),
        ("gpt-6.2-astra", 100_000, 0, 0.84),
    ],
)
def test_the_family_of_openais_default_model_costs_what_the_vendor_lists(
    model: str, prompt_tokens: int, cached_tokens: int, cost: float
) -> None:
    usage = Usage(prompt_tokens, 1_000, estimated=False, cached_tokens=cached_tokens)
    assert PriceTable.load(None).charge("openai", model, usage, NOW).nanos == round(cost * 10**9)


def test_the_table_that_ships_is_sound() -> None:
    prices = PriceTable.load(None)
    assert date.fromisoformat(prices.version)
    seen = set()
    for price in prices.prices:
        place = (price.provider, price.model, price.valid_from, price.min_prompt_tokens)
        assert place not in seen
        seen.add(place)
        assert price.cached_input is None or price.cached_input <= price.input
        assert price.source.startswith("https://") or not price.input
    for provider, model in (
        ("openai", "gpt-5-mini-2025-08-07"),
        ("claude", "claude-sonnet-5-5"),
        ("gemini", "gemini-2.5-flash"),
    ):
        usage = Usage(1000, 1000, estimated=False)
        nanos = prices.charge(provider, model, usage, NOW).nanos
        assert nanos is not None
        assert nanos > 0
    cached = Usage(1_000_000, 0, estimated=False, cached_tokens=1_000_000)
    before = prices.charge("claude", "claude-sonnet-5-5", cached, datetime(2026, 10, 6, tzinfo=UTC))
    assert (before.nanos, prices.charge("claude", "claude-sonnet-5-5", cached, NOW).nanos) == (
        200_000_000,
        100_000_000,
    )


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "it is not JSON"),
        ("[]", "the file: "),
        ('{"version": "1"}', "prices: field required"),
        (json.dumps({"version": "", "prices": []}), "version: "),
        (json.dumps({"version": "1", "prices": [entry(input=-1)]}), "prices[0].input: "),
        (json.dumps({"version": "1", "prices": [entry(inptu=1)]}), "prices[0].inptu: "),
        (json.dumps({"version": "1", "prices": [entry(valid_from="soon")]}), "valid_from: "),
        (json.dumps({"version": "1", "prices": [entry(model="a*b")]}), "'*' before its end"),
        (
            json.dumps(
                {"version": "1", "prices": [entry(min_prompt_tokens=2, max_prompt_tokens=1)]}
            ),
            "max_prompt_tokens is below",
        ),
    ],
)
def test_a_wrong_table_is_refused_by_name(tmp_path: Path, content: str, message: str) -> None:
    file = tmp_path / "prices.json"
    file.write_text(content)
    with pytest.raises(StartRefused, match="PROMPTOPS_PRICES") as refused:
        PriceTable.load(file)
    assert message in str(refused.value)
    with pytest.raises(StartRefused, match="can't be read"):
        PriceTable.load(tmp_path / "missing.json")


def test_an_own_table_replaces_the_one_that_ships(tmp_path: Path) -> None:
    file = tmp_path / "prices.json"
    file.write_text(json.dumps({"version": "ours", "prices": [entry()]}))
    prices = PriceTable.load(file)
    assert (prices.version, [price.provider for price in prices.prices]) == (
        "ours",
        ["p", "mock", "ollama"],
    )


async def test_the_table_in_force_can_be_read(platform: RunningPlatform) -> None:
    answer = (await platform.http.get("/api/prices")).json()["data"]
    assert answer["version"] == PriceTable.load(None).version
    assert {"openai", "claude", "gemini", "mock", "ollama"} == {
        price["provider"] for price in answer["prices"]
    }
    assert all(isinstance(price["input"], float) for price in answer["prices"])
