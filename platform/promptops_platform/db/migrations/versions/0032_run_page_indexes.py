"""Pages of the runs of a version of a definition or a prompt are read and counted from an index
alone."""

import sqlalchemy as sa
from alembic import op

revision = "0032"
down_revision = "0031"
branch_labels = None
depends_on = None

PROMPTS = ["key", "created_at", "run_id", "workspace_id", "env", "version"]
RUNS = ["ref_key", "created_at", "id", "workspace_id", "version"]


def upgrade() -> None:
    ended = sa.text("status != 'running'")
    op.drop_index("ix_run_prompts_key", "run_prompts")
    op.create_index("ix_run_prompts_key", "run_prompts", PROMPTS)
    op.drop_index("ix_runs_ref_key", "runs")
    op.create_index("ix_runs_ref_key", "runs", RUNS, sqlite_where=ended, postgresql_where=ended)
