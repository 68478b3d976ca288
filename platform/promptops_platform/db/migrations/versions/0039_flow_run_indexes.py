"""Runs are found by their flow runs without reading all that can go on."""

import sqlalchemy as sa
from alembic import op

revision = "0039"
down_revision = "0038"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for table, condition in (("runs", "status != 'ok'"), ("run_plans", "flow_run_id IS NOT NULL")):
        where = sa.text(condition)
        name = f"ix_{table}_flow_run_id"
        op.create_index(name, table, ["flow_run_id"], sqlite_where=where, postgresql_where=where)
