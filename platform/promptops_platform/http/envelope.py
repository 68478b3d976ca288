"""The shapes that wrap resources on the wire."""

from typing import Generic, TypeVar

from pydantic import BaseModel

T = TypeVar("T")


class Data(BaseModel, Generic[T]):
    """A resource or a list of them."""

    data: T


class Page(BaseModel, Generic[T]):
    """A part of a list, and how long the whole is."""

    data: list[T]
    total: int
