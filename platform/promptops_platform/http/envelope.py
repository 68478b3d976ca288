"""Wrappers of resources on the wire."""

from types import NoneType, UnionType
from typing import Any, Generic, Self, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel

T = TypeVar("T")


class Data(BaseModel, Generic[T]):
    """A resource or a list of them."""

    data: T

    @classmethod
    def model_parametrized_name(cls, params: tuple[Any, ...]) -> str:
        """In the API description: `PromptData`, `PromptListData`, `PromptOrNullData`."""
        return f"{_type_name(params[0])}Data"


class Page(BaseModel, Generic[T]):
    """A page of a list, and the total length."""

    data: list[T]
    total: int

    @classmethod
    def model_parametrized_name(cls, params: tuple[Any, ...]) -> str:
        """In the API description: `PromptPage`."""
        return f"{_type_name(params[0])}Page"


def _type_name(type_: Any) -> str:
    if get_origin(type_) is list:
        return f"{_type_name(get_args(type_)[0])}List"
    if get_origin(type_) in (Union, UnionType):
        return "Or".join(_type_name(argument) for argument in get_args(type_))
    return "Null" if type_ is NoneType else str(type_.__name__)


class CappedPage(Page[T]):
    """A page whose `total` is counted up to 10,000; with `total_is_at_least` there are more."""

    total_is_at_least: bool = False


class Resource(BaseModel):
    """A resource, made from its row in the database."""

    @classmethod
    def of(cls, row: object, **more: Any) -> Self:
        """Create from a row; `more` overrides the row's fields of the same names."""
        names = [name for name in cls.model_fields if name not in more]
        return cls(**{name: getattr(row, name) for name in names}, **more)
