"""Whose a run and a conversation are among API keys that are limited to environments."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

ENDED = sa.text("status != 'running'")
# The environment of the prompt that a run used, and its conversation.
INPUTS = {
    "sqlite": ("json_extract(inputs, '$.prompt.env')", "json_type(inputs, '$.conversation_id')"),
    "postgresql": ("inputs #>> '{prompt,env}'", "inputs #>> '{conversation_id}'"),
}


def upgrade() -> None:
    op.add_column("runs", sa.Column("scope", sa.String(80)))
    op.add_column("conversations", sa.Column("scope", sa.String(80)))
    env, conversation = INPUTS[op.get_bind().dialect.name]
    # What was said before in a conversation may be of any environment.
    op.execute(
        f"UPDATE runs SET scope = 'env:' || substr({env}, 1, 64)"  # noqa: S608
        f" WHERE {env} IS NOT NULL AND {conversation} IS NULL"
    )
    op.create_index(
        "ix_runs_scope",
        "runs",
        ["scope", "created_at", "id", "workspace_id"],
        sqlite_where=ENDED,
        postgresql_where=ENDED,
    )
