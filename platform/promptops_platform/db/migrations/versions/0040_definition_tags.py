"""Tags of workflows and agents."""

import sqlalchemy as sa
from alembic import op

revision = "0040"
down_revision = "0039"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for table in ("workflows", "agents"):
        for name in ("tags", "folded_tags"):
            op.add_column(table, sa.Column(name, sa.Text(), nullable=False, server_default=""))
