"""The tables of the registry. Relations are not mapped: repositories write their joins out."""

from datetime import datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Text,
    UniqueConstraint,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from promptops_platform.db.types import UtcDateTime

NAMES = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s",
    "pk": "pk_%(table_name)s",
}

Id = String(36)
# SQLite numbers rows by itself only in a column of the very type INTEGER.
Serial = BigInteger().with_variant(Integer(), "sqlite")
# Compared byte by byte, whatever the database's locale; SQLite does so by itself.
FoldedText = Text().with_variant(Text(collation="C"), "postgresql")


class Table(DeclarativeBase):
    """Base of all mapped tables."""

    metadata = MetaData(naming_convention=NAMES)


class DatabaseIdentityRow(Table):
    """The one row that says which database this is."""

    __tablename__ = "database_identity"

    id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    identity: Mapped[str] = mapped_column(Id)


class FeedState(Table):
    """The one row that numbers all changes."""

    __tablename__ = "feed_state"

    id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    revision: Mapped[int] = mapped_column(BigInteger)
    epoch: Mapped[str] = mapped_column(Id)


class ChangeRow(Table):
    """One change, as the feed hands it to every replica."""

    __tablename__ = "changes"

    revision: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    type: Mapped[str] = mapped_column(String(32))
    workspace_id: Mapped[str | None] = mapped_column(Id)
    resource_id: Mapped[str] = mapped_column(Id)
    key: Mapped[str] = mapped_column(String(200))
    env: Mapped[str] = mapped_column(String(64))
    version: Mapped[str] = mapped_column(String(64))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)


class AuditRow(Table):
    """Who changed what, and when."""

    __tablename__ = "audit_entries"
    # Each filter's index is in the order of the page, so that a page never sorts, and ends with
    # what every page tests.
    __table_args__ = (
        Index("ix_audit_entries_newest", "created_at", "id", "workspace_id"),
        Index("ix_audit_entries_workspace", "workspace_id", "created_at", "id"),
        Index("ix_audit_entries_actor", "actor", "created_at", "id", "workspace_id"),
        Index("ix_audit_entries_action", "action", "created_at", "id", "workspace_id"),
        Index("ix_audit_entries_resource", "resource", "created_at", "id", "workspace_id"),
        Index("ix_audit_entries_resource_id", "resource_id", "created_at", "id", "workspace_id"),
        Index("ix_audit_entries_key", "key", "created_at", "id", "workspace_id"),
        Index("ix_audit_entries_request_id", "request_id", "created_at", "id", "workspace_id"),
    )

    id: Mapped[int] = mapped_column(Serial, primary_key=True)
    workspace_id: Mapped[str | None] = mapped_column(Id)
    actor: Mapped[str] = mapped_column(String(200))
    actor_kind: Mapped[str] = mapped_column(String(16))
    action: Mapped[str] = mapped_column(String(32))
    resource: Mapped[str] = mapped_column(String(32))
    resource_id: Mapped[str] = mapped_column(Id)
    key: Mapped[str] = mapped_column(String(200))
    summary: Mapped[str] = mapped_column(Text)
    address: Mapped[str] = mapped_column(String(64))
    request_id: Mapped[str] = mapped_column(String(64))
    before: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    after: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)


class AuditCountRow(Table):
    """How many audit entries a workspace has, so that nobody has to count them; the scope is its
    id, empty for entries of no workspace."""

    __tablename__ = "audit_counts"

    scope: Mapped[str] = mapped_column(Id, primary_key=True)
    total: Mapped[int] = mapped_column(BigInteger)


class UserRow(Table):
    __tablename__ = "users"

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    username: Mapped[str] = mapped_column(String(200), unique=True)
    password_hash: Mapped[str] = mapped_column(String(200))
    # Set for the seeded account until its password is changed; decides on warnings and binding.
    has_default_password: Mapped[bool]
    role: Mapped[str] = mapped_column(String(16))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)


class SessionRow(Table):
    __tablename__ = "sessions"

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    # Moves on while the session is used.
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)


