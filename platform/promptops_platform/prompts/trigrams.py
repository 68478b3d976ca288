"""The index of the prompts' texts: all runs of three characters, of any script, signs included.

SQLite keeps it in an FTS5 table, PostgreSQL in a GIN index over an array, which needs no extension
and, unlike pg_trgm, skips no sign. Migrations make both.
"""

from typing import Any

from sqlalchemy import Select, Text, bindparam, column, func, table
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncSession

from promptops_platform.db.search import SQLITE_TRIGRAMS, contains
from promptops_platform.prompts.tables import PromptSearchRow

TRIGRAM = 3
# More of them than this find nothing that these don't; the text itself is compared anyway.
MOST_TRIGRAMS = 32

_TRIGRAM_TABLE = table(SQLITE_TRIGRAMS, column("rowid"), column(SQLITE_TRIGRAMS))


def narrowed(query: Select[Any], session: AsyncSession, folded: str) -> Select[Any]:
    """A query over `PromptSearchRow`, kept to the texts that hold `folded`, by the index where the
    term is long enough for it."""
    query = query.where(contains(PromptSearchRow.text, folded))
    parts = _trigrams(folded)
    if not parts:
        return query
    if session.get_bind().dialect.name == "sqlite":
        match = _TRIGRAM_TABLE.c[SQLITE_TRIGRAMS].op("MATCH", is_comparison=True)(_phrases(parts))
        return query.join(_TRIGRAM_TABLE, _TRIGRAM_TABLE.c.rowid == PromptSearchRow.id).where(match)
    trigrams = bindparam(None, parts, type_=ARRAY(Text))
    return query.where(func.promptops_trigrams(PromptSearchRow.text).op("@>")(trigrams))


def _trigrams(folded: str) -> list[str]:
    trigrams = list(dict.fromkeys(folded[at : at + TRIGRAM] for at in range(len(folded) - 2)))
    step = max(1, -(-len(trigrams) // MOST_TRIGRAMS))
    return trigrams[::step]


def _phrases(parts: list[str]) -> str:
    """FTS5's query for texts with all of `parts`; within quotes it knows no operators."""
    return " ".join('"' + part.replace('"', '""') + '"' for part in parts)
