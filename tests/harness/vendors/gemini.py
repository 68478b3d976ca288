"""The JSON of generateContent, as in its reference."""

from __future__ import annotations

from typing import Any

from harness.vendors.server import Answer

SIGNATURE = "EtIBCs8BAXLI2nyxGJ5rqp4ES9oE4sK4U3n4Vb8Tq0W6dY7hXkPpYQ=="
USAGE = {
    "promptTokenCount": 2121,
    "candidatesTokenCount": 12,
    "totalTokenCount": 2223,
    "cachedContentTokenCount": 2000,
    "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 2121}],
    "thoughtsTokenCount": 90,
}
RETRY_INFO = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "34.074824224s"}
HELP = {
    "@type": "type.googleapis.com/google.rpc.Help",
    "links": [
        {
            "description": "Learn more about Gemini API quotas",
            "url": "https://ai.google.dev/gemini-api/docs/rate-limits",
        }
    ],
}
BAD_KEY = {
    "@type": "type.googleapis.com/google.rpc.ErrorInfo",
    "reason": "API_KEY_INVALID",
    "domain": "googleapis.com",
    "metadata": {"service": "generativelanguage.googleapis.com"},
}
OVER_QUOTA = (
    "You exceeded your current quota, please check your plan and billing details. For more "
    "information on this error, head to: https://ai.google.dev/gemini-api/docs/rate-limits."
)


def quota(quota_id: str) -> dict[str, Any]:
    violation = {
        "quotaMetric": "generativelanguage.googleapis.com/generate_content_free_tier_requests",
        "quotaId": quota_id,
        "quotaDimensions": {"model": "gemini-3.8-flash", "location": "global"},
        "quotaValue": "20",
    }
    return {"@type": "type.googleapis.com/google.rpc.QuotaFailure", "violations": [violation]}


def error_body(code: int, status: str, message: str, *details: dict[str, Any]) -> dict[str, Any]:
    body: dict[str, Any] = {"code": code, "message": message, "status": status}
    if details:
        body["details"] = list(details)
    return {"error": body}


def error(code: int, status: str, message: str, *details: dict[str, Any]) -> Answer:
    return Answer.of_json(error_body(code, status, message, *details), code)


def call(name: str, arguments: Any, **more: Any) -> dict[str, Any]:
    """A part; a member `id` is put into the call, others next to it."""
    inner = {"name": name, "args": arguments}
    if "id" in more:
        inner["id"] = more.pop("id")
    return {"functionCall": inner, **more}


def answer(*parts: Any, finish: str | None = "STOP", **more: Any) -> dict[str, Any]:
    candidate: dict[str, Any] = {
        "content": {"parts": list(parts or ({"text": "Grüße, 世界!"},)), "role": "model"},
        "index": 0,
        **more,
    }
    if finish:
        candidate["finishReason"] = finish
    return {
        "candidates": [candidate],
        "usageMetadata": USAGE,
        "modelVersion": "gemini-3.8-flash",
        "responseId": "k9cWaZ2rFqKkmtkPn7qb8AM",
    }


BLOCKED = {
    "promptFeedback": {"blockReason": "PROHIBITED_CONTENT"},
    "usageMetadata": {"promptTokenCount": 9, "totalTokenCount": 9},
    "modelVersion": "gemini-3.8-flash",
}
STREAM = [
    answer({"text": "Grüße, "}, finish=None),
    answer({"text": "世界!"}, finish="STOP"),
]
PARTS = [
    {"text": "Köln, and the time", "thought": True},
    {"text": "I look."},
    call("weather", {"city": "Köln"}, id="xk3", thoughtSignature=SIGNATURE),
    call("clock", {}, id="xk4"),
]
TOOL_STREAM = [
    answer({"text": "Köln, ", "thought": True}, finish=None),
    answer({"text": "and the time", "thought": True}, finish=None),
    answer({"text": "I "}, finish=None),
    answer({"text": "look."}, finish=None),
    answer(PARTS[2], finish=None),
    answer(PARTS[3], finish=None),
    answer({"text": ""}, finish="STOP"),
]
