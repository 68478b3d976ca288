"""The shared cases of hashing and bucketing, and the variants of a prompt."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.murmur3 import murmur3 as reference
from promptops.bucketing import bucket_of, choice, ends_of, murmur3
from promptops.errors import ProtocolError
from promptops.prompts import parse_prompt

CONFORMANCE = Path(__file__).parents[3] / "sdk" / "conformance" / "bucketing.json"
DOCUMENT: dict[str, Any] = json.loads(CONFORMANCE.read_text("utf-8"))
LISTS: dict[str, list[tuple[str, int]]] = DOCUMENT["variant_lists"]
CASES: list[dict[str, Any]] = DOCUMENT["cases"]


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_conformance(case: dict[str, Any]) -> None:
    salt, subject = case["salt"], case["subject"]
    assert murmur3(f"{salt}:{subject}".encode()) == case["hash"]
    assert bucket_of(salt, subject) == case["bucket"]
    for name, chosen in case["chosen"].items():
        variants = LISTS[name]
        ends = ends_of(weight for _, weight in variants)
        assert variants[choice(ends, case["bucket"])][0] == chosen


@given(st.binary(max_size=70))
def test_the_hash_of_any_bytes(data: bytes) -> None:
    assert murmur3(data) == reference(data)


def test_a_lone_surrogate_is_not_a_valid_subject() -> None:
    with pytest.raises(ValueError, match="surrogates"):
        bucket_of("s", "\ud800")


def prompt(*weights: int) -> dict[str, Any]:
    variants = [
        {"name": f"n{number}", "weight": weight, "version": f"v{number}", "content": f"c{number}"}
        for number, weight in enumerate(weights)
    ]
    rollout = {"salt": "s", "variants": variants}
    return {"key": "k", "env": "prod", "content": "served", "rollout": rollout}


def test_draws_by_weight() -> None:
    full_prompt = parse_prompt(prompt(2500, 0, 7500))
    variants = Counter(full_prompt.drawn().fields["variant"] for _ in range(4000))
    assert set(variants) == {"n0", "n2"}
    # Ten standard deviations.
    assert abs(variants["n0"] - 1000) < 275
    assert full_prompt.of("user").fields["key"] == "k"
    assert {full_prompt.of("user").fields["version"] for _ in range(50)} <= {"v0", "v2"}


@pytest.mark.parametrize(
    "rollout",
    [
        7,
        {},
        {"salt": "s"},
        {"salt": 7, "variants": []},
        {"salt": "s", "variants": []},
        {"salt": "s", "variants": [7]},
        {"salt": "s", "variants": [{"name": "A", "weight": 10_000}]},
        {"salt": "s", "variants": [{"weight": 10_000, "content": "c"}]},
        {"salt": "s", "variants": [{"name": "A", "weight": True, "content": "c"}]},
        {"salt": "s", "variants": [{"name": "A", "weight": 9_999, "content": "c"}]},
        {"salt": "s", "variants": [{"name": "A", "weight": -1, "content": "c"}]},
    ],
)
def test_an_invalid_rollout(rollout: Any) -> None:
    with pytest.raises(ProtocolError):
        parse_prompt({"content": "c", "rollout": rollout})
