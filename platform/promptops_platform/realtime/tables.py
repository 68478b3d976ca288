"""The table in which replicas share their watching clients; its rows don't outlive their
replicas."""

from datetime import datetime

from sqlalchemy import JSON, BigInteger, ForeignKey, Integer, String
from sqlalchemy.orm import Mapped, mapped_column

from promptops_platform.db.tables import Id, Table
from promptops_platform.db.types import UtcDateTime


class LiveClientRow(Table):
    """A connection that watches, at one of the replicas.

    `workspace` is the id or slug that it named. Null means all in `environments` and `readable`,
    and unreported in `keys`.
    """

    __tablename__ = "live_clients"

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    replica_id: Mapped[str] = mapped_column(
        ForeignKey("replicas.id", ondelete="CASCADE"), index=True
    )
    client_type: Mapped[str] = mapped_column(String(200))
    app: Mapped[str] = mapped_column(String(200))
    version: Mapped[str] = mapped_column(String(200))
    namespace: Mapped[str] = mapped_column(String(200))
    remote_addr: Mapped[str] = mapped_column(String(200))
    user_agent: Mapped[str] = mapped_column(String(200))
    connected_at: Mapped[datetime] = mapped_column(UtcDateTime)
    workspace: Mapped[str | None] = mapped_column(String(200))
    environments: Mapped[list[str] | None] = mapped_column(JSON(none_as_null=True))
    readable: Mapped[list[str] | None] = mapped_column(JSON(none_as_null=True))
    keys: Mapped[list[str] | None] = mapped_column(JSON(none_as_null=True))
    key_count: Mapped[int | None] = mapped_column(Integer)
    revision: Mapped[int | None] = mapped_column(BigInteger)
    reported_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
