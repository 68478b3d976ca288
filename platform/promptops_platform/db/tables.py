"""The base of all tables, and the one of the database itself."""

from sqlalchemy import BigInteger, Integer, MetaData, String
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

NAMES = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s",
    "pk": "pk_%(table_name)s",
}
Id = String(36)
# SQLite numbers rows by itself only in a column of the very type INTEGER.
Serial = BigInteger().with_variant(Integer(), "sqlite")


class Table(DeclarativeBase):
    """Base of all mapped tables."""

    metadata = MetaData(naming_convention=NAMES)


class DatabaseIdentityRow(Table):
    """The single row with the id of this database."""

    __tablename__ = "database_identity"

    id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    identity: Mapped[str] = mapped_column(Id)
