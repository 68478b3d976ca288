"""A program that evaluates expressions, one line of JSON per job.

Expensive expressions affect only this process: its memory is limited, and a job that exceeds its
budget of processor time ends it.
"""

from __future__ import annotations

import json
import resource
import signal
import sys
from typing import Any

from promptops_flows.templates.bounded import MAX_TEXT_CHARACTERS
from promptops_flows.templates.expressions import ExpressionError, evaluate

MAX_MEMORY_BYTES = 1 << 29


def main() -> None:
    """Handle jobs until the input ends."""
    resource.setrlimit(resource.RLIMIT_AS, (MAX_MEMORY_BYTES, MAX_MEMORY_BYTES))
    answers = sys.stdout
    answers.write("ready\n")
    answers.flush()
    for line in sys.stdin:
        message = json.loads(line)
        # The signal has no handler, so it ends the process even within one long operation.
        signal.setitimer(signal.ITIMER_PROF, message["seconds"])
        answers.write(json.dumps(_answer(message["job"])) + "\n")
        answers.flush()
        signal.setitimer(signal.ITIMER_PROF, 0)


def _answer(job: dict[str, Any]) -> dict[str, Any]:
    """`value`, or `error` with a sentence."""
    try:
        value = evaluate(job["kind"], job["expression"], job["data"])
        if len(json.dumps(value)) > 2 * MAX_TEXT_CHARACTERS:
            return {"error": f"the result is longer than {MAX_TEXT_CHARACTERS:,} characters"}
    except ExpressionError as error:
        return {"error": str(error)}
    except (MemoryError, RecursionError):
        return {"error": "it takes too much memory; work on less at a time"}
    # An expression may raise anything, and the exception's text may quote the data.
    except Exception as error:  # noqa: BLE001
        return {"error": f"{type(error).__name__}: {str(error)[:300]}", "quotes": True}
    return {"value": value}


if __name__ == "__main__":
    main()
