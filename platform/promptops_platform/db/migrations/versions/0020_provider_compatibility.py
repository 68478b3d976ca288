"""What a connection's server takes."""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    column = sa.Column("compatibility", sa.JSON(none_as_null=True))
    op.add_column("provider_connections", column)
