"""The tables of connections to model providers."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, Integer, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from promptops_platform.db.tables import Id, Table
from promptops_platform.db.types import UtcDateTime


class ConnectionRow(Table):
    """How a workspace reaches a model provider."""

    __tablename__ = "provider_connections"
    __table_args__ = (UniqueConstraint("workspace_id", "name"),)

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    workspace_id: Mapped[str] = mapped_column(ForeignKey("workspaces.id"))
    name: Mapped[str] = mapped_column(String(64))
    kind: Mapped[str] = mapped_column(String(32))
    # Empty for the vendor's own address.
    base_url: Mapped[str] = mapped_column(Text)
    # Empty for the kind's default.
    model: Mapped[str] = mapped_column(Text)
    # Time limits; null for the gateway's own.
    first_token_seconds: Mapped[int | None]
    answer_seconds: Mapped[int | None]
    # The compatibility switches that are set.
    compatibility: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    # Encrypted, for this row and its address alone.
    sealed_key: Mapped[str | None] = mapped_column(Text)
    key_hint: Mapped[str] = mapped_column(String(4))
    created_by: Mapped[str] = mapped_column(String(200))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime)
    last_tested_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    last_test_ok: Mapped[bool | None]


class SecretCheckRow(Table):
    """One row: a known text, encrypted as the secrets of this database are. It shows a
    platform that it has another secret key."""

    __tablename__ = "secret_check"

    id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    sealed: Mapped[str] = mapped_column(Text)