class ApiKeyRow(Table):
    """A key of an SDK or a script; `prefix` is the part of it that may be shown."""

    __tablename__ = "api_keys"

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    name: Mapped[str] = mapped_column(String(200))
    prefix: Mapped[str] = mapped_column(String(16), index=True)
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    role: Mapped[str] = mapped_column(String(16))
    # Without one, the key works in all open workspaces.
    workspace_id: Mapped[str | None] = mapped_column(
        ForeignKey("workspaces.id", ondelete="CASCADE"), index=True
    )
    # Names of environments; an empty list is all of them.
    environments: Mapped[list[str]] = mapped_column(JSON)
    created_by: Mapped[str] = mapped_column(String(200))
    # Who made it, a user or another key by id; and the user at the beginning of such a chain, whose
    # rights the key does not exceed. Plain ids: what goes with whom is for the service to say.
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
    """A network that a user has logged in from, and when last."""

    __tablename__ = "login_places"

    user_id: Mapped[str] = mapped_column(
        ForeignKey("users.id", ondelete="CASCADE"), primary_key=True
    )
    network: Mapped[str] = mapped_column(String(64), primary_key=True)
    seen_at: Mapped[datetime] = mapped_column(UtcDateTime)


class WorkspaceRow(Table):
    __tablename__ = "workspaces"

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    name: Mapped[str] = mapped_column(String(200))
    slug: Mapped[str] = mapped_column(String(64), unique=True)
    visibility: Mapped[str] = mapped_column(String(16))
    # Whether a fetch or a watch that names no workspace finds its prompts.
    implicit_lookup: Mapped[bool]
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)


class MemberRow(Table):
    """A user's role in one workspace."""

    __tablename__ = "workspace_members"

    workspace_id: Mapped[str] = mapped_column(
        ForeignKey("workspaces.id", ondelete="CASCADE"), primary_key=True
    )
    user_id: Mapped[str] = mapped_column(
        ForeignKey("users.id", ondelete="CASCADE"), primary_key=True, index=True
    )
    role: Mapped[str] = mapped_column(String(16))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)


class EnvironmentRow(Table):
    """An environment of a workspace; `position` orders them, from 0."""

    __tablename__ = "environments"

    workspace_id: Mapped[str] = mapped_column(
        ForeignKey("workspaces.id", ondelete="CASCADE"), primary_key=True
    )
    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    position: Mapped[int]
    protected: Mapped[bool]


class PromptRow(Table):
    """The working copy of a prompt in one environment, and what of it is published."""

    __tablename__ = "prompts"
    # The indexes are in the order of a list, and hold what a list tests as well.
    __table_args__ = (
        UniqueConstraint("workspace_id", "env", "key"),
        Index("ix_prompts_newest", "updated_at", "id", "workspace_id"),
        Index("ix_prompts_workspace", "workspace_id", "updated_at", "id"),
        Index("ix_prompts_env", "env", "updated_at", "id", "workspace_id"),
        Index("ix_prompts_category", "category", "updated_at", "id", "workspace_id", "env"),
    )

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    workspace_id: Mapped[str] = mapped_column(ForeignKey("workspaces.id"))
    key: Mapped[str] = mapped_column(String(200))
    name: Mapped[str] = mapped_column(Text)
    content: Mapped[str] = mapped_column(Text)
    version: Mapped[str] = mapped_column(String(64))
    env: Mapped[str] = mapped_column(String(64))
    category: Mapped[str] = mapped_column(Text)
    tags: Mapped[str] = mapped_column(Text)
    model: Mapped[str] = mapped_column(Text)
    # `text`, or `chat`: then `messages` holds role and content of each, and `content` their texts.
    kind: Mapped[str] = mapped_column(String(8))
    messages: Mapped[list[dict[str, Any]]] = mapped_column(JSON)
    config: Mapped[dict[str, Any]] = mapped_column(JSON)
    # Counts the saved changes of the row, for editors who say which one they have seen.
    revision: Mapped[int]
    updated_by: Mapped[str] = mapped_column(String(200))
    # A plain id: a foreign key would be circular, and versions are never deleted alone.
    published_id: Mapped[str | None] = mapped_column(Id)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime)


