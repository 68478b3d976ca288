"""How long a connection's provider may take."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for name in ("first_token_seconds", "answer_seconds"):
        op.add_column("provider_connections", sa.Column(name, sa.Integer()))
