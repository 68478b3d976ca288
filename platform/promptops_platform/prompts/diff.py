"""Compares two states of a prompt."""

from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from itertools import zip_longest

from promptops_platform.definitions.content import exact
from promptops_platform.definitions.text_diff import unified
from promptops_platform.prompts.body import Body, Message
from promptops_platform.prompts.schemas import FieldChange, MessageChange, PromptDiff

COMPARED_FIELDS = ("model", "kind", "config")


def compare(before: Body, after: Body, *, from_: str, to: str) -> PromptDiff:
    """Return the changes from one body to the other."""
    fields = [
        FieldChange(name=name, before=getattr(before, name), after=getattr(after, name))
        for name in COMPARED_FIELDS
        if exact(getattr(before, name)) != exact(getattr(after, name))
    ]
    content = unified(before.content, after.content, from_, to)
    messages = list(_message_changes(before.messages, after.messages))
    same = not (fields or content or messages)
    return PromptDiff(
        from_=from_, to=to, same=same, content=content, fields=fields, messages=messages
    )


def _message_changes(
    before: Sequence[Message], after: Sequence[Message]
) -> Iterator[MessageChange]:
    """Match equal messages first, so that a message inserted at the top is a single change."""
    old_names, new_names = ([exact(text) for text in side] for side in (before, after))
    matcher = SequenceMatcher(None, old_names, new_names, autojunk=False)
    for tag, a, b, c, d in matcher.get_opcodes():
        if tag == "equal":
            continue
        for old, new in zip_longest(range(a, b), range(c, d)):
            yield MessageChange(
                before_index=old,
                after_index=new,
                before=None if old is None else dict(before[old]),
                after=None if new is None else dict(after[new]),
            )
