"""Turns of conversations that are stored sealed."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("conversation_messages", sa.Column("sealed", sa.Text(), nullable=True))
    op.create_index(
        "ix_conversation_messages_sealed",
        "conversation_messages",
        ["conversation_id", "position"],
        sqlite_where=sa.text("sealed IS NOT NULL"),
        postgresql_where=sa.text("sealed IS NOT NULL"),
    )
