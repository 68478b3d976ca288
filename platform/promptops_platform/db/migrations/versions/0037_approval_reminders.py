"""When others are reminded of what a run waits for."""

import sqlalchemy as sa
from alembic import op

revision = "0037"
down_revision = "0036"
branch_labels = None
depends_on = None


def upgrade() -> None:
    reminders = sa.Column("reminders", sa.JSON(), nullable=False, server_default="[]")
    op.add_column("approvals", reminders)
    reminded = sa.Column("reminded", sa.Integer(), nullable=False, server_default="0")
    op.add_column("approvals", reminded)
