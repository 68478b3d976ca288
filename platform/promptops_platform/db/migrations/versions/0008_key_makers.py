"""Who made an API key, and whether it may change accounts."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

# Both the first account and the static token are called so: which of them it was, nobody knows.
AMBIGUOUS = "admin"


def upgrade() -> None:
    op.add_column(
        "api_keys", sa.Column("maker_kind", sa.String(16), nullable=False, server_default="unknown")
    )
    op.add_column("api_keys", sa.Column("maker_id", sa.String(36)))
    op.add_column("api_keys", sa.Column("owner_id", sa.String(36)))
    op.add_column(
        "api_keys",
        sa.Column("manage_accounts", sa.Boolean(), nullable=False, server_default=sa.false()),
    )
    op.create_index(op.f("ix_api_keys_maker_id"), "api_keys", ["maker_id"])
    op.create_index(op.f("ix_api_keys_owner_id"), "api_keys", ["owner_id"])
    op.execute("UPDATE api_keys SET maker_kind = 'command line' WHERE created_by = 'command line'")
    _name_users()
    _name_keys()


def _name_users() -> None:
    """A user of that name who was there already: one who was made later only has the name of a
    deleted one."""
    user = (
        "SELECT users.id FROM users WHERE users.username = api_keys.created_by"
        " AND users.created_at <= api_keys.created_at"
    )
    op.execute(
        sa.text(
            f"UPDATE api_keys SET maker_kind = 'user', maker_id = ({user}), owner_id = ({user})"  # noqa: S608
            f" WHERE created_by != :ambiguous AND maker_kind = 'unknown' AND EXISTS ({user})"
        ).bindparams(ambiguous=AMBIGUOUS)
    )


def _name_keys() -> None:
    """The only admin key of that name that was there already; oldest first, so that a maker's own
    maker is known."""
    connection = op.get_bind()
    rows = connection.execute(
        sa.text(
            "SELECT id, name, role, created_by, maker_kind, owner_id FROM api_keys"
            " ORDER BY created_at, id"
        )
    ).all()
    admins: dict[str, list[str]] = {}
    owners: dict[str, str | None] = {}
    for row in rows:
        candidates = admins.get(row.created_by, [])
        owner = row.owner_id
        if row.maker_kind == "unknown" and len(candidates) == 1:
            owner = owners[candidates[0]]
            connection.execute(
                sa.text(
                    "UPDATE api_keys SET maker_kind = 'key', maker_id = :maker, owner_id = :owner"
                    " WHERE id = :id"
                ),
                {"maker": candidates[0], "owner": owner, "id": row.id},
            )
        owners[row.id] = owner
        if row.role == "admin":
            admins.setdefault(f"key {row.name}", []).append(row.id)
