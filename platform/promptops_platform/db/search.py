"""Patterns for LIKE."""

from typing import Any

from sqlalchemy import ColumnElement
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

LIKE_ESCAPE = "\\"
# Totals are exact up to here; counting further would cost more the more there is.
EXACT_TOTAL = 10_000


def literal(text: str) -> str:
    """`text` with LIKE's own signs escaped by `LIKE_ESCAPE`."""
    for sign in (LIKE_ESCAPE, "%", "_"):
        text = text.replace(sign, LIKE_ESCAPE + sign)
    return text


def containing(text: str) -> str:
    """The pattern of everything that contains `text`."""
    return f"%{literal(text)}%"


class tested(FunctionElement[Any]):  # noqa: N801  a function in SQL
    """A column that is compared row by row, but by which SQLite shall not look rows up.

    SQLite keeps no statistics of ours and would take the index of a workspace that holds
    everything; PostgreSQL knows better and sees the bare column.
    """

    inherit_cache = True

    def __init__(self, column: ColumnElement[Any] | Any) -> None:
        super().__init__(column)
        self.type = column.type


@compiles(tested)
def _tested(element: tested, compiler: SQLCompiler, **options: Any) -> str:
    return compiler.process(element.clauses, **options)


@compiles(tested, "sqlite")
def _tested_in_sqlite(element: tested, compiler: SQLCompiler, **options: Any) -> str:
    return f"+{compiler.process(element.clauses, **options)}"
