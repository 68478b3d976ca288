"""Search in texts: hides how each database finds a part of a text.

Both compare folded texts byte by byte, because SQLite folds ASCII only, PostgreSQL as its locale
says, and each full-text index in its own way.
"""

from typing import Any

from sqlalchemy import ColumnElement
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import Boolean

from promptops_platform.field_types import composed

LIKE_ESCAPE = "\\"
# Totals are exact up to here; counting further would cost more the more there is.
EXACT_TOTAL = 10_000
# Longer tags are compared by their first characters: PostgreSQL limits index entries to 2.7 KB.
LONGEST_TAG = 200

# What a migration makes and no model can declare.
SQLITE_TRIGRAMS = "prompt_trigrams"
POSTGRES_TRIGRAMS = "ix_prompt_search_trigrams"


def literal(text: str) -> str:
    """`text` with the wildcards of LIKE escaped by `LIKE_ESCAPE`."""
    for wildcard in (LIKE_ESCAPE, "%", "_"):
        text = text.replace(wildcard, LIKE_ESCAPE + wildcard)
    return text


def containing(text: str) -> str:
    """The pattern of everything that contains `text`."""
    return f"%{literal(text)}%"


def fold(text: str) -> str:
    """`text` for a comparison without case, in which letters that look alike are alike."""
    return composed(composed(text).casefold())


def tags_in(listed: str) -> list[str]:
    """Return the tags of a comma-separated list, folded and without spaces."""
    names = fold("".join(listed.split())).split(",")
    return list(dict.fromkeys(name[:LONGEST_TAG] for name in names if name))


def is_declared(name: str | None, kind: str, _parents: object = None) -> bool:
    """Whether a model declares this table or index. FTS5's tables, and an index over an
    expression, are made by a migration alone; Alembic asks this as its `include_name`."""
    if kind == "index":
        return name != POSTGRES_TRIGRAMS
    return kind != "table" or not str(name).startswith(SQLITE_TRIGRAMS)


class contains(FunctionElement[bool]):  # noqa: N801  a function in SQL
    """Whether the first text contains the second, byte by byte."""

    type = Boolean()
    inherit_cache = True


@compiles(contains)
def _contains(element: contains, compiler: SQLCompiler, **options: Any) -> str:
    return f"strpos({compiler.process(element.clauses, **options)}) > 0"


@compiles(contains, "sqlite")
def _contains_in_sqlite(element: contains, compiler: SQLCompiler, **options: Any) -> str:
    return f"instr({compiler.process(element.clauses, **options)}) > 0"


class unindexed(FunctionElement[Any]):  # noqa: N801  a function in SQL
    """A column that SQLite compares row by row, without its index.

    SQLite has no statistics of our tables and would choose the index of a workspace that contains
    everything; PostgreSQL has statistics and gets the bare column.
    """

    inherit_cache = True

    def __init__(self, column: ColumnElement[Any] | Any) -> None:
        super().__init__(column)
        self.type = column.type


@compiles(unindexed)
def _unindexed(element: unindexed, compiler: SQLCompiler, **options: Any) -> str:
    return compiler.process(element.clauses, **options)


@compiles(unindexed, "sqlite")
def _unindexed_in_sqlite(element: unindexed, compiler: SQLCompiler, **options: Any) -> str:
    return f"+{compiler.process(element.clauses, **options)}"
