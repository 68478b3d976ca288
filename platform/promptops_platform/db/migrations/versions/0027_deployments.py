"""Deployments in Prefect, the flow runs that runs execute, and timers."""

import sqlalchemy as sa
from alembic import op

from promptops_platform.db.types import UtcDateTime

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "prefect_deployments",
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("ref", sa.String(36), nullable=False),
        sa.Column("deployment_id", sa.String(36), nullable=False),
        sa.Column("url", sa.Text()),
        sa.PrimaryKeyConstraint("kind", "ref", name=op.f("pk_prefect_deployments")),
    )
    op.create_table(
        "flow_run_claims",
        sa.Column("flow_run_id", sa.String(36), nullable=False),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("ref", sa.String(36), nullable=False),
        sa.Column("scheduled_at", UtcDateTime(), nullable=False),
        sa.Column("run_id", sa.String(36), nullable=False),
        sa.ForeignKeyConstraint(
            ["run_id"], ["runs.id"], name=op.f("fk_flow_run_claims_run_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("flow_run_id", name=op.f("pk_flow_run_claims")),
    )
    op.create_index("ix_flow_run_claims_owner", "flow_run_claims", ["kind", "ref", "scheduled_at"])
    op.create_index("ix_flow_run_claims_run_id", "flow_run_claims", ["run_id"])
    op.create_table(
        "timers",
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("ref", sa.String(36), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("kind", "ref", name=op.f("pk_timers")),
    )
