"""Which workspaces serve fetches that name none.

Those that exist are marked: every one of them served such fetches up to now, and a client that
relies on it must not lose its prompts by an upgrade.
"""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "workspaces",
        sa.Column("implicit_lookup", sa.Boolean(), nullable=False, server_default=sa.true()),
    )
