"""How a step's model was asked otherwise than the definition says."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("run_steps", sa.Column("notes", sa.JSON(none_as_null=True)))