class PromptSearchRow(Table):
    """A prompt as search sees it: its folded texts, and what search tests and sorts by.

    A table of its own, so that a publish does not write the texts' index anew and loading a prompt
    does not load them. `text` holds key, name and content, one a line. Its index is made in the
    migrations: FTS5 on SQLite, GIN on PostgreSQL.
    """

    __tablename__ = "prompt_search"

    # SQLite's index names rows by this number; a hidden row number would change with VACUUM.
    id: Mapped[int] = mapped_column(Serial, primary_key=True)
    prompt_id: Mapped[str] = mapped_column(
        ForeignKey("prompts.id", ondelete="CASCADE"), unique=True
    )
    workspace_id: Mapped[str] = mapped_column(Id)
    env: Mapped[str] = mapped_column(String(64))
    category: Mapped[str] = mapped_column(Text)
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime)
    text: Mapped[str] = mapped_column(FoldedText)


class PromptTagRow(Table):
    """A tag of a prompt, folded and without blanks, and what a list by tag tests and sorts by."""

    __tablename__ = "prompt_tags"
    __table_args__ = (
        Index(
            "ix_prompt_tags_newest",
            *("tag", "updated_at", "prompt_id", "workspace_id", "env", "category"),
        ),
    )

    prompt_id: Mapped[str] = mapped_column(
        ForeignKey("prompts.id", ondelete="CASCADE"), primary_key=True
    )
    tag: Mapped[str] = mapped_column(Text, primary_key=True)
    workspace_id: Mapped[str] = mapped_column(Id)
    env: Mapped[str] = mapped_column(String(64))
    # Null where it is too long for the index.
    category: Mapped[str | None] = mapped_column(Text)
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime)


class PromptVersionRow(Table):
    """A published version; never changed."""

    __tablename__ = "prompt_versions"
    __table_args__ = (UniqueConstraint("prompt_id", "version"),)

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    prompt_id: Mapped[str] = mapped_column(ForeignKey("prompts.id", ondelete="CASCADE"))
    key: Mapped[str] = mapped_column(String(200))
    version: Mapped[str] = mapped_column(String(64))
    env: Mapped[str] = mapped_column(String(64))
    content: Mapped[str] = mapped_column(Text)
    model: Mapped[str] = mapped_column(Text)
    kind: Mapped[str] = mapped_column(String(8))
    messages: Mapped[list[dict[str, Any]]] = mapped_column(JSON)
    config: Mapped[dict[str, Any]] = mapped_column(JSON)
    note: Mapped[str] = mapped_column(Text)
    content_hash: Mapped[str] = mapped_column(String(64))
    author: Mapped[str] = mapped_column(String(200))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)


class ServedMoveRow(Table):
    """A move of what a prompt serves: of its published pointer or of its rollout."""

    __tablename__ = "prompt_history"

    id: Mapped[int] = mapped_column(Serial, primary_key=True)
    prompt_id: Mapped[str] = mapped_column(ForeignKey("prompts.id", ondelete="CASCADE"), index=True)
    action: Mapped[str] = mapped_column(String(32))
    env: Mapped[str] = mapped_column(String(64))
    version: Mapped[str | None] = mapped_column(String(64))
    previous_version: Mapped[str | None] = mapped_column(String(64))
    # The rollout's variants from now on; null while there is none.
    variants: Mapped[list[dict[str, Any]] | None] = mapped_column(JSON(none_as_null=True))
    note: Mapped[str] = mapped_column(Text)
    actor: Mapped[str] = mapped_column(String(200))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)


class RolloutRow(Table):
    """How a prompt's fetches are spread over its versions.

    A variant has `name`, `version` and `weight`, in basis points that add up to 10,000.
    """

    __tablename__ = "rollouts"

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    prompt_id: Mapped[str] = mapped_column(
        ForeignKey("prompts.id", ondelete="CASCADE"), unique=True
    )
    enabled: Mapped[bool]
    variants: Mapped[list[dict[str, Any]]] = mapped_column(JSON)
    # Experiments with different salts assign their subjects independently.
    salt: Mapped[str] = mapped_column(String(200))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime)


class WorkflowRow(Table):
    __tablename__ = "workflows"
    __table_args__ = (UniqueConstraint("workspace_id", "key"),)

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    workspace_id: Mapped[str] = mapped_column(ForeignKey("workspaces.id"))
    key: Mapped[str] = mapped_column(String(200))
    name: Mapped[str] = mapped_column(Text)
    description: Mapped[str] = mapped_column(Text)
    steps: Mapped[list[dict[str, Any]]] = mapped_column(JSON)
    # Counts the saved definitions; Prefect shows it as the flow's version.
    version: Mapped[int]
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
