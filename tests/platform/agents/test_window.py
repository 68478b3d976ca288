"""How much of a conversation a model is shown."""

from hypothesis import given
from hypothesis import strategies as st

from promptops_platform.agents.window import tokens_of, windowed
from promptops_providers.protocol import Message, ToolCall

TEXT = st.text(max_size=40)


@st.composite
def exchanges(draw: st.DrawFn) -> list[Message]:
    """What one run adds: a user's turn, calls with their results, an answer."""
    messages = [Message("user", draw(TEXT))]
    for number in range(draw(st.integers(0, 2))):
        names = [f"{number}-{index}" for index in range(draw(st.integers(1, 3)))]
        calls = tuple(ToolCall(name, "tool", {"x": 1}) for name in names)
        messages.append(Message("assistant", draw(TEXT), calls))
        messages += [Message("tool", draw(TEXT), tool_call_id=name) for name in names]
    return [*messages, Message("assistant", draw(TEXT))]


CONVERSATIONS = st.lists(exchanges(), max_size=5).map(
    lambda exchanges: [message for exchange in exchanges for message in exchange]
)


@given(CONVERSATIONS, st.integers(1, 30), st.integers(1, 100))
def test_a_window_is_the_end_of_a_conversation_within_its_bounds(
    messages: list[Message], most: int, tokens: int
) -> None:
    shown = windowed(messages, most=most, tokens=tokens)
    assert shown == messages[len(messages) - len(shown) :]
    assert len(shown) <= most
    assert sum(map(tokens_of, shown)) <= tokens
    assert not shown or shown[0].role == "user"
    called = [call.id for message in shown for call in message.tool_calls]
    assert called == [message.tool_call_id for message in shown if message.role == "tool"]


@given(CONVERSATIONS)
def test_a_wide_window_shows_all(messages: list[Message]) -> None:
    assert windowed(messages, most=1000, tokens=1_000_000) == messages


def test_arguments_count() -> None:
    call = ToolCall("a", "tool", {"text": "x" * 400})
    assert tokens_of(Message("assistant", "", (call,))) > 100
