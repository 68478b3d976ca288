"""The tables of accounts: users, sessions, API keys, and failed and earlier logins."""

from datetime import datetime

from sqlalchemy import JSON, ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from promptops_platform.db.tables import Id, Table
from promptops_platform.db.types import UtcDateTime


class UserRow(Table):
    __tablename__ = "users"

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    username: Mapped[str] = mapped_column(String(200), unique=True)
    password_hash: Mapped[str] = mapped_column(String(200))
    # Set for the seeded account until its password is changed; controls warnings and binding.
    has_default_password: Mapped[bool]
    role: Mapped[str] = mapped_column(String(16))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)


class SessionRow(Table):
    __tablename__ = "sessions"

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    # Extended while the session is used.
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)


class ApiKeyRow(Table):
    """A key of an SDK or a script; `prefix` is the part of it that may be shown."""

    __tablename__ = "api_keys"

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    name: Mapped[str] = mapped_column(String(200))
    prefix: Mapped[str] = mapped_column(String(16), index=True)
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    role: Mapped[str] = mapped_column(String(16))
    # Without one, the key is valid in all open workspaces.
    workspace_id: Mapped[str | None] = mapped_column(
        ForeignKey("workspaces.id", ondelete="CASCADE"), index=True
    )
    # Names of environments; an empty list means all.
    environments: Mapped[list[str]] = mapped_column(JSON)
    created_by: Mapped[str] = mapped_column(String(200))
    # Who created it, a user or another key by id; and the user at the beginning of such a chain,
    # whose permissions the key does not exceed. Not foreign keys: the service decides what is
    # deleted together.
    maker_kind: Mapped[str] = mapped_column(String(16))
    maker_id: Mapped[str | None] = mapped_column(Id, index=True)
    owner_id: Mapped[str | None] = mapped_column(Id, index=True)
    manage_accounts: Mapped[bool]
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    expires_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    last_used_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class LoginTryRow(Table):
    """Failed logins of an account or an address in the current window."""

    __tablename__ = "login_tries"

    subject: Mapped[str] = mapped_column(String(100), primary_key=True)
    tries: Mapped[int]
    started_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)


class LoginPlaceRow(Table):
    """A network that a user has logged in from, and the time of the last login."""

    __tablename__ = "login_places"

    user_id: Mapped[str] = mapped_column(
        ForeignKey("users.id", ondelete="CASCADE"), primary_key=True
    )
    network: Mapped[str] = mapped_column(String(64), primary_key=True)
    seen_at: Mapped[datetime] = mapped_column(UtcDateTime)
