"""Parses how long a request asks to wait: `5s`, `500ms`."""

import re

from promptops_platform.errors import BadRequest
from promptops_platform.http.error_answers import quoted

WAIT = re.compile(r"(\d{1,9}(?:\.\d{1,9})?)(ms|s)", re.ASCII)
SECONDS = {"ms": 0.001, "s": 1.0}


def wait_seconds(text: str, *, longest: float) -> float:
    """Return the seconds; raises BadRequest, also for more than `longest`."""
    match = WAIT.fullmatch(text)
    seconds = float(match[1]) * SECONDS[match[2]] if match else None
    if seconds is None or seconds > longest:
        raise BadRequest(
            f"wait: must be a time of at most {longest:g}s, such as 5s or 500ms (got "
            f"{quoted(text)})"
        )
    return seconds
