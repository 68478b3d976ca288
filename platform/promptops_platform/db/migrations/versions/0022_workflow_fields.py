"""What a workflow says beside its steps: inputs, defaults, time-out, output, strictness."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for name in ("input_schema", "defaults"):
        _add(name, sa.JSON(), "{}")
    _add("timeout", sa.String(length=40), "")
    _add("output", sa.Text(), "")
    _add("strict", sa.Boolean(), sa.false())


def _add(name: str, kind: Any, default: Any) -> None:
    column: sa.Column[Any] = sa.Column(name, kind, nullable=False, server_default=default)
    op.add_column("workflows", column)
