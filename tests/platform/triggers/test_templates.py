"""Variables that are filled from an event."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from promptops_platform.triggers.templates import EventTemplates, UnusableEvent

EVENT = {
    "type": "webhook",
    "key": "greeting",
    "body": {"items": [{"n": 1, "ok": True}, {"n": 2, "ok": False}], "a b": "c"},
}


@pytest_asyncio.fixture
async def templates() -> AsyncIterator[EventTemplates]:
    made = EventTemplates()
    yield made
    await made.aclose()


@pytest.mark.parametrize(
    ("template", "value"),
    [
        ("{{event.key}}", "greeting"),
        ("  {{ event.key }} ", "greeting"),
        ("{{event.body.items[1].n}}", 2),
        ("{{event.body.items[9].n}}", None),
        ("{{event.key.too.deep}}", None),
        ("{{event}}", EVENT),
        ("on {{event.type}}: {{event.key}}!", "on webhook: greeting!"),
        ("n={{event.body.items[0].n}} {{event.missing}}", "n=1 "),
        ("no template", "no template"),
        (7, 7),
        ([{"deep": "{{event.key}}"}], [{"deep": "greeting"}]),
        ("{{event.body.items[?ok].n | [0]}}", 1),
        ("{{event.body.items[*].{n: n}}}", [{"n": 1}, {"n": 2}]),
        ('{{event.body."a b"}} and {{length(event.body.items)}}', "c and 2"),
    ],
)
async def test_a_template_becomes_its_value(
    templates: EventTemplates, template: Any, value: Any
) -> None:
    assert await templates.fill({"v": template}, EVENT) == {"v": value}


@pytest.mark.parametrize(
    "template",
    [
        "{{length(event.body)}} {{abs(event.key)}}",
        # Twice as many with each of its parts.
        "{{event.body.items" + " | [@, @][]" * 60 + "}}",
        "{{event.body" + " | [@, @]" * 60 + "}}",
    ],
)
async def test_an_expression_that_fails_says_so(templates: EventTemplates, template: str) -> None:
    with pytest.raises(UnusableEvent):
        await templates.fill({"v": template}, EVENT)
    assert await templates.fill({"v": "{{event.key}}"}, EVENT) == {"v": "greeting"}


async def test_what_no_run_takes_is_refused(templates: EventTemplates) -> None:
    with pytest.raises(UnusableEvent):
        await templates.fill({"v": "{{event.key}}"}, {"key": "nul \x00"})
