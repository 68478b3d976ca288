"""The tables of the feed, and of the replicas that follow it."""

from datetime import datetime

from sqlalchemy import BigInteger, Integer, String
from sqlalchemy.orm import Mapped, mapped_column

from promptops_platform.db.tables import Id, Table
from promptops_platform.db.types import UtcDateTime


class FeedState(Table):
    """The single row that numbers all changes."""

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


class ReplicaRow(Table):
    """A running replica, its revision, and when it last reported, by the database's clock."""

    __tablename__ = "replicas"

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    epoch: Mapped[str] = mapped_column(Id)
    revision: Mapped[int] = mapped_column(BigInteger)
    seen_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    # The platform that the process belongs to; empty for one of an older release.
    instance: Mapped[str] = mapped_column(Id, default="", server_default="")
