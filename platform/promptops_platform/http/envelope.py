"""The shapes that wrap resources on the wire."""

from typing import Any, Generic, Self, TypeVar

from pydantic import BaseModel

T = TypeVar("T")


class Data(BaseModel, Generic[T]):
    """A resource or a list of them."""

    data: T


class Page(BaseModel, Generic[T]):
    """A part of a list, and how long the whole is."""

    data: list[T]
    total: int


class CappedPage(Page[T]):
    """A page whose `total` is counted to 10,000; with `total_is_at_least` there are more."""

    total_is_at_least: bool = False


class Resource(BaseModel):
    """A resource, made from its row in the database."""

    @classmethod
    def of(cls, row: object, **more: Any) -> Self:
        """The fields are the row's of the same names, but for those that `more` gives."""
        names = [name for name in cls.model_fields if name not in more]
        return cls(**{name: getattr(row, name) for name in names}, **more)
