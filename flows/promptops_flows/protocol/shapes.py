"""Converts dataclasses to JSON and back, by their type hints.

All fields are written by name; those of an action include its `type`. If a hint is a union of
dataclasses, an object becomes the one that has exactly its fields.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Hashable, Mapping
from functools import cache
from types import NoneType, UnionType
from typing import Any, Literal, TypeVar, Union, cast, get_args, get_origin, get_type_hints

from promptops_flows.steps.registry import ACTIONS
from promptops_flows.steps.step import Action

T = TypeVar("T")


class ShapeError(ValueError):
    """JSON that doesn't match the dataclass; the message never quotes values."""


def fields_of(value: Any) -> dict[str, Any]:
    """The fields of a dataclass, one level deep; raises `TypeError` for anything else."""
    fields = {item.name: getattr(value, item.name) for item in dataclasses.fields(value)}
    return {"type": value.type, **fields} if isinstance(value, Action) else fields


def build(shape: type[T], fields: dict[str, Any]) -> T:
    """The object with these fields; raises `ShapeError`."""
    hints = _hints(cast("Hashable", shape))
    unknown = fields.keys() - hints.keys()
    if unknown:
        raise ShapeError(f"{shape.__name__} has no field {min(unknown)!r}")
    values = {
        name: _value(f"{shape.__name__}.{name}", hints[name], fields[name]) for name in fields
    }
    try:
        return shape(**values)
    except TypeError as error:
        raise ShapeError(f"{shape.__name__} lacks a field") from error


@cache
def _hints(shape: Any) -> dict[str, Any]:
    hints = get_type_hints(shape)
    return {item.name: hints[item.name] for item in dataclasses.fields(shape)}


def _value(where: str, hint: Any, value: Any) -> Any:
    options = get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,)
    if isinstance(value, dict) and (shape := _shape(options, value)):
        return build(shape, value)
    for option in options:
        if get_origin(option) is tuple and isinstance(value, list):
            return tuple(_value(where, get_args(option)[0], item) for item in value)
        if _fits(option, value):
            return value
    raise ShapeError(f"{where} has a wrong type")


def _shape(options: tuple[Any, ...], value: dict[str, Any]) -> type[Any] | None:
    """The dataclass for the object, if there is one."""
    if Action in options:
        kind = value.pop("type", None)
        return ACTIONS.get(kind) if isinstance(kind, str) else None
    shapes = [option for option in options if dataclasses.is_dataclass(option)]
    exact = [shape for shape in shapes if _hints(cast("Hashable", shape)).keys() == value.keys()]
    return cast("type[Any] | None", next(iter(exact or shapes), None))


def _fits(option: Any, value: Any) -> bool:
    origin = get_origin(option) or option
    if origin is Literal:
        return value in get_args(option)
    if origin is Any:
        return True
    if origin is int:
        return isinstance(value, int) and not isinstance(value, bool)
    if origin is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    if origin is Mapping:
        return isinstance(value, dict)
    return origin in (str, bool, dict, list, NoneType) and isinstance(value, origin)
