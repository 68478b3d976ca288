"""What to change of a request, by what its vendor has refused of it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from promptops_providers.adaptation.compatibility import UNKNOWN, Compatibility, StructuredOutput
from promptops_providers.adaptation.model_profiles import has_prefill
from promptops_providers.adaptation.rejections import Rejection
from promptops_providers.answers.json_values import object_at, objects_at, text_at
from promptops_providers.protocol import CompletionRequest

# Other spellings of a parameter, by what it is called here.
_SPELLINGS: Mapping[str, tuple[str, ...]] = {
    "stop": ("stop_sequences", "stopSequences"),
    "reasoning_effort": ("reasoning.effort", "reasoning"),
    "think": ("thinking",),
}
# These are words of other sentences, too.
_ORDINARY = frozenset({"format", "input", "n", "seed", "stop", "store", "text", "think", "user"})
_NEVER_LEFT_OUT = frozenset({"max_tokens"})
_BETWEEN_NAMES = re.compile(r"(?:[\s,'\"`&]|and|or)*")
_DEVELOPER = re.compile(r"\bdeveloper\b", re.IGNORECASE)
_PREFILL = re.compile(
    r"prefill|(?:must|should) end with|last (?:message|role|turn)|final (?:message|turn)",
    re.IGNORECASE,
)
_REASONING = re.compile(r"reasoning_content|reasoning_details|extra_content|\breasoning\b")
_REASONING_FIELDS = ("reasoning_content", "reasoning_details", "reasoning", "extra_content")
_CALL_ID = re.compile(r"tool_?[ _]?call", re.IGNORECASE)
_LENGTH = re.compile(r"(?:length|maximum|at most|up to)\D{0,12}(\d{1,3})\b", re.IGNORECASE)
_SHORTEST_ID, _LONGEST_ID = 8, 64
_SCHEMA = re.compile(
    r"response[ _]?(?:format|schema|json_?schema|mime[ _]?type)|json[ _](?:schema|object|mode)"
    r"|structured[ _]output|text\.format|output_(?:config|format)|\bformat\b|grammar",
    re.IGNORECASE,
)
_NAMES_A_TYPE = re.compile(r"\btype\b|json[ _]schema|json[ _]object", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Adjustment:
    """In what a request is sent otherwise: without some of its parameters, without the beginning of
    the answer, and in what its server takes."""

    left_out: frozenset[str] = frozenset()
    without_prefill: bool = False
    compatibility: Compatibility = UNKNOWN

    def and_also(self, other: Adjustment) -> Adjustment:
        return Adjustment(
            self.left_out | other.left_out,
            self.without_prefill or other.without_prefill,
            other.compatibility.over(self.compatibility),
        )


NOTHING = Adjustment()


def remedy_for(
    rejection: Rejection, request: CompletionRequest, fixed: Compatibility
) -> Adjustment | None:
    """The change that may help, None where the vendor names nothing that could be changed.

    `request` is the one that was refused; what is set in `fixed` stays as it is.
    """
    for place in rejection.places:
        for find in _FINDERS:
            remedy = find(place, rejection, request)
            if remedy is not None and _is_open(remedy.compatibility, fixed):
                return remedy
    return None


def _is_open(change: Compatibility, fixed: Compatibility) -> bool:
    return change.over(fixed) == fixed.over(change)


def _stream_options(place: str, rejection: Rejection, _: CompletionRequest) -> Adjustment | None:
    is_meant = "stream_options" in rejection.sent and "stream_options" in place
    return _changed(stream_options=False) if is_meant else None


def _developer_role(place: str, rejection: Rejection, _: CompletionRequest) -> Adjustment | None:
    # OpenAI points to `messages[0].role`, and names the role in its words.
    names_it = _DEVELOPER.search(place) or (".role" in place and _is_of_developer(rejection))
    is_sent = any(text_at(turn, "role") == "developer" for turn in _turns(rejection))
    return _changed(developer_role=False) if names_it and is_sent else None


def _is_of_developer(rejection: Rejection) -> bool:
    return _DEVELOPER.search(rejection.words) is not None


def _limit_parameter(place: str, rejection: Rejection, _: CompletionRequest) -> Adjustment | None:
    if not rejection.is_refusal:
        return None
    if "max_tokens" in rejection.sent and _names("max_tokens", place):
        return _changed(limit_parameter="max_completion_tokens")
    if "max_completion_tokens" in rejection.sent and _names("max_completion_tokens", place):
        return _changed(limit_parameter="max_tokens")
    return None


def _prefill(place: str, _: Rejection, request: CompletionRequest) -> Adjustment | None:
    is_meant = has_prefill(request) and _PREFILL.search(place)
    return Adjustment(without_prefill=True) if is_meant else None


def _call_ids(place: str, rejection: Rejection, _: CompletionRequest) -> Adjustment | None:
    has_calls = any(turn.get("tool_calls") for turn in _turns(rejection))
    length = _LENGTH.search(rejection.words)
    if not (has_calls and length and _CALL_ID.search(place)):
        return None
    return _changed(tool_call_id_length=min(max(int(length[1]), _SHORTEST_ID), _LONGEST_ID))


def _reasoning(place: str, rejection: Rejection, _: CompletionRequest) -> Adjustment | None:
    turns = _turns(rejection)
    calls = [call for turn in turns for call in objects_at(turn, "tool_calls")]
    is_sent = any(name in part for part in (*turns, *calls) for name in _REASONING_FIELDS)
    return _changed(returns_reasoning=False) if is_sent and _REASONING.search(place) else None


def _schema(place: str, rejection: Rejection, request: CompletionRequest) -> Adjustment | None:
    if request.output_schema is None or not rejection.is_refusal or not _SCHEMA.search(place):
        return None
    sent = text_at(object_at(rejection.sent, "response_format"), "type")
    # JSON mode is what most servers had first, but none takes it beside tools that lacks the rest.
    may_take_json = sent == "json_schema" and not request.tools
    names_a_type = _NAMES_A_TYPE.search(f"{rejection.pointers} {rejection.words}")
    weaker: StructuredOutput = "json_object" if may_take_json and names_a_type else "instruction"
    is_sent = sent or any(name in rejection.sent for name in ("text", "format", "output_config"))
    in_config = "responseMimeType" in object_at(rejection.sent, "generationConfig")
    return _changed(structured_output=weaker) if is_sent or in_config else None


def _parameters(place: str, rejection: Rejection, request: CompletionRequest) -> Adjustment | None:
    if not rejection.is_refusal:
        return None
    sent = {name for name, value in request.parameters.items() if value is not None}
    suspects = sorted(
        (position, name)
        for name in sent - _NEVER_LEFT_OUT
        if (position := _position(name, place)) is not None
    )
    if not suspects:
        return None
    names = _listed(place, suspects)
    if len(names) > 1 and "both" in rejection.words:
        names = names[1:]  # one of them may stay
    return Adjustment(left_out=frozenset(names))


_Finder = Callable[[str, Rejection, CompletionRequest], Adjustment | None]
_FINDERS: Sequence[_Finder] = (
    _stream_options,
    _developer_role,
    _limit_parameter,
    _prefill,
    _call_ids,
    _parameters,
    _reasoning,
    _schema,
)


def _changed(**values: Any) -> Adjustment:
    return Adjustment(compatibility=Compatibility(**values))


def _turns(rejection: Rejection) -> list[Mapping[str, Any]]:
    return objects_at(rejection.sent, "messages")


def _names(name: str, place: str) -> bool:
    return _position(name, place) is not None


def _position(name: str, place: str) -> tuple[int, int] | None:
    """Where the parameter is named, in any of its spellings."""
    spellings = {name, _in_camel_case(name), *_SPELLINGS.get(name, ())}
    spans = [
        match.span() for spelling in spellings if (match := re.search(_pattern_of(spelling), place))
    ]
    return min(spans, default=None)


def _pattern_of(spelling: str) -> str:
    word = rf"(?<![\w]){re.escape(spelling)}(?!\w)"
    if spelling not in _ORDINARY:
        return word
    # Alone, in quotes, as a key, or called a parameter.
    quoted = rf"['\"`.]{re.escape(spelling)}['\"`]"
    called = rf"{word} (?:parameter|argument)|(?:parameter|argument)s?(?: supplied)?:? {word}"
    return rf"(?m:^{word}(?:$|:)|\.{word}$|{quoted}|{called})"


def _in_camel_case(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(part.capitalize() for part in rest)


def _listed(place: str, parameters: Sequence[tuple[tuple[int, int], str]]) -> list[str]:
    """The first that is named, and those that are listed along with it."""
    (last, first), *others = parameters
    names = [first]
    for span, name in others:
        if not _BETWEEN_NAMES.fullmatch(place, last[1], span[0]):
            break
        names.append(name)
        last = span
    return names
