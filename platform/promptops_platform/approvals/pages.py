"""The page of an approval link: plain HTML without scripts, for people without an account."""

import base64
import hashlib
import json
from collections.abc import Mapping
from html import escape
from typing import Any
from urllib.parse import parse_qs

from promptops_platform.approvals.schemas import LinkedApproval

STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 42rem; padding: 0 1rem; }
h1 { font-size: 1.25rem; } label { display: block; margin: 1rem 0 0.25rem; }
.message { white-space: pre-wrap; overflow-wrap: anywhere; border: 1px solid; padding: 1rem; }
input, select, textarea { font: inherit; width: 100%; box-sizing: border-box; }
input[type=checkbox] { width: auto; } button { font: inherit; padding: 0.5rem 1rem; }
.problem { border-left: 4px solid; padding-left: 1rem; } .buttons { margin-top: 1.5rem; }
"""
_DIGEST = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode("ascii")
HEADERS = {
    "cache-control": "no-store",
    "content-security-policy": "; ".join(
        (
            "default-src 'none'",
            f"style-src 'sha256-{_DIGEST}'",
            "base-uri 'none'",
            "form-action 'self'",
            "frame-ancestors 'none'",
        )
    ),
    # The address is a secret.
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-robots-tag": "noindex, nofollow",
}
# Requests without an account may have a body of 4 KB.
LONGEST_COMMENT = 1_000
FIELD, WHOLE = "value.", "values"
_INPUTS = {"string": "text", "integer": "number", "number": "number"}


def decision_page(approval: LinkedApproval, problem: str = "") -> str:
    """Return the page with the approval and the form; submitting it decides."""
    deadline = ""
    if approval.deadline_at is not None:
        verb = "approves" if approval.on_deadline == "approve" else "rejects"
        at = escape(f"{approval.deadline_at:%Y-%m-%d %H:%M} UTC")
        deadline = f"<p>The deadline {verb} it at {at}.</p>"
    return _page(
        "Decide",
        f"<h1>{escape(approval.workflow)}: {escape(approval.step)}</h1>"
        f"{_problem(problem)}"
        f'<div class="message">{escape(approval.message or "")}</div>{deadline}'
        f'<form method="post" autocomplete="off">{_fields(approval.form)}'
        '<label for="comment">Comment</label>'
        f'<textarea id="comment" name="comment" rows="3" maxlength="{LONGEST_COMMENT}"></textarea>'
        '<p class="buttons"><button name="decision" value="approve">Approve</button> '
        '<button name="decision" value="reject" formnovalidate>Reject</button></p></form>',
    )


def decided_page(approval: LinkedApproval) -> str:
    """Return the page after the decision."""
    return _page("Done", f"<h1>It is {escape(approval.state)}</h1><p>You can close this page.</p>")


def refusal_page(sentence: str) -> str:
    """Return the page that says why nothing can be decided."""
    return _page("Not possible", f"<h1>Nothing to decide</h1>{_problem(sentence)}")


def sent_form(body: bytes, form: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of `DecideByLink` from a submitted form. Texts that are not valid numbers
    or JSON stay texts, which the form's schema refuses."""
    if body.startswith(b"{") and isinstance(
        whole := _read_json(body.decode("utf-8", "replace")), dict
    ):
        return whole
    fields = parse_qs(body.decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=200)
    sent = {name: values[-1] for name, values in fields.items()}
    properties = _properties(form)
    if properties is None:
        values = _read_json(sent[WHOLE]) if sent.get(WHOLE, "").strip() else {}
    else:
        values = {
            name: _read(schema, text)
            for name, schema in properties.items()
            if (text := sent.get(FIELD + name, "")) != ""
        }
    return {
        "decision": sent.get("decision", ""),
        "comment": sent.get("comment", ""),
        "values": values,
    }


def _page(title: str, body: str) -> str:
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{title} - PromptOps</title><style>{STYLE}</style></head>"
        f"<body><main>{body}</main></body></html>\n"
    )


def _problem(sentence: str) -> str:
    return f'<p class="problem" role="alert">{escape(sentence)}</p>' if sentence else ""


def _properties(form: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return the fields that the page shows separately; None if it shows one JSON field."""
    properties = form.get("properties", {})
    if not form:
        return {}
    is_plain = isinstance(properties, Mapping) and all(
        isinstance(schema, Mapping) for schema in properties.values()
    )
    return properties if is_plain and properties else None


def _fields(form: Mapping[str, Any]) -> str:
    properties = _properties(form)
    if properties is None:
        return (
            f'<label for="{WHOLE}">Values (JSON)</label>'
            f'<textarea id="{WHOLE}" name="{WHOLE}" rows="6">{{}}</textarea>'
        )
    required = form.get("required", [])
    return "".join(
        _field(name, schema, is_required=name in required) for name, schema in properties.items()
    )


def _field(name: str, schema: Mapping[str, Any], *, is_required: bool) -> str:
    html_name = escape(FIELD + name)
    attributes = f'id="{html_name}" name="{html_name}"'
    label = escape(str(schema.get("title") or name))
    start = f'<label for="{html_name}">{label}</label>'
    must = " required" if is_required else ""
    kind = schema.get("type")
    if isinstance(options := schema.get("enum"), list):
        choices = "".join(
            f'<option value="{escape(json.dumps(option))}">{escape(str(option))}</option>'
            for option in options
        )
        return f'{start}<select {attributes}{must}><option value=""></option>{choices}</select>'
    if kind == "boolean":
        no_yes = '<option value="false">no</option><option value="true">yes</option>'
        return f'{start}<select {attributes}{must}><option value=""></option>{no_yes}</select>'
    if kind in _INPUTS:
        step = ' step="any"' if kind == "number" else ""
        return f'{start}<input {attributes} type="{_INPUTS[kind]}"{step}{must}>'
    return f'{start}<textarea {attributes} rows="4"{must} placeholder="JSON"></textarea>'


def _read(schema: Mapping[str, Any], text: str) -> Any:
    is_text = schema.get("type") == "string" and "enum" not in schema
    return text if is_text else _read_json(text)


def _read_json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text
