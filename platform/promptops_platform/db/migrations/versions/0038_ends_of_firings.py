"""Firings of runs end with these: those of runs that have ended do so now."""

from alembic import op

revision = "0038"
down_revision = "0037"
branch_labels = None
depends_on = None

END_OLD = """UPDATE trigger_firings SET
    state = CASE WHEN EXISTS (
        SELECT 1 FROM runs WHERE runs.id = trigger_firings.run_id AND runs.state = 'completed'
    ) THEN 'delivered' ELSE 'failed' END,
    error = coalesce(
        (SELECT CASE runs.state WHEN 'completed' THEN '' ELSE runs.error END
            FROM runs WHERE runs.id = trigger_firings.run_id),
        'its run is no longer in the log'
    ),
    ended_at = coalesce(
        (SELECT runs.finished_at FROM runs WHERE runs.id = trigger_firings.run_id), created_at
    )
    WHERE state = 'started' AND NOT EXISTS (
        SELECT 1 FROM runs WHERE runs.id = trigger_firings.run_id AND runs.status = 'running'
    )"""


def upgrade() -> None:
    op.create_index("ix_trigger_firings_run_id", "trigger_firings", ["run_id"])
    op.execute(END_OLD)
