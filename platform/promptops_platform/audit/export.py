"""The audit trail as a file, in parts: JSON lines, or a table for a spreadsheet."""

import csv
import io
import json
from collections.abc import AsyncGenerator, Callable, Sequence
from typing import Any, NamedTuple

from promptops_platform.access.actor import Actor
from promptops_platform.audit.schemas import AuditEntry, AuditFilter
from promptops_platform.audit.service import AuditTrail
from promptops_platform.db.unit_of_work import Database
from promptops_platform.http.event_stream import LINE_ENDS

# A spreadsheet interprets a cell that begins like this as a formula, even after blanks.
FORMULA_STARTS = (
    *"=+-@",
    "\N{FULLWIDTH EQUALS SIGN}",
    "\N{FULLWIDTH PLUS SIGN}",
    "\N{FULLWIDTH HYPHEN-MINUS}",
    "\N{FULLWIDTH COMMERCIAL AT}",
)
COLUMNS = tuple(AuditEntry.model_fields)


class Format(NamedTuple):
    """How a part of the entries is written; `head` comes before all entries."""

    media_type: str
    head: str
    write: Callable[[Sequence[AuditEntry]], str]


async def exported(
    trail: AuditTrail,
    database: Database,
    filters: AuditFilter,
    *,
    actor: Actor,
    workspace: str | None,
    before: int | None,
    form: Format,
) -> AsyncGenerator[bytes]:
    """Yield the file in parts; the first one includes the head.

    Each part has its own transaction: a slow reader blocks nobody, and entries that are written
    meanwhile are newer than all remaining ones. Raises what `AuditTrail.page` raises.
    """
    head, place = form.head, before
    while True:
        async with database.read() as transaction:
            rows = await trail.batch(
                transaction, filters, actor=actor, workspace=workspace, before=place
            )
        text = form.write([AuditEntry.of(row, id=str(row.id)) for row in rows])
        yield (head + text).encode()
        if not rows:
            return
        head, place = "", rows[-1].id


def _json_lines(entries: Sequence[AuditEntry]) -> str:
    return "".join(f"{entry.model_dump_json().translate(LINE_ENDS)}\n" for entry in entries)


def _table(entries: Sequence[AuditEntry]) -> str:
    return _rows([_cells(entry) for entry in entries])


def _rows(rows: Sequence[Sequence[str]]) -> str:
    written = io.StringIO(newline="")
    csv.writer(written).writerows(rows)
    return written.getvalue()


def _cells(entry: AuditEntry) -> list[str]:
    fields = entry.model_dump(mode="json")
    return [_escaped(_cell(fields[name])) for name in COLUMNS]


def _cell(value: Any) -> str:
    if value is None or isinstance(value, str):
        return value or ""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _escaped(cell: str) -> str:
    """Return the cell with a leading quote if it would be a formula."""
    return f"'{cell}" if cell.lstrip().startswith(FORMULA_STARTS) else cell


FORMATS = {
    "jsonl": Format("application/x-ndjson", "", _json_lines),
    "csv": Format("text/csv; charset=utf-8", _rows([COLUMNS]), _table),
}
