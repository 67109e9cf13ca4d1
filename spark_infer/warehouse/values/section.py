"""Sections of a job file, which read every value as the type that its key declares."""

from __future__ import annotations

from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, ConfigDict, ValidationInfo, field_validator

from spark_infer.warehouse.values.kinds import as_written, read, sql
from spark_infer.warehouse.values.unquoted import Unquoted, is_null, shown

WrittenText = Annotated[str, "as written"]
"""Text that needs no quotes: whatever YAML would take it for, the text in the file is meant."""
SqlText = Annotated[str, "SQL"]
"""SQL that says something: a template that was filled with nothing must not count as no text."""

_SCALARS = {str: ("string", ""), int: ("int", "an integer"), float: ("float", "a number")}
_SCALARS |= {bool: ("bool", "true or false")}


class MisplacedError(ValueError):
    """A wrong value inside a list or mapping.

    Attributes:
        place: Where it stands in there.
    """

    def __init__(self, message: str, place: str) -> None:
        super().__init__(message)
        self.place = place


class Section(BaseModel):
    """A frozen section that refuses keys that it does not know.

    Its values may be text, from the command line or a file, and are read by ``read``: pydantic
    checks the structure and never turns one type into another.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    @field_validator("*", mode="before")
    @classmethod
    def _as_declared(cls, value: Any, info: ValidationInfo) -> Any:
        assert info.field_name is not None
        return _as_declared(value, cls.model_fields[info.field_name].annotation)


def _as_declared(value: Any, kind: Any) -> Any:
    """Return a value as its declared type, or as it is where pydantic says what is wrong."""
    if kind is Any:
        return value
    members = get_args(kind) if get_origin(kind) in (Union, UnionType) else (kind,)
    origin = get_origin(members[0])
    if origin is tuple:
        return _items(value, get_args(members[0])[0])
    if origin is dict:
        return _entries(value, get_args(members[0])[1])
    if _is_section(members[0]):
        return value if value is None and NoneType in members else _section(value)
    return _scalar(value, members)


def _items(value: Any, kind: Any) -> Any:
    if isinstance(value, str):
        raise ValueError(f"must be a list such as [{value or 'a'}], got {shown(value)}")
    if not isinstance(value, list | tuple):
        return value
    return [_at(str(index), item, kind) for index, item in enumerate(value)]


def _entries(value: Any, kind: Any) -> Any:
    if not isinstance(value, dict):
        raise ValueError(f"must be a section of names and values, got {shown(value)}")
    return {name: _at(str(name), item, kind) for name, item in value.items()}


def _at(place: str, value: Any, kind: Any) -> Any:
    try:
        return _as_declared(value, kind)
    except ValueError as error:
        raise MisplacedError(str(error), place) from None


def _section(value: Any) -> Any:
    if isinstance(value, dict | BaseModel):
        return value
    raise ValueError(f"must be a section with keys, got {shown(value)}")


def _scalar(value: Any, members: tuple[Any, ...]) -> Any:
    if value is None and NoneType in members:
        return None
    if WrittenText in members:
        return as_written(value)
    if is_null(value):
        if NoneType in members and str not in members and SqlText not in members:
            return None
        raise ValueError(f"got {shown(value)}, which is null; leave the key out, or quote the text")
    if SqlText in members:
        return sql(value)
    words = [
        word for member in members if get_origin(member) is Literal for word in get_args(member)
    ]
    scalars = [_SCALARS[member] for member in members if member in _SCALARS]
    if (isinstance(value, str) and value in words) or not scalars:
        return str(value) if isinstance(value, Unquoted) else value
    ((name, expected),) = scalars
    return read(name, value, " or ".join([expected, *map(repr, words)]) if expected else None)


def _is_section(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)
