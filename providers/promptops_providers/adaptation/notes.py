"""Sentences for the trace: how a model was asked otherwise than it was meant to be."""

from __future__ import annotations

from collections.abc import Collection

from promptops_providers.adaptation.compatibility import UNKNOWN, Compatibility
from promptops_providers.adaptation.remedies import Adjustment
from promptops_providers.protocol import CompletionRequest

_LONGEST_NAME = 64
_PREFILL = "the last message, which begins the answer"


class Notes:
    """The notes about one request, in `sentences`. They hold names of parameters and models, and
    nothing of a prompt."""

    def __init__(self, asked: CompletionRequest, model: str) -> None:
        self.sentences: list[str] = []
        self._asked = asked
        self._model = model

    def documented(self, names: Collection[str], *, prefill: bool) -> None:
        """What the model is known to refuse."""
        left_out = [*_sorted(names), *([_PREFILL] if prefill else [])]
        if left_out:
            self._add(f"left out {_listed(left_out)}: {self._model} does not take it")

    def remembered(
        self, adjustment: Adjustment, remedy: Adjustment, documented: Collection[str]
    ) -> None:
        """What was refused before, without what is tried for the first time."""
        names = adjustment.left_out - remedy.left_out - set(documented)
        left_out = _sorted(names & self._asked.parameters.keys())
        if adjustment.without_prefill and not remedy.without_prefill and self._has_prefill():
            left_out.append(_PREFILL)
        if left_out:
            self._add(f"left out {_listed(left_out)}: the provider has refused it before")
        weaker = adjustment.compatibility.structured_output
        is_old = weaker and not remedy.compatibility.structured_output
        if is_old and self._asked.output_schema is not None:
            self._add("the output schema was given in words: the provider has refused it before")

    def retried(self, remedy: Adjustment) -> None:
        """What the vendor's error has named."""
        left_out = _sorted(remedy.left_out) + ([_PREFILL] if remedy.without_prefill else [])
        changes = [f"without {_listed(left_out)}"] if left_out else []
        changes += _changes(remedy.compatibility)
        if changes:
            self._add(f"the provider refused the request; it was asked again {_listed(changes)}")

    def _has_prefill(self) -> bool:
        return self._asked.messages[-1].role == "assistant"

    def _add(self, sentence: str) -> None:
        self.sentences.append(sentence)


def _changes(compatibility: Compatibility) -> list[str]:
    if compatibility == UNKNOWN:
        return []
    length = compatibility.tool_call_id_length
    weaker = compatibility.structured_output
    changes = {
        "without stream_options": compatibility.stream_options is False,
        f"with {compatibility.limit_parameter} as the limit": compatibility.limit_parameter,
        "with the role system in place of developer": compatibility.developer_role is False,
        "in JSON mode, with the output schema in words": weaker == "json_object",
        "with the output schema in words": weaker == "instruction",
        f"with ids of tool calls of {length} characters": length,
        "without the reasoning of earlier answers": compatibility.returns_reasoning is False,
    }
    return [change for change, is_made in changes.items() if is_made]


def _sorted(names: Collection[str]) -> list[str]:
    return sorted(name[:_LONGEST_NAME] for name in names)


def _listed(items: list[str]) -> str:
    *first, last = items
    return f"{', '.join(first)} and {last}" if first else last
