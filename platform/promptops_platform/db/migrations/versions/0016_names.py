"""Which kind of actor an audit entry names, and search in composed texts."""

from typing import Any

import sqlalchemy as sa
from alembic import op

from promptops_platform.field_types import composed

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

BATCH = 500


def upgrade() -> None:
    # Names of old entries don't tell: a user could be called like a key.
    op.add_column(
        "audit_entries",
        sa.Column("actor_kind", sa.String(16), nullable=False, server_default="unknown"),
    )
    _compose("prompts", "id", "name", "category", "tags")
    _compose("prompt_search", "id", "category", "text")
    _compose_tags()


def _compose(table_name: str, key: str, *columns: str) -> None:
    """Write these columns as new rows have them; nothing of them is unique."""
    table = sa.table(table_name, sa.column(key), *map(sa.column, columns))
    connection, last = op.get_bind(), None
    while rows := connection.execute(_next_batch(table, key, last)).all():
        last = rows[-1][0]
        for row in rows:
            values = {name: composed(row._mapping[name]) for name in columns}
            if values != {name: row._mapping[name] for name in columns}:
                connection.execute(
                    sa.update(table).where(table.c[key] == row._mapping[key]).values(values)
                )


def _next_batch(table: sa.TableClause, key: str, last: Any) -> sa.Select[Any]:
    query = sa.select(table).order_by(table.c[key]).limit(BATCH)
    return query if last is None else query.where(table.c[key] > last)


def _compose_tags() -> None:
    """A prompt that has a tag in both forms keeps the composed one."""
    names = ("prompt_id", "tag", "category")
    tags = sa.table("prompt_tags", *map(sa.column, names))
    connection = op.get_bind()
    rows = connection.execute(sa.select(tags)).all()
    kept = {(row.prompt_id, row.tag) for row in rows}
    for row in rows:
        tag, category = composed(row.tag), row.category and composed(row.category)
        if (tag, category) == (row.tag, row.category):
            continue
        place = (tags.c.prompt_id == row.prompt_id) & (tags.c.tag == row.tag)
        if tag != row.tag and (row.prompt_id, tag) in kept:
            connection.execute(sa.delete(tags).where(place))
            continue
        kept.add((row.prompt_id, tag))
        connection.execute(sa.update(tags).where(place).values(tag=tag, category=category))
