"""How much of a conversation a model is shown."""

from hypothesis import given
from hypothesis import strategies as st

from promptops_platform.agents.window import tokens_of, windowed
from promptops_providers.protocol import Message, ToolCall

TEXT = st.text(max_size=40)


@st.composite
def exchanges(draw: st.DrawFn) -> list[Message]:
    """What one run adds: a user's turn, calls with their results, an answer."""
    said = [Message("user", draw(TEXT))]
    for number in range(draw(st.integers(0, 2))):
        names = [f"{number}-{each}" for each in range(draw(st.integers(1, 3)))]
        calls = tuple(ToolCall(name, "tool", {"x": 1}) for name in names)
        said.append(Message("assistant", draw(TEXT), calls))
        said += [Message("tool", draw(TEXT), tool_call_id=name) for name in names]
    return [*said, Message("assistant", draw(TEXT))]


CONVERSATIONS = st.lists(exchanges(), max_size=5).map(
    lambda found: [each for said in found for each in said]
)


@given(CONVERSATIONS, st.integers(1, 30), st.integers(1, 100))
def test_a_window_is_the_end_of_a_conversation_within_its_bounds(
    said: list[Message], most: int, tokens: int
) -> None:
    shown = windowed(said, most=most, tokens=tokens)
    assert shown == said[len(said) - len(shown) :]
    assert len(shown) <= most
    assert sum(map(tokens_of, shown)) <= tokens
    assert not shown or shown[0].role == "user"
    called = [call.id for each in shown for call in each.tool_calls]
    assert called == [each.tool_call_id for each in shown if each.role == "tool"]


@given(CONVERSATIONS)
def test_a_wide_window_shows_all(said: list[Message]) -> None:
    assert windowed(said, most=1000, tokens=1_000_000) == said


def test_arguments_count() -> None:
    call = ToolCall("a", "tool", {"text": "x" * 400})
    assert tokens_of(Message("assistant", "", (call,))) > 100
