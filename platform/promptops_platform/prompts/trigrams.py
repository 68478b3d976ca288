"""The trigram index of the prompts' texts, for any script and including punctuation.

SQLite keeps it in an FTS5 table, PostgreSQL in a GIN index over an array, which needs no extension
and, unlike pg_trgm, includes punctuation. Migrations create both.
"""

from typing import Any

from sqlalchemy import Select, Text, bindparam, column, func, table
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncSession

from promptops_platform.db.search import SQLITE_TRIGRAMS, contains
from promptops_platform.prompts.tables import PromptSearchRow

TRIGRAM = 3
# More trigrams don't narrow the result further; the text itself is compared in any case.
MOST_TRIGRAMS = 32

_TRIGRAM_TABLE = table(SQLITE_TRIGRAMS, column("rowid"), column(SQLITE_TRIGRAMS))


def narrow_by_text(query: Select[Any], session: AsyncSession, folded: str) -> Select[Any]:
    """Filter a query over `PromptSearchRow` by texts that contain `folded`, through the index if
    the term is long enough for it."""
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
    """Return the FTS5 query for texts with all `parts`; FTS5 ignores operators within quotes."""
    return " ".join('"' + part.replace('"', '""') + '"' for part in parts)
