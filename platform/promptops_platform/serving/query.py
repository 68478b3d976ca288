"""The parameters of a fetch."""

from functools import lru_cache
from typing import NamedTuple
from urllib.parse import parse_qs

from promptops_platform.errors import BadRequest
from promptops_platform.field_types import composed
from promptops_platform.http.error_answers import quoted

DEFAULT_ENVIRONMENT = "prod"
LONGEST_SUBJECT = 500
LONGEST_CACHED_QUERY = 256
# The maximum of the revision's column.
LARGEST_REVISION = 2**63 - 1
SWITCH = {"true": True, "1": True, "false": False, "0": False}


class Query(NamedTuple):
    """The parameters of a fetch; an empty value means that the parameter is missing."""

    env: str
    workspace: str | None
    subject: str | None
    explain: bool
    full: bool
    min_revision: int
    epoch: str | None


def asked(query_string: bytes) -> Query:
    """Raises BadRequest for invalid parameters or combinations."""
    # Not cached: there are too many different ones, and they would evict useful entries.
    if (
        len(query_string) > LONGEST_CACHED_QUERY
        or b"subject" in query_string
        or b"min_revision" in query_string
    ):
        return _parsed(query_string)
    return _parsed_and_cached(query_string)


def revision_of(text: str, name: str) -> int:
    """Parse a revision; raises BadRequest."""
    if not (text.isascii() and text.isdecimal() and int(text[:20]) <= LARGEST_REVISION):
        raise BadRequest(
            f"{name}: must be a revision, a whole number from 0 on (got {quoted(text)}); "
            "send one that the server has named"
        )
    return int(text[:20])


def _parsed(query_string: bytes) -> Query:
    value_lists = parse_qs(query_string.decode(errors="replace"))
    first = {name: values[0] for name, values in value_lists.items()}
    subject = first.get("subject")
    if subject is not None and len(subject) > LONGEST_SUBJECT:
        raise BadRequest(
            f"subject: has {len(subject)} characters, and may have {LONGEST_SUBJECT}; send an id"
        )
    query = Query(
        env=first.get("env", DEFAULT_ENVIRONMENT),
        workspace=composed(first["workspace"]) if "workspace" in first else None,
        subject=subject,
        explain=_switch(first, "explain"),
        full=_switch(first, "full"),
        min_revision=revision_of(first.get("min_revision", "0"), "min_revision"),
        epoch=first.get("epoch"),
    )
    if query.full and (query.explain or subject is not None):
        name = "explain" if query.explain else "subject"
        raise BadRequest(
            f"{name}: does not go with full, which answers all variants; leave one of them out"
        )
    return query


def _switch(parameters: dict[str, str], name: str) -> bool:
    switched = SWITCH.get(parameters.get(name, "false").lower())
    if switched is None:
        raise BadRequest(f"{name}: must be true or false (got {quoted(parameters[name])})")
    return switched


_parsed_and_cached = lru_cache(maxsize=1024)(_parsed)
