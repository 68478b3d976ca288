"""Alembic's entry: always on the connection that `schema.migrate` opened."""

from typing import Any, Literal

from alembic import context

from promptops_platform.db.schema import VERSION_TABLE
from promptops_platform.db.search import is_declared
from promptops_platform.db.tables import Table
from promptops_platform.db.types import UtcDateTime


def render_item(_kind: str, item: Any, _context: Any) -> str | Literal[False]:
    """Write our own column types as the template imports them."""
    return "UtcDateTime()" if isinstance(item, UtcDateTime) else False


context.configure(
    connection=context.config.attributes["connection"],
    # Of the rooms that are loaded: a program that compares loads them first.
    target_metadata=Table.metadata,
    version_table=VERSION_TABLE,
    render_as_batch=True,
    compare_type=True,
    render_item=render_item,
    include_name=is_declared,
)
context.run_migrations()
